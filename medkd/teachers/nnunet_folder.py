"""Read a model folder of nnU-Net v2: its plans and its weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from medkd.networks.checkpoints import fit_state
from medkd.networks.weight_file import read_weights
from medkd.parallel.group import is_main_process

from .channels import names_in_order
from .external import ExternalModel
from .nnunet_plans import build_network, resolve_configuration
from .nnunet_transforms import read_geometry, read_scalings

__all__ = ["nnunet_folder", "read_nnunet"]

_CHECKPOINTS = ("checkpoint_final.pth", "checkpoint_best.pth")


def nnunet_folder(path: Path) -> Path | None:
    """Return the folder with ``plans.json`` of a model folder, a fold or a checkpoint; None for any other path."""
    # upwards from these names alone: any other path inside a model folder, such as a medkd run, is not nnU-Net's
    folder = path.parent if path.match("checkpoint*.pth") else path
    folder = folder.parent if folder.match("fold_*") else folder
    return folder if (folder / "plans.json").is_file() else None


def read_nnunet(path: Path) -> ExternalModel:
    """Build the network that the plans describe, and load the weights of one fold.

    The configuration is the one that the checkpoint names, else the one in the folder's name
    (``nnUNetTrainer__nnUNetPlans__3d_fullres``). No code in the checkpoint is executed.

    Args:
        path: the model folder (its first fold is taken, and a note says so), a ``fold_*`` folder, or a checkpoint.

    Raises:
        FileNotFoundError: If plans.json, dataset.json or the checkpoint is missing.
        ValueError: If the plans cannot be built here, or the checkpoint is not one of nnU-Net.
    """
    folder = nnunet_folder(path)
    if folder is None:
        raise FileNotFoundError(f"{path}: no plans.json, expected a model folder of nnU-Net v2")
    plans, dataset = (_read_json(folder / name) for name in ("plans.json", "dataset.json"))
    file = _find_checkpoint(path)
    weights, init_args = _split_checkpoint(read_weights(file, "teacher"), file)
    try:
        plan = resolve_configuration(plans, init_args.get("configuration") or folder.name.split("__")[-1])
        _check_supported(plan, dataset)
        network = build_network(plan, *_count_channels(weights))
        scalings = read_scalings(plans, plan, network.in_channels)
        geometry = read_geometry(plans, plan)
    except KeyError as error:
        raise ValueError(f"{folder}: plans.json or dataset.json without {error}") from None
    except (ValueError, TypeError, AttributeError, RuntimeError) as error:  # the last one of PyTorch, for odd sizes
        raise ValueError(f"{folder}: {error}") from None
    network.load_state_dict(fit_state(network, weights, "teacher", file))
    schemes = ", ".join(plan["normalization_schemes"])
    problem = f"nnU-Net {file}: normalization_schemes: found {schemes}, which cannot be repeated with slices or patches"
    return ExternalModel(
        network,
        f"nnU-Net {file}",
        scalings,
        geometry,
        network.multiple,
        problem=problem if None in scalings else "",
        channels=names_in_order(dataset.get("channel_names", dataset.get("modality"))),  # the older key
    )


def _read_json(file: Path) -> dict[str, Any]:
    if not file.is_file():
        raise FileNotFoundError(f"{file}: no such file, a model folder of nnU-Net v2 has one")
    try:
        content = json.loads(file.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{file}: not a JSON file: {error}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{file}: found {type(content).__name__}, expected names and values")
    return content


def _find_checkpoint(path: Path) -> Path:
    if path.is_file():
        return path
    candidates = [[fold / name for name in _CHECKPOINTS] for fold in [path, *sorted(path.glob("fold_*"))]]
    files = [next((file for file in names if file.is_file()), None) for names in candidates]
    found = [file for file in files if file is not None]
    if len(found) > 1 and found[0].parent != path and is_main_process():
        folds = " ".join(str(file.parent) for file in found)
        print(
            f"note: {path}: found {len(found)} folds, {found[0].parent.name} is the teacher; their average is that of all: "
            f"--teacher {folds}",
            flush=True,
        )
    if found:
        return found[0]
    raise FileNotFoundError(f"{path}: no {' or '.join(_CHECKPOINTS)} in it or in a fold_* folder")


def _split_checkpoint(content: Any, file: Path) -> tuple[dict[str, torch.Tensor], Mapping[str, Any]]:
    """Return the state dict with the names of `NNUNet`, and the arguments that the run was started with."""
    state = content.get("network_weights") if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise ValueError(f"{file}: no network_weights in it, expected a checkpoint of nnU-Net v2")
    weights = {}
    for name, value in state.items():
        # second names of the same tensors: the decoder holds the encoder, a block holds its list of layers
        if "decoder.encoder." not in name and ".all_modules." not in name:
            weights[name] = value
    init_args = content.get("init_args")
    return weights, init_args if isinstance(init_args, dict) else {}


def _check_supported(plan: Mapping[str, Any], dataset: Mapping[str, Any]) -> None:
    if plan.get("previous_stage"):
        raise ValueError("a cascade reads the segmentation of an earlier stage: use another configuration")
    if any(isinstance(value, list) and len(value) > 1 for value in dataset["labels"].values()):
        raise ValueError("its labels are regions that overlap, which classes of a softmax cannot stand for")


def _count_channels(weights: Mapping[str, torch.Tensor]) -> tuple[int, int]:
    """Return the channels of the image and of the logits: dataset.json would count an ignored label as a class."""
    first = [value for name, value in weights.items() if name.endswith("convs.0.conv.weight")]
    last = [value for name, value in weights.items() if "decoder.seg_layers." in name]
    if not first or not last:
        raise ValueError("the weights are not those of a U-Net of nnU-Net")
    return first[0].shape[1], last[-1].shape[0]
