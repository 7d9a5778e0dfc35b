"""Inferers: slices batch by batch, volumes slab by slab, folders case by case.

Importing this package does not import torch: inference with an exported network reads `medkd.inferers.blending` without it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .case_by_case import infer_each
    from .kept_logits import keep_logits
    from .slice_batches import SliceBatchInferer
    from .volumes import VolumeInferer

__all__ = ["SliceBatchInferer", "VolumeInferer", "infer_each", "keep_logits"]

_LAZY = {
    "SliceBatchInferer": "slice_batches",
    "VolumeInferer": "volumes",
    "infer_each": "case_by_case",
    "keep_logits": "kept_logits",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f".{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
