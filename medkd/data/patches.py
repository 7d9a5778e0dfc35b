"""3-D patches out of stored volumes for training: half of them around the target, resampled to one spacing."""

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

from .volume_store import read_region, read_slice

__all__ = ["RandStoredPatch", "cases_for_patches", "native_size", "repeated_sampler"]

Entry = Mapping[str, Any]
_MULTIPLE = 16
_TOLERANCE = 1e-4  # of a voxel: spacings are rounded to six digits


def native_size(roi_size: Sequence[int], spacing: Sequence[float] | None, own: Sequence[float]) -> tuple[int, ...]:
    """Voxels of a volume with spacing ``own`` (mm) that a patch of ``roi_size`` voxels of ``spacing`` touches.

    ``spacing`` None means the volume's own.
    """
    wanted = own if spacing is None else spacing
    covered = (n * mm / mm_own for n, mm, mm_own in zip(roi_size, wanted, own, strict=True))
    return tuple(math.ceil(voxels - _TOLERANCE) for voxels in covered)


def cases_for_patches(
    data: Sequence[Entry], roi_size: Sequence[int], spacing: Sequence[float] | None, target: Collection[int]
) -> list[Entry]:
    """The entries of a data list, as they are, when patches of that size can be drawn from them.

    Args:
        data: entries with "shape" (voxels), "spacing" (mm) and "slices_with".
        roi_size: slices, rows, columns of a patch.
        spacing: of the patches in mm; None: each volume's own.
        target: label values that patches are drawn around.

    Raises:
        ValueError: for a patch that is larger than every volume along an axis, rounded up to a multiple of 16, which networks
            want (volumes that are smaller than that are padded); sizes or spacings that are not three positive numbers; and
            when no case holds the target.
    """
    _check_three("patch_size", roi_size)
    if spacing is not None:
        _check_three("spacing", spacing)
    at = "" if spacing is None else f" at a spacing of {tuple(spacing)} mm"
    for axis, name in enumerate(("slices", "rows", "columns")):
        edges = {e["case"]: e["shape"][axis] * (e["spacing"][axis] / spacing[axis] if spacing else 1) for e in data}
        case = max(edges, key=edges.get)
        largest = math.ceil(round(edges[case]) / _MULTIPLE) * _MULTIPLE
        if roi_size[axis] > largest:
            raise ValueError(
                f"--patch_size {list(roi_size)}: {roi_size[axis]} {name} are more than any training volume has{at}: "
                f"expected {largest} at most (case {case}: {round(edges[case])})"
            )
    if not any(_slices_with(entry, target) for entry in data):
        raise ValueError(f"no training case holds the target (label values {tuple(target)}): there is nothing to learn")
    return list(data)


def _check_three(name: str, numbers: Sequence[float]) -> None:
    is_list = isinstance(numbers, list | tuple) and len(numbers) == 3
    if not is_list or not all(isinstance(n, int | float) and n > 0 for n in numbers):
        raise ValueError(f"--{name}: found {numbers!r}, expected three positive numbers: slices, rows, columns")


def repeated_sampler(dataset: Dataset, times: int) -> RandomSampler:
    """Every item so many times an epoch, in random order; it follows torch's global seed."""
    return RandomSampler(dataset, num_samples=times * len(dataset))


class RandStoredPatch(Randomizable, Transform):
    """Reads a patch at a random place from the stores that an entry of a data list names.

    The item is ``{"image": float32 (1, *roi_size) as stored (HU), "label": uint8 (1, *roi_size) values as stored, "case"}``, in
    plain tensors. A patch that reaches over the volume's border is moved inside; where the volume is smaller, it is centred and
    padded. Of another spacing it is interpolated (image trilinear, label nearest), without smoothing before.

    Args:
        roi_size: slices, rows, columns.
        spacing: mm, in the same order; None: each volume's own.
        target: label values that are looked for.
        positive: share of patches whose centre is a target voxel: first one of the case's target values is drawn, then one of
            its slices, then one of its voxels there. All other patches lie anywhere. In a case without target all do.
        pad_value: of the image, where there is no volume.
    """

    def __init__(
        self,
        roi_size: Sequence[int],
        spacing: Sequence[float] | None,
        target: Collection[int],
        positive: float = 0.5,
        pad_value: float = -1024,
    ) -> None:
        self.roi_size = tuple(roi_size)
        self.spacing = spacing
        self.target = tuple(target)
        self.positive = positive
        self.pad_value = pad_value

    def __call__(self, entry: Entry) -> dict[str, Any]:
        size = native_size(self.roi_size, self.spacing, entry["spacing"])
        start = self._place(entry, size)
        image = self._patch(entry["image"], entry["shape"], start, size, self.pad_value).float()
        label = self._patch(entry["label"], entry["shape"], start, size, 0)
        if size != self.roi_size:
            image, label = (
                self._resampled(part, entry["spacing"], mode)
                for part, mode in ((image, "trilinear"), (label, "nearest-exact"))
            )
        return {"image": image, "label": label, "case": entry["case"]}

    def _resampled(self, part: Tensor, own: Sequence[float], mode: str) -> Tensor:
        """By the ratio of the spacings itself: by that of the sizes, a few thick slices would come out stretched."""
        scale = [
            mm / wanted * (1 + _TOLERANCE / n) for mm, wanted, n in zip(own, self.spacing, part.shape[1:], strict=True)
        ]
        return F.interpolate(part[None], scale_factor=scale, mode=mode)[0][(..., *map(slice, self.roi_size))]

    def _place(self, entry: Entry, size: Sequence[int]) -> list[int]:
        """First voxel of the patch on each axis; negative where the volume is smaller."""
        shape = entry["shape"]
        target = _slices_with(entry, self.target)
        # drawn in any case: one draw more or less would shift the rest
        around_target = self.R.random_sample() < self.positive
        if target and around_target:
            centre = self._target_voxel(entry, target)
            return [
                min(max(c - n // 2, 0), edge - n) if n <= edge else (edge - n) // 2
                for c, n, edge in zip(centre, size, shape, strict=True)
            ]
        return [
            self.R.randint(edge - n + 1) if n <= edge else (edge - n) // 2 for n, edge in zip(size, shape, strict=True)
        ]

    def _target_voxel(self, entry: Entry, target: Mapping[int, Sequence[int]]) -> tuple[int, int, int]:
        value = list(target)[self.R.randint(len(target))]
        number = target[value][self.R.randint(len(target[value]))]
        rows, columns = np.nonzero(read_slice(entry["label"], number) == value)
        pick = self.R.randint(len(rows))
        return number, int(rows[pick]), int(columns[pick])

    @staticmethod
    def _patch(path: str, shape: Sequence[int], start: Sequence[int], size: Sequence[int], value: float) -> Tensor:
        inside = [(max(a, 0), min(a + n, edge)) for a, n, edge in zip(start, size, shape, strict=True)]
        voxels = read_region(path, tuple(slice(first, last) for first, last in inside))
        outside = [(f - a, a + n - b) for (f, b), a, n in zip(inside, start, size, strict=True)]
        return torch.from_numpy(np.pad(voxels, outside, constant_values=value))[None]


def _slices_with(entry: Entry, target: Collection[int]) -> dict[int, list[int]]:
    """Target value -> the slices that hold it, of those that the case has."""
    found = {value: entry["slices_with"].get(str(value), []) for value in target}
    return {value: slices for value, slices in found.items() if slices}
