"""Tell before the first step of a training that its validation of whole volumes will not fit into memory."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from monai.engines import SupervisedEvaluator
from torch import nn
from torch.func import functional_call

from medkd.io.geometry import size_at_spacing

__all__ = ["note_of_validation", "validation_bytes"]

_GIB = 2**30
_FLOAT = 4  # bytes


def note_of_validation(evaluator: SupervisedEvaluator, shape: Sequence[int], free: int) -> str:
    """Return a note if the largest validation volume needs more memory than is free; an empty text if not.

    Sizes are those that the data list has of the files' headers. Nothing is read, and nothing runs.

    Args:
        evaluator: of the validation.
        shape: of a batch of the training, (N, C, *spatial).
        free: bytes on the device.
    """
    entries = getattr(getattr(evaluator.data_loader, "dataset", None), "data", None) or []
    volumes = [entry for entry in entries if isinstance(entry, Mapping) and len(entry.get("shape") or ()) == 3]
    if not volumes:
        return ""
    largest = max(volumes, key=lambda entry: math.prod(entry["shape"]))
    try:
        classes = _count_classes(evaluator.network, shape)
    except Exception:  # whatever a foreign network raises without content: it is no error of the training
        return ""
    needed = validation_bytes(largest, shape[1], classes, evaluator.inferer)
    if needed <= free:
        return ""
    size = " x ".join(map(str, largest["shape"]))
    return (
        f"note: the validation of {largest['case']} ({size} voxels, {classes} classes) needs {needed / _GIB:.1f} GiB or more, "
        f"{free / _GIB:.1f} GiB are free: it will not fit into memory; a coarser --spacing (3-D) or a crop of this volume "
        "lowers it"
    )


def validation_bytes(entry: Mapping[str, Any], channels: int, classes: int, inferer: Any) -> int:
    """Return the bytes that the prediction of a volume needs at least, beside the network.

    Counted are the image as it is loaded and as the device holds it, that at the spacing of the network, and what the inferer
    keeps: labels and the logits of one slab of windows where it decides at once, else the logits of the whole volume twice,
    as MONAI's sliding windows need.

    Args:
        entry: of the data list, with "shape" (slices, rows, columns) and "spacing".
        channels: of the image.
        classes: channels of the logits.
        inferer: of the validation.

    Example:
        >>> from medkd.inferers import SliceBatchInferer
        >>> inferer = SliceBatchInferer((64, 64), sw_batch_size=2, decide=lambda logits: logits.argmax(0))
        >>> validation_bytes({"shape": (10, 64, 64)}, 1, 3, inferer)
        466944
    """
    shape = tuple(entry["shape"])
    voxels = math.prod(shape)
    image = 2 * _FLOAT * channels * voxels
    windows, spacing = getattr(inferer, "windows", None), getattr(inferer, "spacing", None)
    size = shape if spacing is None else size_at_spacing(shape, entry["spacing"], spacing)
    if size != shape:
        image += _FLOAT * channels * math.prod(size)
    if getattr(inferer, "decide", None) is None:
        return image + 2 * _FLOAT * classes * voxels
    slices = windows.size[0] if windows is not None else getattr(inferer.slices, "sw_batch_size", 1)
    slab = _FLOAT * classes * min(slices, size[0]) * math.prod(size[1:])
    return image + voxels + (2 if windows is not None else 1) * slab


def _count_classes(network: nn.Module, shape: Sequence[int]) -> int:
    """Return the channels of the logits for images of a shape, on PyTorch's meta device: nothing is computed."""
    named = (*network.named_parameters(), *network.named_buffers())
    tensors = {name: torch.empty_like(value, device="meta") for name, value in named}
    with torch.no_grad():
        return int(functional_call(network, tensors, (torch.empty(tuple(shape), device="meta"),)).shape[1])
