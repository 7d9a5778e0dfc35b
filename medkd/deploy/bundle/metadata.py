"""The metadata.json of a packed bundle: that of the task, changed to describe this model."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import torch
from monai.utils import get_package_version
from torch import nn

import medkd
from medkd.configs.bundles import BUNDLES
from medkd.networks import input_spec, required_multiple

from .student import Student

__all__ = ["bundle_metadata", "spatial_shape"]

_LARGEST_MULTIPLE = 64


def bundle_metadata(
    student: Student, classes: dict[int, str], image_size: list[int], required: dict[str, str]
) -> dict[str, Any]:
    """Return the metadata that MONAI's schema asks for.

    Args:
        student: the model.
        classes: value in the prediction -> name, without the background.
        image_size: edges that the network was trained on.
        required: the packages that inference needs, and their versions.
    """
    metadata = json.loads((BUNDLES / student.task / "configs/metadata.json").read_text())
    names = ", ".join(classes.values())
    is_volumetric = student.mode == "3d"
    method = student.record.get("method", "none")
    training = "trained on labels alone" if method == "none" else f"trained by the method {method}"
    shape = spatial_shape(student.network, image_size)
    metadata |= {
        "changelog": {metadata["version"]: f"packed by medkd {medkd.__version__} from a student {training}"},
        "monai_version": _release("monai"),
        "pytorch_version": _release("torch"),
        "numpy_version": _release("numpy"),
        "required_packages_version": required,
        "name": f"{metadata['name']}: {student.task}, {names}",
        "task": f"Segmentation of {names}" + (", volume by volume" if is_volumetric else ""),
        "description": f"{type(student.network).__name__} student ({student.task}, {student.mode}), {training}",
    }
    data_format = metadata["network_data_format"]
    data_format["inputs"]["image"] |= {"spatial_shape": shape, "is_patch_data": is_volumetric}
    data_format["outputs"]["pred"] |= {
        "num_channels": len(classes) + 1,
        "spatial_shape": shape,
        "is_patch_data": is_volumetric,
        "channel_def": {"0": "background", **{str(number): name for number, name in classes.items()}},
    }
    return metadata


def spatial_shape(network: nn.Module, image_size: list[int]) -> list[int | str]:
    """Describe the input sizes of a network in the notation of MONAI's metadata.

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
    """Return the version of a package without its build: 2.13.0 for 2.13.0+cpu."""
    return get_package_version(package).partition("+")[0]
