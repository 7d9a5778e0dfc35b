"""Inferers: slices batch by batch, volumes slab by slab, folders case by case.

Importing this package does not import torch: inference with an exported network reads `medkd.inferers.blending` without it.
"""

from typing import TYPE_CHECKING

from medkd.startup import lazy_names

if TYPE_CHECKING:
    from .case_by_case import infer_each
    from .kept_logits import keep_logits
    from .slice_batches import SliceBatchInferer
    from .volumes import VolumeInferer

__all__ = ["SliceBatchInferer", "VolumeInferer", "infer_each", "keep_logits"]

__getattr__ = lazy_names(__name__, __file__)
