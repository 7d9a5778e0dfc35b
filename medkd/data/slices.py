"""Axial slices of stored volumes as a dataset for 2-D training, and a sampler that balances target slices."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.data import Dataset
from monai.transforms import apply_transform
from torch.utils.data import RandomSampler, Sampler, WeightedRandomSampler

from medkd.io import image_files

from .unlabelled import epoch_indices, is_labelled
from .volume_store import read_slice, volume_shape

__all__ = ["SliceDataset", "balanced_sampler"]


class SliceDataset(Dataset):
    """Dataset whose items are axial slices, each read from the volume stores on access.

    An item is ``{"image": float32 (C, H, W), intensities as stored, "label": uint8 (1, H, W), label values as stored,
    "case": str, "slice": int}``. Values are plain tensors: 2-D training needs no affine and no meta data.

    Args:
        data: entries of a data list with absolute paths (``load_datalist``). All slices of an unlabelled case are items, with
            a label of zeros that nothing reads, and with ``"labelled"`` as in the entry.
        transform: transform of an item, e.g. a MONAI ``Compose``.
        target: label values that make a slice a target slice.
        slices: ``"all"``, or ``"target"``: only target slices; the data list names them.

    Raises:
        ValueError: for unknown ``slices``, an entry without ``slices_with``, no slice at all.
    """

    def __init__(
        self,
        data: Sequence[Mapping[str, Any]],
        transform: Callable[[dict[str, Any]], Any] | None = None,
        target: Collection[int] = (2,),
        slices: str = "all",
    ) -> None:
        if slices not in ("all", "target"):
            raise ValueError(f"SliceDataset: slices={slices!r}, expected 'all' or 'target'")
        index: list[tuple[Mapping[str, Any], int]] = []
        self.has_target: list[bool] = []  # of each item
        for entry in data:
            with_target = _slices_with(entry, target) if is_labelled(entry) else set()
            depth = entry["shape"][0] if "shape" in entry else volume_shape(image_files(entry["image"])[0])[0]
            for number in sorted(with_target) if slices == "target" and is_labelled(entry) else range(depth):
                index.append((entry, number))
                self.has_target.append(number in with_target)
        if not index:
            raise ValueError(
                f"SliceDataset: no slice in {len(data)} cases (slices={slices!r}, target values {tuple(target)})"
            )
        super().__init__(data=index, transform=transform)

    def _transform(self, index: int) -> Any:
        entry, number = self.data[index]
        image = torch.from_numpy(np.stack([read_slice(p, number) for p in image_files(entry["image"])])).float()
        item = {
            "image": image,
            "label": torch.from_numpy(read_slice(entry["label"], number))[None]
            if is_labelled(entry)
            else torch.zeros(1, *image.shape[1:], dtype=torch.uint8),
            "case": entry["case"],
            "slice": number,
            **({"labelled": entry["labelled"]} if "labelled" in entry else {}),
        }
        return item if self.transform is None else apply_transform(self.transform, item)


def _slices_with(entry: Mapping[str, Any], target: Collection[int]) -> set[int]:
    if "slices_with" not in entry:
        raise ValueError(f"case {entry.get('case')}: no 'slices_with' in its entry; prepare the data set again")
    return {number for value in target for number in entry["slices_with"].get(str(value), [])}


def balanced_sampler(dataset: SliceDataset) -> Sampler[int]:
    """Return a sampler that draws slices with and without target equally often.

    It draws twice as many slices as there are target slices, and at most all slices. Where every slice holds a target,
    each is drawn once, in random order. The order follows torch's global seed. Slices of unlabelled cases are left out; if all
    cases are unlabelled, each slice is drawn once.

    Raises:
        ValueError: when no slice holds a target: there is nothing to learn.
    """
    items = epoch_indices(dataset)
    has_target = dataset.has_target[: len(items)]
    positive = sum(has_target)
    negative = len(items) - positive
    if not is_labelled(dataset.data[0][0]):
        return RandomSampler(dataset)
    if not positive:
        raise ValueError(
            f"no training slice holds the target (0 of {negative}): was --label_values correct in prepare?"
        )
    if not negative:
        return RandomSampler(items)
    weights = [1.0 / positive if is_positive else 1.0 / negative for is_positive in has_target]
    return WeightedRandomSampler(weights, num_samples=min(len(items), 2 * positive))
