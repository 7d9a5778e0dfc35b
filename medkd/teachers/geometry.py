"""The axes and the spacing that a 3-D network from elsewhere was trained on, and ours turned to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from nibabel.orientations import axcodes2ornt, ornt_transform
from torch import Tensor

__all__ = ["OURS", "Axes", "Geometry", "own_axes"]

# Where the axes of our volumes point to: slices downwards, rows backwards, columns to the left.
OURS = "IPL"
# A spacing that differs by more is worth a word.
_RATIO = 1.2


class Geometry(NamedTuple):
    """Of the volumes that a network was trained on."""

    axcodes: str = OURS
    """Where its axes point to, in the letters of nibabel; ours where nothing is known."""
    is_known: bool = False
    """Whether the axes are certain."""
    spacing: Sequence[Any] | None = None
    """In mm, of the same axes; an axis without a positive number kept its own. None: not known."""


@dataclass(frozen=True)
class Axes:
    """Turns images (N, C, S, H, W) of axes I, P, L to other axes, and maps of any resolution back: nothing is interpolated."""

    axcodes: str

    @property
    def _ornt(self) -> np.ndarray:
        """For each of our axes: its place among the others, and 1 or -1, which flips it."""
        return ornt_transform(axcodes2ornt(OURS), axcodes2ornt(self.axcodes)).astype(int)

    @property
    def _flipped(self) -> list[int]:
        return [2 + axis for axis, (_, sign) in enumerate(self._ornt) if sign < 0]

    def places(self) -> list[int]:
        """For each of our axes, its place among the others."""
        return self._ornt[:, 0].tolist()

    def turn(self, image: Tensor) -> Tensor:
        return image.flip(self._flipped).permute(0, 1, *(2 + int(axis) for axis in np.argsort(self.places())))

    def turn_back(self, maps: Tensor) -> Tensor:
        return maps.permute(0, 1, *(2 + place for place in self.places())).flip(self._flipped)


def own_axes(source: str, geometry: Geometry, spacing: Sequence[float] | None) -> Axes | None:
    """What our volumes must be turned to; None where they need not be. What remains different, or unknown, a note tells.

    Args:
        source: what the notes call the network.
        geometry: of the volumes that it was trained on.
        spacing: of the task in mm: slices, rows, columns; None: the volumes' own.
    """
    if not geometry.is_known:
        print(
            f"note: where the axes that {source} was trained on point to is not known: it sees {', '.join(geometry.axcodes)}",
            flush=True,
        )
    axes = Axes(geometry.axcodes)
    if spacing is not None and geometry.spacing is not None:
        theirs = [geometry.spacing[place] for place in axes.places()]
        if any(_differ(a, b) for a, b in zip(theirs, spacing, strict=True)):
            print(
                f"note: {source} was trained at a spacing of {theirs} mm (slices, rows, columns), this task has "
                f"{list(spacing)} (--spacing)",
                flush=True,
            )
    return None if geometry.axcodes == OURS else axes


def _differ(theirs: Any, ours: float) -> bool:
    if not isinstance(theirs, int | float) or theirs <= 0:
        return False
    return max(theirs, ours) > _RATIO * min(theirs, ours)
