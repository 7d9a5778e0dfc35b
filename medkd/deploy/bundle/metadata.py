"""The metadata.json of a packed bundle: that of the task, changed to describe this model."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from typing import Any

import torch
from monai.utils import get_package_version
from torch import nn

import medkd
from medkd.cli.pack_options import BundleDetails
from medkd.configs.bundles import BUNDLES
from medkd.io import form_channels
from medkd.networks import input_spec, required_multiple

from .student import Student

__all__ = ["bundle_metadata", "spatial_shape"]

_LARGEST_MULTIPLE = 64


def bundle_metadata(
    student: Student, classes: dict[int, str], image_size: list[int], required: dict[str, str], details: BundleDetails
) -> dict[str, Any]:
    """Return the metadata that MONAI's schema asks for.

    Args:
        student: the model.
        classes: value in the prediction -> name, without the background.
        image_size: edges that the network was trained on.
        required: the packages that inference needs, and their versions.
        details: what the packer says of the bundle.
    """
    metadata = json.loads((BUNDLES / student.task / "configs/metadata.json").read_text())
    names = ", ".join(classes.values())
    is_volumetric = student.mode == "3d"
    method = student.record.get("method", "none")
    training = "trained on labels alone" if method == "none" else f"trained by the method {method}"
    shape = spatial_shape(student.network, image_size)
    metadata |= {
        "version": details.version,
        "changelog": {details.version: f"packed by medkd {medkd.__version__} from a student {training}"},
        "monai_version": _release("monai"),
        "pytorch_version": _release("torch"),
        "numpy_version": _release("numpy"),
        "required_packages_version": required,
        "name": details.task_name or f"{metadata['name']}: {student.task}, {names}",
        "task": details.task_name or f"Segmentation of {names}" + (", volume by volume" if is_volumetric else ""),
        "description": f"{type(student.network).__name__} student ({student.task}, {student.mode}), {training}",
        "authors": details.authors,
        "copyright": details.copyright,
    }
    if measured := _eval_metrics(student.summary):
        metadata["eval_metrics"] = measured
    data_format = metadata["network_data_format"]
    data_format["inputs"]["image"] |= {"spatial_shape": shape, "is_patch_data": is_volumetric}
    if form := student.values.get("form"):  # of a user's own pictures
        channels = form_channels(form)
        data_format["inputs"]["image"] |= {
            "format": "RGB" if form == "rgb" else "magnitude",
            "modality": "RGB" if form == "rgb" else "n/a",
            "num_channels": len(channels),
            "channel_def": channels,
        }
    elif len(sequences := student.values.get("channels") or ()) > 1:  # of a user's own volumes
        data_format["inputs"]["image"] |= {
            "num_channels": len(sequences),
            "channel_def": {str(number): name for number, name in enumerate(sequences)},
        }
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


def _eval_metrics(summary: dict[str, Any]) -> dict[str, float]:
    """Return the means over the test cases, "tumour_dice" for example, of a summary as `medkd evaluate` writes it."""
    return {
        f"{name}_{metric}": round(float(entry["mean"]), 4)
        for name, metrics in summary.items()
        for metric, entry in metrics.items()
        if entry["mean"] is not None and math.isfinite(entry["mean"])
    }


def _release(package: str) -> str:
    """Return the version of a package without its build: 2.13.0 for 2.13.0+cpu."""
    return get_package_version(package).partition("+")[0]
