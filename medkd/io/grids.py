"""Voxel grids: whether two are the same, and turning a volume onto the axes of another."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import nibabel as nib
import numpy as np

__all__ = ["SHIFT_TOLERANCE", "has_volume", "is_placeholder", "largest_shift", "onto_axes"]

# Voxels. Files round positions and angles (quaternions most), which moves far corners. Below half a voxel the nearest
# voxel of the other grid is the one of the same index.
SHIFT_TOLERANCE = 0.25


def has_volume(affine: np.ndarray) -> bool:
    """Return whether an affine ``(4, 4)`` is finite and its three axes span a volume, at any size of the voxel."""
    if not np.isfinite(affine).all():
        return False
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    return bool(sizes.min() > 0 and abs(np.linalg.det(affine[:3, :3] / sizes)) > 1e-4)


def largest_shift(affine: np.ndarray, other: np.ndarray, shape: Sequence[int]) -> float:
    """Return how far the corners of a grid lie apart under two affines, in voxels of the first one.

    Args:
        affine: ``(4, 4)``, voxel indices to mm.
        other: ``(4, 4)``, voxel indices to mm.
        shape: voxels on each axis.

    Example:
        >>> largest_shift(np.diag([2.0, 2, 2, 1]), np.diag([2.0, 2, 2.02, 1]), (10, 10, 101)).round(3)
        np.float64(1.0)
    """
    corners = np.array([(*corner, 1) for corner in itertools.product(*((0, length - 1) for length in shape))]).T
    shift = np.linalg.solve(affine, other @ corners) - corners
    return np.abs(shift[:3]).max()


def onto_axes(array: np.ndarray, affine: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Permute and flip the axes of a volume to those of another affine; nothing is interpolated.

    Args:
        array: ``(i, j, k)``.
        affine: ``(4, 4)`` of the array.
        target: ``(4, 4)``, the affine whose axes the result has.

    Returns:
        The array on the other axes, and its affine.
    """
    change = nib.io_orientation(np.linalg.solve(target, affine))
    return nib.apply_orientation(array, change), affine @ nib.orientations.inv_ornt_aff(change, array.shape)


def is_placeholder(affine: np.ndarray) -> bool:
    """Return whether an affine is the identity, of RAS or LPS: what programs write that know no geometry."""
    return any(np.array_equal(affine, np.diag([sign, sign, 1, 1])) for sign in (1, -1))
