"""Soft labels of a patch, out of maps of the whole volume at the voxel spacing of the patches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from medkd.io import size_at_spacing
from medkd.io.paths import PathLike

from .volume_store import read_maps

__all__ = ["MapGrid", "map_grid", "native_size", "read_patch_maps"]

TOLERANCE = 1e-4  # of a voxel: spacings are rounded to six digits
# Positions this near to voxels are taken for them, so that equal grids are read without interpolation.
_SAME_POSITION = 1e-2


class MapGrid(NamedTuple):
    """Where the maps of a volume lie, which hold the padding of patches that are larger than the volume."""

    before: tuple[int, ...]
    """Voxels of the volume's own spacing that are added in front of each axis."""
    padded: tuple[int, ...]
    """Voxels of the padded volume, at its own spacing."""
    size: tuple[int, ...]
    """Voxels of the maps."""


def native_size(
    roi_size: Sequence[int], spacing: Sequence[float] | None, volume_spacing: Sequence[float]
) -> tuple[int, ...]:
    """Return the voxels of a volume that a patch covers.

    Args:
        roi_size: voxels of the patch on each axis.
        spacing: voxel size of the patch in mm; None: that of the volume.
        volume_spacing: voxel size of the volume in mm.

    Example:
        >>> native_size((16, 64, 64), (3.0, 1.5, 1.5), (5.0, 0.75, 0.75))
        (10, 128, 128)
    """
    if spacing is None:
        return tuple(roi_size)
    # Rounded up, unlike size_at_spacing: a patch must not end before its last voxel.
    covered = (n * mm / volume_mm for n, mm, volume_mm in zip(roi_size, spacing, volume_spacing, strict=True))
    return tuple(math.ceil(voxels - TOLERANCE) for voxels in covered)


def map_grid(
    shape: Sequence[int],
    volume_spacing: Sequence[float],
    roi_size: Sequence[int],
    spacing: Sequence[float] | None,
) -> MapGrid:
    """Return the grid of a volume's maps: at the spacing of the patches, and padded as these are.

    Args:
        shape: voxels of the volume.
        volume_spacing: voxel size of the volume in mm.
        roi_size: voxels of a patch.
        spacing: voxel size of the patch in mm; None: that of the volume.

    Example:
        >>> map_grid((10, 100, 100), (5.0, 0.75, 0.75), (16, 64, 64), (2.5, 1.5, 1.5))
        MapGrid(before=(0, 14, 14), padded=(10, 128, 128), size=(20, 64, 64))
    """
    size = native_size(roi_size, spacing, volume_spacing)
    before = tuple(max(0, -((edge - n) // 2)) for n, edge in zip(size, shape, strict=True))
    padded = tuple(max(n, edge) for n, edge in zip(size, shape, strict=True))
    return MapGrid(before, padded, size_at_spacing(padded, volume_spacing, spacing))


def read_patch_maps(
    path: PathLike, start: Sequence[int], step: Sequence[float], roi_size: Sequence[int], grid: MapGrid
) -> Tensor:
    """Return the maps (C, *roi_size) of a patch in half precision, interpolated linearly where grids differ.

    Args:
        path: store of the volume's maps.
        start: first voxel of the patch in the volume, negative where the patch is padded.
        step: voxels of the volume from one voxel of the patch to the next, on each axis.
        roi_size: voxels of the patch.
        grid: of the maps.

    Raises:
        ValueError: for a damaged store.
    """
    positions = [
        ((first + before + (np.arange(n) + 0.5) * mm) * size / padded - 0.5).clip(0, size - 1)
        for first, before, n, mm, size, padded in zip(
            start, grid.before, roi_size, step, grid.size, grid.padded, strict=True
        )
    ]
    positions = [_snap(position) for position in positions]
    low = [int(position[0]) for position in positions]
    slices, rows, columns = (
        slice(first, math.ceil(position[-1]) + 1) for first, position in zip(low, positions, strict=True)
    )
    try:
        array = read_maps(path, (slices, rows, columns))
    except ValueError as error:
        raise ValueError(f"{error}: remove it, the same command computes it again") from None
    maps = torch.from_numpy(np.ascontiguousarray(array))
    for axis, (position, first) in enumerate(zip(positions, low, strict=True), start=1):
        maps = _interpolate(maps, axis, position - first)
    return maps.half()


def _snap(positions: np.ndarray) -> np.ndarray:
    nearest = positions.round()
    return nearest if np.abs(positions - nearest).max() < _SAME_POSITION else positions


def _interpolate(maps: Tensor, axis: int, positions: np.ndarray) -> Tensor:
    """Return the maps at positions along an axis, of which the first lies in the first voxel."""
    low = np.floor(positions).astype(np.int64)
    share = positions - low
    if np.array_equal(low, np.arange(maps.shape[axis])) and not share.any():
        return maps
    first = maps.index_select(axis, torch.from_numpy(low)).float()
    if not share.any():
        return first
    second = maps.index_select(axis, torch.from_numpy(np.minimum(low + 1, maps.shape[axis] - 1))).float()
    shares = torch.from_numpy(share.astype(np.float32)).reshape(-1, *[1] * (maps.ndim - 1 - axis))
    return first.lerp_(second, shares)
