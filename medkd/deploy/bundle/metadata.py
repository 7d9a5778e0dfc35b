"""metadata.json of a packed bundle: the task's, made true of this model."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import torch
from monai.utils import get_package_version
from torch import nn

import medkd
from medkd.cli.bundles import BUNDLES
from medkd.networks import input_spec, required_multiple

from .student import Student

__all__ = ["bundle_metadata", "spatial_shape"]

_LARGEST_MULTIPLE = 64


def bundle_metadata(
    student: Student, classes: dict[int, str], image_size: list[int], required: dict[str, str]
) -> dict[str, Any]:
    """What MONAI's metadata schema asks for.

    Args:
        student: the model.
        classes: number -> name, without the background.
        image_size: edges that the network was trained on.
        required: packages and their versions.
    """
    found = json.loads((BUNDLES / student.task / "configs/metadata.json").read_text())
    names = ", ".join(classes.values())
    volumes = student.mode == "3d"
    method = student.record.get("method", "none")
    how = "trained on labels alone" if method == "none" else f"trained by the method {method}"
    shape = spatial_shape(student.network, image_size)
    found |= {
        "changelog": {found["version"]: f"packed by medkd {medkd.__version__} from a student {how}"},
        "monai_version": _release("monai"),
        "pytorch_version": _release("torch"),
        "numpy_version": _release("numpy"),
        "required_packages_version": required,
        "name": f"{found['name']}: {student.task}, {names}",
        "task": f"Segmentation of {names}" + (", volume by volume" if volumes else ""),
        "description": f"{type(student.network).__name__} student ({student.task}, {student.mode}), {how}",
    }
    form = found["network_data_format"]
    form["inputs"]["image"] |= {"spatial_shape": shape, "is_patch_data": volumes}
    form["outputs"]["pred"] |= {
        "num_channels": len(classes) + 1,
        "spatial_shape": shape,
        "is_patch_data": volumes,
        "channel_def": {"0": "background", **{str(number): name for number, name in classes.items()}},
    }
    return found


def spatial_shape(network: nn.Module, image_size: list[int]) -> list[int | str]:
    """Describe the sizes that a network takes as MONAI's metadata has it.

    Args:
        network: images (N, C, *spatial) to logits.
        image_size: edges that the network was trained on.

    Returns:
        ``["16*n", "16*n"]`` for a network that takes all multiples of 16 (16 itself included), else ``image_size``.
    """
    dims, channels = input_spec(network)
    multiple = required_multiple(network, fallback=_LARGEST_MULTIPLE)
    while multiple <= _LARGEST_MULTIPLE:
        with torch.no_grad(), suppress(RuntimeError, ValueError, AssertionError):
            # MONAI's verify_net_in_out tries n = 1, where the coarsest map may have too few elements
            if all(network(torch.zeros(1, channels, *(n * multiple,) * dims)).ndim == dims + 2 for n in (1, 3)):
                return [f"{multiple}*n"] * dims
        multiple *= 2
    return list(image_size)


def _release(package: str) -> str:
    """Without the build: 2.13.0 of 2.13.0+cpu."""
    return get_package_version(package).partition("+")[0]
