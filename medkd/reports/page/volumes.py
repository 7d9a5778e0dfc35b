"""What a slice of a volume is shown with: directions, a scale bar, the box around the target, millilitres."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import nibabel as nib
import numpy as np
import pandas as pd
from monai.data import MetaTensor

from medkd.runs.errors import rounded

__all__ = ["Box", "Geometry", "geometry", "target_box", "volume_texts"]

_OPPOSITE = dict(zip("LRAPSI", "RLPAIS", strict=True))
_LENGTHS = (1, 2, 5, 10, 20, 50, 100, 200)  # mm of scale bars
_MARGIN = 0.2  # of the target's box, on each side


class Box(NamedTuple):
    """A part of a picture in pixels, with the scale bar that fits into it."""

    x: float
    y: float
    width: float
    height: float
    bar: float = 0.0
    """Pixels of the scale bar; 0 for none."""
    length: str = ""
    """The same in mm."""


class Geometry(NamedTuple):
    """The grid of a volume, whose axes are slices, rows and columns."""

    spacing: tuple[float, float, float]
    """mm along each axis."""
    letters: tuple[str, str, str, str]
    """Directions at the left, right, upper and lower edge of a slice."""

    @property
    def text(self) -> str:
        """The voxel size as columns, rows and slices."""
        return " × ".join(f"{edge:.3g}" for edge in reversed(self.spacing)) + " mm"


def geometry(image: Any, shape: tuple[int, ...]) -> Geometry | None:
    """Return the geometry of an image; None for pictures, and where image and label have different grids."""
    if not isinstance(image, MetaTensor) or len(shape) != 3 or tuple(image.shape[1:]) != shape:
        return None
    affine = np.asarray(image.affine, dtype=float)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    codes = nib.orientations.aff2axcodes(affine)
    if None in codes:
        return None
    down, right = codes[1], codes[2]
    slices, rows, columns = map(float, spacing)
    return Geometry((slices, rows, columns), (_OPPOSITE[right], right, _OPPOSITE[down], down))


def target_box(masks: Sequence[np.ndarray], grid: Geometry | None) -> tuple[Box, Box]:
    """Return the box of the whole picture, and that of all labels with a margin.

    Args:
        masks: labels (*spatial) of the ground truth and of predictions.
        grid: of a volume.
    """
    height, width = masks[0].shape[-2:]
    whole = _with_bar(Box(0, 0, width, height), grid)
    plane = np.any([(mask > 0).reshape(-1, height, width).any(axis=0) for mask in masks], axis=0)
    if not plane.any():
        return whole, whole
    ends = [np.flatnonzero(plane.any(axis=axis))[[0, -1]] for axis in (1, 0)]
    (top, bottom), (left, right) = ((int(low), int(high) + 1) for low, high in ends)
    edge = max(bottom - top, right - left, 8) * (1 + 2 * _MARGIN)
    edge_x, edge_y = min(edge, width), min(edge, height)
    x = min(max((left + right - edge_x) / 2, 0), width - edge_x)
    y = min(max((top + bottom - edge_y) / 2, 0), height - edge_y)
    return whole, _with_bar(Box(x, y, edge_x, edge_y), grid)


def _with_bar(box: Box, grid: Geometry | None) -> Box:
    """Add the longest scale bar that is at most a third of the box."""
    if grid is None:
        return box
    column = grid.spacing[2]
    fitting = [length for length in _LENGTHS if length / column <= box.width / 3]
    return box._replace(bar=fitting[-1] / column, length=f"{fitting[-1]} mm") if fitting else box


def volume_texts(tables: Mapping[str, pd.DataFrame], case: str) -> dict[str, str]:
    """Return the millilitres of all classes of a case: "" -> ground truth, row -> prediction of its run."""
    texts = {}
    for row, table in tables.items():
        lines = table[table["case"] == case]
        if not len(lines) or "volume_prediction" not in lines:
            continue
        texts[row] = f"{rounded(lines['volume_prediction'].sum())} ml"
        texts.setdefault("", f"{rounded(lines['volume_truth'].sum())} ml")
    return texts
