"""3-D patches of stored volumes for training, half of them around the target, resampled to one spacing."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.data import Dataset
from monai.transforms import Randomizable, Transform
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import RandomSampler

from medkd.io import image_files, size_at_spacing

from .patch_maps import TOLERANCE, map_grid, native_size, read_patch_maps
from .unlabelled import epoch_indices, is_labelled
from .volume_store import read_region, read_slice

__all__ = ["RandStoredPatch", "cases_for_patches", "repeated_sampler"]

Entry = Mapping[str, Any]
_MULTIPLE = 16


def cases_for_patches(
    data: Sequence[Entry], roi_size: Sequence[int], spacing: Sequence[float] | None, target: Collection[int]
) -> list[Entry]:
    """Return the entries of a data list, after a check that patches of a size can be sampled from them.

    Args:
        data: entries with "shape" (voxels), "spacing" (mm) and, if they have labels, "slices_with".
        roi_size: slices, rows, columns of a patch.
        spacing: voxel size of the patches in mm; None: that of each volume.
        target: label values that patches are sampled around.

    Raises:
        ValueError: for a patch that is larger than every volume on an axis, after the volume is rounded up to a multiple
            of 16 (smaller volumes are padded); for sizes or spacings that are not three positive numbers; when no case
            holds the target.
    """
    _check_three("patch_size", roi_size)
    if spacing is not None:
        _check_three("spacing", spacing)
    if lacking := [entry["case"] for entry in data if not {"shape", "spacing"} <= entry.keys()]:
        raise ValueError(f"case {lacking[0]}: no 'shape' and 'spacing' in its entry; prepare the data set again")
    at = "" if spacing is None else f" at a spacing of {tuple(spacing)} mm"
    for axis, name in enumerate(("slices", "rows", "columns")):
        edges = {entry["case"]: size_at_spacing(entry["shape"], entry["spacing"], spacing)[axis] for entry in data}
        case = max(edges, key=lambda name: edges[name])
        largest = math.ceil(edges[case] / _MULTIPLE) * _MULTIPLE
        if roi_size[axis] > largest:
            raise ValueError(
                f"--patch_size {list(roi_size)}: {roi_size[axis]} {name} are more than any training volume has{at}: "
                f"expected {largest} at most (case {case}: {edges[case]})"
            )
    labelled = [entry for entry in data if is_labelled(entry)]
    if labelled and not any(_slices_with(entry, target) for entry in labelled):
        raise ValueError(f"no training case holds the target (label values {tuple(target)}): there is nothing to learn")
    return list(data)


def _check_three(name: str, numbers: Sequence[float]) -> None:
    is_list = isinstance(numbers, list | tuple) and len(numbers) == 3
    if not is_list or not all(isinstance(n, int | float) and n > 0 for n in numbers):
        raise ValueError(f"--{name}: found {numbers!r}, expected three positive numbers: slices, rows, columns")


def repeated_sampler(dataset: Dataset, times: int) -> RandomSampler:
    """Return a sampler that draws ``times`` items per item of an epoch, in random order by torch's global seed.

    Args:
        dataset: of cases, see `medkd.data.epoch_indices`.
        times: patches of a case.
    """
    items = epoch_indices(dataset)
    return RandomSampler(items, num_samples=times * len(items))


class RandStoredPatch(Randomizable, Transform):
    """Transform that reads a patch at a random position from the volume stores of an entry of the data list.

    The result is ``{"image": float32 (C, *roi_size), intensities as stored, "label": uint8 (1, *roi_size), label values as
    stored, "case": str}``, in plain tensors, and ``"labelled"`` as in the entry. Patches of an unlabelled case lie anywhere;
    their label is zeros, which nothing reads. A patch beyond the border of the volume is moved inside. On an axis where the
    volume is smaller, the patch is centred and padded. For another spacing the patch is interpolated (image trilinear, label
    nearest), without smoothing before. Where the entry names a store of "soft_labels", see `read_patch_maps`, those of the
    same patch are added: float16 (channels, *roi_size).

    Args:
        roi_size: slices, rows, columns of the patch.
        spacing: voxel size of the patch in mm, on the same axes; None: that of each volume.
        target: label values of the target.
        positive: share of patches whose centre is a target voxel. One of the case's target values is sampled, then one of
            its slices, then one of its voxels there. All other patches, and all of a case without target, lie anywhere.
        pad_value: intensity outside the volume; of several channels, one for each.
    """

    def __init__(
        self,
        roi_size: Sequence[int],
        spacing: Sequence[float] | None,
        target: Collection[int],
        positive: float = 0.5,
        pad_value: float | Sequence[float] = -1024,
    ) -> None:
        self.roi_size = tuple(roi_size)
        self.spacing = spacing
        self.target = tuple(target)
        self.positive = positive
        self.pad_values = [pad_value] if isinstance(pad_value, int | float) else list(pad_value)

    def __call__(self, entry: Entry) -> dict[str, Any]:
        """Return a random patch of the case of an entry."""
        size = native_size(self.roi_size, self.spacing, entry["spacing"])
        start = self._sample_start(entry, size)
        files = zip(image_files(entry["image"]), self.pad_values, strict=True)
        image = torch.cat([self._patch(path, entry["shape"], start, size, value).float() for path, value in files])
        has_label = is_labelled(entry)
        label = (
            self._patch(entry["label"], entry["shape"], start, size, 0)
            if has_label
            else torch.zeros(1, *size, dtype=torch.uint8)
        )
        scale = self._scale(entry, size)
        if scale is not None:
            image, label = (
                self._resample(voxels, scale, mode) for voxels, mode in ((image, "trilinear"), (label, "nearest-exact"))
            )
        flag = {"labelled": has_label} if "labelled" in entry else {}
        maps = {"soft_labels": self._read_maps(entry, start, scale)} if "soft_labels" in entry else {}
        return {"image": image, "label": label, **maps, "case": entry["case"], **flag}

    def _scale(self, entry: Entry, size: tuple[int, ...]) -> list[float] | None:
        """Return the voxels of the patch for each voxel of the volume; None if they are the same."""
        if self.spacing is None or size == self.roi_size:
            return None
        pairs = zip(entry["spacing"], self.spacing, size, strict=True)
        return [volume_mm / mm * (1 + TOLERANCE / n) for volume_mm, mm, n in pairs]

    def _read_maps(self, entry: Entry, start: Sequence[int], scale: list[float] | None) -> Tensor:
        grid = map_grid(entry["shape"], entry["spacing"], self.roi_size, self.spacing)
        step = [1.0] * 3 if scale is None else [1 / ratio for ratio in scale]
        return read_patch_maps(entry["soft_labels"], start, step, self.roi_size, grid)

    def _resample(self, voxels: Tensor, scale: list[float], mode: str) -> Tensor:
        """Interpolate by the ratio of the spacings: the ratio of the sizes would stretch a few thick slices."""
        slices, rows, columns = self.roi_size
        return F.interpolate(voxels[None], scale_factor=scale, mode=mode)[0][..., :slices, :rows, :columns]

    def _sample_start(self, entry: Entry, size: Sequence[int]) -> list[int]:
        """Return the first voxel of the patch on each axis; negative where the volume is smaller."""
        shape = entry["shape"]
        target = _slices_with(entry, self.target) if is_labelled(entry) else {}
        # Sampled for every patch: one random number more or less would shift all later ones.
        around_target = self.R.random_sample() < self.positive
        if target and around_target:
            centre = self._sample_target_voxel(entry, target)
            return [
                min(max(c - n // 2, 0), edge - n) if n <= edge else (edge - n) // 2
                for c, n, edge in zip(centre, size, shape, strict=True)
            ]
        return [
            self.R.randint(edge - n + 1) if n <= edge else (edge - n) // 2 for n, edge in zip(size, shape, strict=True)
        ]

    def _sample_target_voxel(self, entry: Entry, target: Mapping[int, Sequence[int]]) -> tuple[int, int, int]:
        value = list(target)[self.R.randint(len(target))]
        number = target[value][self.R.randint(len(target[value]))]
        rows, columns = np.nonzero(read_slice(entry["label"], number) == value)
        pick = self.R.randint(len(rows))
        return number, int(rows[pick]), int(columns[pick])

    @staticmethod
    def _patch(path: str, shape: Sequence[int], start: Sequence[int], size: Sequence[int], value: float) -> Tensor:
        inside = [(max(a, 0), min(a + n, edge)) for a, n, edge in zip(start, size, shape, strict=True)]
        slices, rows, columns = (slice(first, last) for first, last in inside)
        voxels = read_region(path, (slices, rows, columns))
        outside = [(f - a, a + n - b) for (f, b), a, n in zip(inside, start, size, strict=True)]
        return torch.from_numpy(np.pad(voxels, outside, constant_values=value))[None]


def _slices_with(entry: Entry, target: Collection[int]) -> dict[int, list[int]]:
    """Return target value -> the slices that hold it, for the target values in the case."""
    slices_of = {value: entry["slices_with"].get(str(value), []) for value in target}
    return {value: slices for value, slices in slices_of.items() if slices}
