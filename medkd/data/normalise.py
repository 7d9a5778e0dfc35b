"""`medkd.io.normalise_channels` as a dictionary transform."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import convert_to_dst_type

from medkd.io import normalise_channels

from .transforms import image_name

__all__ = ["NormaliseCased"]


class NormaliseCased(MapTransform):
    """Dictionary transform that brings whole images to whole numbers in the range of int16, see `normalise_channels`.

    Args:
        keys: keys of images, of any shape; of several channels with the channel first.
        per_case: map the image's own 0.5 and 99.5 percentiles to 0 and 1000. False for images on a common scale (HU),
            which are only rounded. Of several channels: one for each.
        allow_missing_keys: whether an item may lack a key.

    Raises:
        ValueError: with ``per_case``, when both percentiles are equal; the message names the file or the case.
    """

    def __init__(
        self, keys: KeysCollection, per_case: bool | Sequence[bool] = True, allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.per_case = per_case

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the item with normalised images, float32."""
        item = dict(data)
        for key in self.key_iterator(item):
            try:
                whole = normalise_channels(np.asarray(item[key]), self.per_case)
            except ValueError as error:
                raise ValueError(f"{image_name(item, key)}: {error}") from None
            item[key] = convert_to_dst_type(whole, item[key], dtype=np.float32)[0]
        return item
