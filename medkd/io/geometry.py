"""Sizes of volumes at another voxel spacing."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["size_at_spacing"]


def size_at_spacing(
    shape: Sequence[int], spacing: Sequence[float], target_spacing: Sequence[float] | None
) -> tuple[int, ...]:
    """Return the number of voxels on each axis after resampling to another spacing.

    Args:
        shape: voxels on each axis.
        spacing: voxel size in mm on the same axes.
        target_spacing: voxel size in mm after resampling; None keeps the shape.

    Returns:
        The nearest whole number of voxels that covers the same length, at least 1 on each axis.

    Raises:
        ValueError: when the three arguments do not have one value per axis each.

    Example:
        >>> size_at_spacing((40, 512, 512), (5.0, 0.75, 0.75), (2.5, 1.5, 1.5))
        (80, 256, 256)
    """
    if target_spacing is None:
        return tuple(shape)
    lengths = (voxels * mm for voxels, mm in zip(shape, spacing, strict=True))
    return tuple(max(1, round(length / mm)) for length, mm in zip(lengths, target_spacing, strict=True))
