"""Dictionary transforms of the data pipelines: the task's classes out of raw labels, and checks that name the file."""

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

__all__ = ["TARGETS", "CheckImaged", "MapLabelsd", "class_names", "foreground_values", "target_values"]

TARGETS = ("tumour", "organ", "both")


def target_values(target: str, organ: int = 1, tumour: int = 2) -> dict[int, int]:
    """Return raw label value -> class for a task on data with an organ and a tumour in it (KiTS, LiTS).

    ``"tumour"``: the tumour is class 1, the organ background (the kidney tumour task of HLFD); ``"organ"``: organ with
    tumour is class 1; ``"both"``: organ 1, tumour 2.
    """
    if target not in TARGETS:
        raise ValueError(f"target {target!r} is unknown, expected one of {', '.join(TARGETS)}.")
    classes = {"tumour": (0, 1), "organ": (1, 1), "both": (1, 2)}[target]
    return {0: 0, organ: classes[0], tumour: classes[1]}


def foreground_values(target: str, organ: int = 1, tumour: int = 2) -> tuple[int, ...]:
    """Return the raw label values that are foreground in a task: ``SliceDataset(target=...)``."""
    return tuple(value for value, name in target_values(target, organ, tumour).items() if name > 0)


def class_names(target: str, organ: str = "organ") -> dict[int, str]:
    """Return class -> name of the foreground classes of a task; ``organ`` is what the organ is called."""
    values = target_values(target)
    return {1: "tumour"} if not values[1] else {1: organ} if values[1] == values[2] else {1: organ, 2: "tumour"}


class MapLabelsd(MapTransform):
    """Map raw label values to the classes of a task; dtype and meta data are kept.

    Works on numpy arrays, tensors and MetaTensors of any shape.

    Args:
        keys: keys of the labels.
        target: a word of ``target_values``, or the mapping raw value -> class itself.

    Raises:
        ValueError: when a label holds a value outside the mapping.
    """

    def __init__(
        self, keys: KeysCollection, target: str | Mapping[int, int] = "tumour", allow_missing_keys: bool = False
    ):
        super().__init__(keys, allow_missing_keys)
        self.values = target_values(target) if isinstance(target, str) else dict(target)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        item = dict(data)
        for key in self.key_iterator(item):
            label = item[key]
            known = reduce(or_, (label == value for value in self.values))
            if not bool(known.all()):
                found = float(label[~known].reshape(-1)[0])
                raise ValueError(
                    f"{image_name(item, key)}: label value {found:g} found, expected one of {sorted(self.values)}."
                )
            item[key] = MapLabelValue(list(self.values), list(self.values.values()), dtype=label.dtype)(label)
        return item


class CheckImaged(MapTransform):
    """Refuse channel-first images that no network can use, naming the file; images pass through unchanged.

    Args:
        keys: keys of images ``(C, *spatial)``.
        channels: number of channels expected; None: any.
        spatial_dims: number of spatial axes expected; None: any.

    Raises:
        ValueError: other number of axes (a 4-D NIfTI), other number of channels, NaN or infinite voxels.
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
        item = dict(data)
        for key in self.key_iterator(item):
            self._check(item[key], image_name(item, key))
        return item

    def _check(self, image: NdarrayOrTensor, name: str) -> None:
        shape = tuple(image.shape)
        if self.spatial_dims is not None and len(shape) - 1 != self.spatial_dims:
            raise ValueError(f"{name}: {len(shape) - 1} spatial axes in {shape}, expected {self.spatial_dims}.")
        if self.channels is not None and shape[0] != self.channels:
            raise ValueError(f"{name}: {shape[0]} channels in {shape}, expected {self.channels}.")
        voxels = torch.as_tensor(image)
        # NaN and infinity survive a sum, which needs no copy of a long volume; a sum may also be infinite by itself
        if not torch.isfinite(voxels.sum()) and (bad := int((~torch.isfinite(voxels)).sum())):
            raise ValueError(f"{name}: {bad} voxels are NaN or infinite, expected finite values.")


def image_name(item: Mapping[Hashable, Any], key: Hashable) -> str:
    """Name an image for a message: its file, else its case and slice, else its key."""
    value = item[key]
    if isinstance(value, MetaTensor) and value.meta.get(ImageMetaKey.FILENAME_OR_OBJ):
        return str(value.meta[ImageMetaKey.FILENAME_OR_OBJ])
    if "case" in item:
        return f"case {item['case']}" + (f", slice {item['slice']}" if "slice" in item else "") + f", {key}"
    return f"item[{key!r}]"
