"""Axes and spacing that an external 3-D network was trained with, and images turned to these axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from nibabel.orientations import axcodes2ornt, ornt_transform
from torch import Tensor

__all__ = ["AXCODES", "Axes", "Geometry", "Grid", "network_axes", "task_grid"]

# Directions of the axes of medkd's volumes, in the letters of nibabel: slices inferior, rows posterior, columns left.
AXCODES = "IPL"
# A note is printed if the larger spacing exceeds the smaller one by this factor.
_RATIO = 1.2


class Geometry(NamedTuple):
    """Axes and spacing of the volumes that a network was trained on."""

    axcodes: str = AXCODES
    """Directions of the axes, in the letters of nibabel; those of medkd if nothing is known."""
    is_known: bool = False
    """Whether the directions are certain."""
    spacing: Sequence[Any] | None = None
    """mm per voxel of the same axes; an entry that is no positive number keeps the file's spacing. None: not known."""
    patch_size: Sequence[Any] | None = None
    """Voxels of a patch, or window, on the same axes; None: not known."""


class Grid(NamedTuple):
    """Spacing and patch of a network, on the axes of medkd: slices, rows, columns."""

    spacing: Sequence[float | None] | None = None
    """mm per voxel, None on an axis that keeps the volume's own. None: those of the student."""
    patch_size: tuple[int, ...] | None = None
    """Voxels of a window; None: those of the student."""


@dataclass(frozen=True)
class Axes:
    """Turn images (N, C, S, H, W) of axes I, P, L to a network's axes, and maps of any size back. Nothing is interpolated.

    Args:
        axcodes: directions of the network's axes, in the letters of nibabel.

    Example:
        >>> import torch
        >>> axes = Axes("RAS")
        >>> axes.to_network(torch.zeros(1, 1, 4, 8, 16)).shape
        torch.Size([1, 1, 16, 8, 4])
    """

    axcodes: str

    @property
    def _orientation(self) -> np.ndarray:
        """For each axis of medkd: its index among the network's axes, and 1, or -1 if it is flipped."""
        return ornt_transform(axcodes2ornt(AXCODES), axcodes2ornt(self.axcodes)).astype(int)

    @property
    def _flipped_dims(self) -> list[int]:
        return [2 + axis for axis, (_, sign) in enumerate(self._orientation) if sign < 0]

    def axis_order(self) -> list[int]:
        """Return for each axis of medkd its index among the network's axes."""
        return self._orientation[:, 0].tolist()

    def to_network(self, image: Tensor) -> Tensor:
        """Return an image (N, C, S, H, W) with the network's axes."""
        order = (2 + int(axis) for axis in np.argsort(self.axis_order()))
        return image.flip(self._flipped_dims).permute(0, 1, *order)

    def from_network(self, maps: Tensor) -> Tensor:
        """Return maps (N, C, *spatial) of the network with the axes of medkd."""
        return maps.permute(0, 1, *(2 + index for index in self.axis_order())).flip(self._flipped_dims)


def network_axes(source: str, geometry: Geometry, spacing: Sequence[float] | None) -> Axes | None:
    """Return the axes that images are turned to; None if they are those of medkd.

    A note is printed if the directions are not known, or if the spacings differ.

    Args:
        source: name of the network in the notes.
        geometry: of the volumes that the network was trained on.
        spacing: mm per voxel of the task's slices, rows, columns; None: the volumes' own.
    """
    if not geometry.is_known:
        axcodes = ", ".join(geometry.axcodes)
        print(f"note: {source}: axis directions are not known, images are passed on as {axcodes}", flush=True)
    if spacing is not None and geometry.spacing is not None:
        trained = [geometry.spacing[index] for index in Axes(geometry.axcodes).axis_order()]
        if any(_differ(a, b) for a, b in zip(trained, spacing, strict=True)):
            print(
                f"note: {source}: trained at a spacing of {trained} mm (slices, rows, columns), this task has "
                f"{list(spacing)} (--spacing)",
                flush=True,
            )
    return None if geometry.axcodes == AXCODES else Axes(geometry.axcodes)


def task_grid(geometry: Geometry) -> Grid:
    """Return spacing and patch on the axes of medkd.

    Example:
        >>> task_grid(Geometry("RAS", True, (0.8, 0.8, 3.0), (96, 96, 32)))
        Grid(spacing=(3.0, 0.8, 0.8), patch_size=(32, 96, 96))
    """
    order = Axes(geometry.axcodes).axis_order()
    spacing = geometry.spacing and [mm if _is_positive(mm) else None for mm in geometry.spacing]
    patch = geometry.patch_size
    patch = (
        patch if patch is not None and len(patch) == 3 and all(_is_positive(n) and n == int(n) for n in patch) else None
    )
    return Grid(
        None if spacing is None else tuple(spacing[index] for index in order),
        None if patch is None else tuple(int(patch[index]) for index in order),
    )


def _is_positive(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


def _differ(trained: Any, task: float) -> bool:
    if not _is_positive(trained):
        return False
    return max(trained, task) > _RATIO * min(trained, task)
