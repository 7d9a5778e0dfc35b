"""`medkd.io.remove_components` as a dictionary transform."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform
from monai.utils import convert_to_dst_type

from medkd.io import remove_components, voxel_volume

__all__ = ["RemoveComponentsd"]


class RemoveComponentsd(MapTransform):
    """Dictionary transform that removes connected components of predicted labels, see `medkd.io.remove_components`.

    The labels before the removal are added to the item under the key with "_raw" at its end: tables compare both.

    Args:
        keys: keys of labels ``(1, *spatial)``, uint8, of whole cases on their own grid. MetaTensors have the affine that gives
            the volume of a voxel.
        largest: whether to keep the largest component of each class only.
        min_volume: components below this volume are removed: ml, or pixels of pictures (two spatial axes).

    Raises:
        ValueError: for a volume below 0.
    """

    def __init__(self, keys: KeysCollection, largest: bool = False, min_volume: float = 0.0) -> None:
        super().__init__(keys)
        if min_volume < 0:
            raise ValueError(f"--min_volume: found {min_volume}, expected a number from 0 on")
        self.largest, self.min_volume = largest, min_volume

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the item with cleaned labels, and the labels as they were."""
        item = dict(data)
        for key in self.key_iterator(item) if self.largest or self.min_volume else ():
            labels = item[key]
            array = torch.as_tensor(labels).cpu().numpy()[0]
            affine = labels.affine.cpu().numpy() if isinstance(labels, MetaTensor) else None
            volume = voxel_volume(affine, array.ndim)
            cleaned = remove_components(array, self.largest, self.min_volume, volume)[None]
            item[f"{key}_raw"] = labels
            item[key], *_ = convert_to_dst_type(cleaned, labels)
        return item
