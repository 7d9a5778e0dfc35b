"""Inferers: slices batch by batch, volumes slab by slab, folders case by case."""

from .cases import infer_each
from .slices import SliceBatchInferer
from .volumes import VolumeInferer

__all__ = ["SliceBatchInferer", "VolumeInferer", "infer_each"]
