"""Dictionary transforms: label values to classes of a task, and checks of images."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import reduce
from operator import or_
from typing import Any

import torch
from monai.config import KeysCollection, NdarrayOrTensor
from monai.data import MetaTensor
from monai.transforms import MapLabelValue, MapTransform
from monai.utils import ImageMetaKey

from medkd.runs.errors import counted

from .targets import target_values

__all__ = ["CheckImaged", "MapLabelsd"]


class MapLabelsd(MapTransform):
    """Dictionary transform that maps raw label values to the classes of a task; dtype and meta data are kept.

    Args:
        keys: keys of the labels: arrays, tensors or MetaTensors of any shape.
        target: a target of ``target_values``, or the mapping raw value -> class itself.
        allow_missing_keys: whether an item may lack a key.

    Raises:
        ValueError: when a label holds a value outside the mapping.
    """

    def __init__(
        self, keys: KeysCollection, target: str | Mapping[int, int] = "tumour", allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.values = target_values(target) if isinstance(target, str) else dict(target)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the item with mapped labels."""
        item = dict(data)
        for key in self.key_iterator(item):
            label = item[key]
            is_mapped = reduce(or_, (label == value for value in self.values))
            if not bool(is_mapped.all()):
                unknown = float(label[~is_mapped].reshape(-1)[0])
                raise ValueError(
                    f"{image_name(item, key)}: found label value {unknown:g}, expected one of {sorted(self.values)}"
                )
            item[key] = MapLabelValue(list(self.values), list(self.values.values()), dtype=label.dtype)(label)
        return item


class CheckImaged(MapTransform):
    """Dictionary transform that refuses images which no network can use, naming the file; others pass unchanged.

    Args:
        keys: keys of images ``(C, *spatial)``.
        channels: number of channels expected; None: any.
        spatial_dims: number of spatial axes expected; None: any.
        allow_missing_keys: whether an item may lack a key.

    Raises:
        ValueError: another number of axes (a 4-D NIfTI), another number of channels, NaN or infinite voxels.
    """

    def __init__(
        self,
        keys: KeysCollection,
        channels: int | None = None,
        spatial_dims: int | None = None,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.channels, self.spatial_dims = channels, spatial_dims

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the item unchanged, after the checks."""
        item = dict(data)
        for key in self.key_iterator(item):
            self._check(item[key], image_name(item, key))
        return item

    def _check(self, image: NdarrayOrTensor, name: str) -> None:
        shape = tuple(image.shape)
        if self.spatial_dims is not None and len(shape) - 1 != self.spatial_dims:
            # programs that hand over arrays may hand over one channel alone
            several = f" after an axis of {self.channels} channels" if (self.channels or 1) > 1 else ""
            raise ValueError(f"{name}: {len(shape) - 1} spatial axes in {shape}, expected {self.spatial_dims}{several}")
        if self.channels is not None and shape[0] != self.channels:
            raise ValueError(f"{name}: {counted(shape[0], 'channel')} in {shape}, expected {self.channels}")
        voxels = torch.as_tensor(image)
        # NaN and infinity survive a sum, which copies nothing. The sum of finite voxels may be infinite, too.
        if not torch.isfinite(voxels.sum()) and (bad := int((~torch.isfinite(voxels)).sum())):
            raise ValueError(f"{name}: {counted(bad, 'voxel')} with NaN or infinity, expected finite values")


def image_name(item: Mapping[Hashable, Any], key: Hashable) -> str:
    """Return a name of an image for messages: its file, else its case and slice, else its key."""
    value = item[key]
    if isinstance(value, MetaTensor) and value.meta.get(ImageMetaKey.FILENAME_OR_OBJ):
        return str(value.meta[ImageMetaKey.FILENAME_OR_OBJ])
    if "case" in item:
        return f"case {item['case']}" + (f", slice {item['slice']}" if "slice" in item else "") + f", {key}"
    return f"item[{key!r}]"
