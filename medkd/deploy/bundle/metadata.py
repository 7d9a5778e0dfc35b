"""metadata.json of a packed bundle: the task's, made true of this model."""

from __future__ import annotations

import json
from typing import Any

import torch
from monai.utils import get_package_version
from torch import nn

import medkd
from medkd.cli.bundles import BUNDLES
from medkd.networks import input_spec

from .student import Student

__all__ = ["bundle_metadata", "spatial_shape"]

_STRIDES = (1, 2, 4, 8, 16, 32, 64)


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
    """``["16*n", "16*n"]`` for a network that takes all multiples of a stride; else the size that it was trained on."""
    dims, channels = input_spec(network)
    # the coarsest map has one element at least, whatever the network is: more than the largest stride
    for stride in _STRIDES:
        try:
            with torch.no_grad():
                fits = all(network(torch.zeros(1, channels, *(n * stride,) * dims)).ndim == dims + 2 for n in (1, 3))
        except (RuntimeError, ValueError, AssertionError):
            continue
        if fits:
            return [f"{stride}*n"] * dims
    return list(image_size)


def _release(package: str) -> str:
    """Without the build: 2.13.0 of 2.13.0+cpu."""
    return get_package_version(package).partition("+")[0]
