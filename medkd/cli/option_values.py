"""Whether the value of an option means what it looks like, and is of the kind that its id wants."""

from __future__ import annotations

from typing import Any

import torch

__all__ = ["check_value"]

_WORDS = {"true": "True", "false": "False", "none": "'$None'", "null": "'$None'"}
_PATHS = (
    "bundle_root",
    "dataset_dir",
    "output_dir",
    "input",
    "model",
    "teacher",
    "false_pixel_assistant",
    "boundary_assistant",
    "source",
    "imagenet21k",
    "soft_labels_dir",
    "images",
    "labels",
    "mlflow",
)
_NUMBERS = ("patience", "clip_norm")  # whose default is null
_COUNTS = (
    "max_epochs",
    "batch_size",
    "val_interval",
    "accumulation_steps",
    "slice_batch",
    "window_batch",
    "patches_per_case",
)
# whose default may be an expression, with an example
_LISTS = {
    "window": "[-200,300]",
    "image_size": "[64,64]",
    "patch_size": "[32,64,64]",
    "spacing": "[3.0,0.8,0.8] (or '$None': as they are)",
}
_COMPUTED = ("classes", "values", "num_classes", "foreground", "per_case")


def check_value(name: str, value: Any, default: Any) -> None:
    """Raises ValueError for ``true``, ``None``, text for a number, a number for a path, one number for a list, and the like.

    Args:
        name: of the option.
        value: as the command line is read.
        default: what the configuration has.
    """
    if name in _COMPUTED and str(default).startswith("$"):
        raise ValueError(f"--{name}: follows from the data set (and --target), it is no option")
    if name == "mode":
        raise ValueError(
            "--mode: add bundles/overlays/volumetric.yaml and volumetric_train.yaml to --config_file instead"
        )
    is_text = isinstance(default, str) and not default.startswith(("$", "@"))
    if value is None or (isinstance(value, str) and value.lower() in _WORDS and not is_text):
        word = str(value)
        raise ValueError(f"--{name} {word} does not mean {word} to MONAI: write {_WORDS[word.lower()]}")
    if isinstance(value, str) and value.startswith(("$", "@", "%")):
        return  # MONAI evaluates it
    _check_path(name, value)
    _check_number(name, value, default)
    if (isinstance(default, list) or name in _LISTS) and not isinstance(value, list | tuple):
        example = _LISTS.get(name, default)
        raise ValueError(f"--{name}: found {value!r}, expected a list such as {example}")
    if name == "window" and not (len(value) == 2 and all(map(_is_number, value)) and value[0] < value[1]):
        raise ValueError(f"--window: found {list(value)}, expected the lowest and the highest intensity: [-200,300]")
    if name == "device" and str(value).startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(f"--device {value}: PyTorch finds no CUDA device here: write --device cpu")


def _check_path(name: str, value: Any) -> None:
    if name == "teacher" and isinstance(value, list | tuple) and all(isinstance(path, str) for path in value):
        return  # several, as an ensemble
    if name.split("::")[-1] in _PATHS and not isinstance(value, str):
        raise ValueError(
            f"--{name}: MONAI reads this as the {type(value).__name__} {value}, expected a path: write ./NAME"
        )


def _check_number(name: str, value: Any, default: Any) -> None:
    if isinstance(value, str) and (_is_number(default) or name in _NUMBERS):
        raise ValueError(f"--{name}: found {value!r}, expected a number")
    if name in _COUNTS and not (isinstance(value, int) and value > 0):
        raise ValueError(f"--{name}: found {value!r}, expected a whole number from 1 on")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
