"""Intensities without a common scale (MR): each case by its own percentiles, alike in preparation and inference."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.transforms import MapTransform, ScaleIntensityRangePercentiles
from monai.utils import convert_to_dst_type

from .transforms import image_name

__all__ = ["NormaliseCased"]

PERCENTILES = (0.5, 99.5)
RANGE = (0, 1000)
INT16 = np.iinfo(np.int16)


class NormaliseCased(MapTransform):
    """Bring whole images (any shape) to whole numbers in the range of int16, as volume stores hold them.

    Args:
        keys: keys of images.
        per_case: map the image's own 0.5 and 99.5 percentiles to 0 and 1000, what lies outside keeps its distance; False
            for images with a scale of their own (HU), which are rounded alone.

    Raises:
        ValueError: with ``per_case``, when both percentiles are the same number: there is nothing to scale.
    """

    def __init__(self, keys: KeysCollection, per_case: bool = True, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.scale = ScaleIntensityRangePercentiles(*PERCENTILES, *RANGE, clip=False) if per_case else None

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        item = dict(data)
        for key in self.key_iterator(item):
            # numpy's percentiles and float32 whatever comes in: a stored case and one read later agree voxel for voxel
            array = np.asarray(item[key], dtype=np.float32)
            if self.scale is not None:
                low, high = np.percentile(array, PERCENTILES)
                if not low < high:
                    raise ValueError(f"{image_name(item, key)}: nearly all voxels are {low:g}: nothing to scale.")
                array = np.asarray(self.scale(array))
            whole = np.clip(np.rint(array), INT16.min, INT16.max)
            item[key] = convert_to_dst_type(whole, item[key], dtype=np.float32)[0]
        return item
