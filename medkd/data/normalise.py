"""`medkd.io.normalise_case` for MONAI's pipelines."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import convert_to_dst_type

from medkd.io import normalise_case

from .transforms import image_name

__all__ = ["NormaliseCased"]


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
        self.per_case = per_case

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        item = dict(data)
        for key in self.key_iterator(item):
            try:
                whole = normalise_case(np.asarray(item[key]), self.per_case)
            except ValueError as error:
                raise ValueError(f"{image_name(item, key)}: {error}") from None
            item[key] = convert_to_dst_type(whole, item[key], dtype=np.float32)[0]
        return item
