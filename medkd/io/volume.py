"""A volume in memory, and the checks that every format passes."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from .grids import has_volume, is_placeholder

__all__ = ["Volume", "checked_volume"]


class Volume(NamedTuple):
    """Voxels and their place.

    Attributes:
        array: ``(i, j, k)``, rescaled as the file says.
        affine: ``(4, 4)``, voxel indices to mm in RAS+.
        notes: sentences on what was guessed, converted or skipped, for the user.
    """

    array: np.ndarray
    affine: np.ndarray
    notes: tuple[str, ...] = ()


def checked_volume(path: Path, volume: Volume) -> Volume:
    """Return a volume of three axes with real numbers in native byte order.

    Raises:
        ValueError: for other than three axes, voxels that are no real numbers, or an affine without a volume.
    """
    array, affine, notes = volume
    while array.ndim > 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim != 3 or 0 in array.shape:
        advice = ": medkd prepare nifti --channels reads channels; write time points to files of their own"
        advice = advice if array.ndim > 3 else ""
        raise ValueError(f"{path} has shape {array.shape}, expected three axes{advice}")
    if array.dtype.kind not in "iuf":
        content = {"c": "complex numbers", "V": "colours"}.get(array.dtype.kind, str(array.dtype))
        raise ValueError(f"{path} has voxels of type {array.dtype} ({content}), expected real numbers")
    if not has_volume(affine):
        raise ValueError(f"{path} has an affine without a volume or with NaN: {affine[:3].tolist()}")
    if is_placeholder(affine) and _is_stack(array.shape):
        notes = (*notes, _placeholder_note(array.shape))
    array = array.astype(np.float64) if array.dtype.itemsize > 8 else array  # torch has no longer numbers
    return Volume(array.astype(array.dtype.newbyteorder("="), copy=False), affine, notes)


def _is_stack(shape: tuple[int, ...]) -> bool:
    """Return whether a shape is that of a stack of slices, whose voxels are seldom cubes: square slices, or few of them."""
    return shape[0] == shape[1] or shape[1] == shape[2] or max(shape) >= 2 * min(shape)


def _placeholder_note(shape: tuple[int, ...]) -> str:
    note = "the affine is the identity (voxels of 1 mm, no origin), often a placeholder: mm, ml, left and right may be wrong"
    if shape[0] < min(shape[1:]):
        note += f"; shape {shape} looks like slices first, which are then read from right to left"
    return note
