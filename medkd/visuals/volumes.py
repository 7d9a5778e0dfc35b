"""A scan with its label maps in three dimensions: slices, three planes, or a viewer where one can run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from medkd.io import read_volume_file

from ._drawing import PREDICTION, TRUTH, mark, outline, scaled, show

__all__ = ["planes_figure", "slices_figure", "view_volume"]

# In the order of the label maps; the names are colour maps of NiiVue.
_COLOURS = {"green": TRUTH, "red": PREDICTION, "blue": "#3d8bff"}
_OPACITY = 0.4
_PLANES = ("sagittal", "coronal", "axial")

Labels = Mapping[str, str | Path]


class _Volume(NamedTuple):
    """All of one grid, axes to the patient's right, front and head."""

    image: np.ndarray
    layers: dict[str, np.ndarray]  # boolean
    spacing: tuple[float, ...]


def slices_figure(
    scan: str | Path, labels: Labels, window: Sequence[float] | None = None, count: int = 6, title: str = ""
) -> Figure:
    """Axial slices from feet to head, evenly spread over what the first label map marks.

    Each label map is outlined in its colour, all its classes as one; all but the first are filled too. The patient's right is
    on the left, as radiologists look.

    Args:
        scan: a volume file, or the folder of a DICOM series.
        labels: title -> label map on the scan's grid, at most three; the truth first where there is one.
        window: intensities that are black and white; None takes the 0.5 and 99.5 percentiles.
        count: most slices.
        title: the case's name.

    Raises:
        ValueError: when there is no label map, more than three, or one is not on the scan's grid; files that cannot be read.
    """
    volume = _read(scan, labels, window)
    first = next(iter(volume.layers.values()))
    marked = np.flatnonzero(first.any(axis=(0, 1)) if first.any() else np.ones(first.shape[2], bool))
    chosen = np.unique(np.linspace(marked[0], marked[-1], min(count, len(marked))).round().astype(int))
    figure, axes = _figure([(volume, 2, index) for index in chosen])
    for axis, index in zip(axes, chosen, strict=True):
        _draw(axis, volume, 2, int(index), f"slice {index}")
    return _titled(figure, volume, title)


def planes_figure(scan: str | Path, labels: Labels, window: Sequence[float] | None = None, title: str = "") -> Figure:
    """Axial, coronal and sagittal plane, in true proportions, where the first label map marks most; see `slices_figure`."""
    volume = _read(scan, labels, window)
    first = next(iter(volume.layers.values()))
    # of an empty map the middle
    sums = [first.sum(axis=tuple({0, 1, 2} - {axis})) for axis in range(3)]
    places = [int(found.argmax()) if found.any() else len(found) // 2 for found in sums]
    order = (2, 1, 0)
    figure, axes = _figure([(volume, axis, places[axis]) for axis in order])
    for panel, axis in zip(axes, order, strict=True):
        _draw(panel, volume, axis, places[axis], f"{_PLANES[axis]}, {places[axis]}")
    return _titled(figure, volume, title)


def view_volume(
    scan: str | Path, labels: Labels, window: Sequence[float] | None = None, title: str = "", height: int = 420
) -> Any:
    """A viewer to turn and page (ipyniivue's `NiiVue`) where a widget can run, in a notebook's kernel; else `planes_figure`.

    Arguments and errors are those of `planes_figure`; the widget wants NIfTI files.

    Args:
        height: of the widget, pixels.
    """
    volume = _read(scan, labels, window)
    try:
        from ipyniivue import NiiVue, SliceType
        from IPython import get_ipython
    except ImportError:
        return planes_figure(scan, labels, window, title)
    shell = get_ipython()
    if shell is None or not hasattr(shell, "kernel"):
        return planes_figure(scan, labels, window, title)
    low, high = window if window is not None else _limits(volume.image)
    widget = NiiVue(height=height)
    layers = [
        {"path": str(path), "colormap": colour, "opacity": _OPACITY}
        for colour, path in zip(_COLOURS, labels.values(), strict=False)
    ]
    widget.load_volumes(
        [{"path": str(scan), "colormap": "gray", "cal_min": float(low), "cal_max": float(high)}, *layers]
    )
    widget.set_slice_type(SliceType.MULTIPLANAR)
    return widget


def _read(scan: str | Path, labels: Labels, window: Sequence[float] | None) -> _Volume:
    if not 1 <= len(labels) <= len(_COLOURS):
        raise ValueError(f"labels: found {len(labels)}, expected one to {len(_COLOURS)} titles with label maps")
    image, affine = read_volume_file(Path(scan))
    layers = {}
    for title, path in labels.items():
        found, own = read_volume_file(Path(path))
        if found.shape != image.shape or not np.allclose(own, affine, atol=1e-3):
            raise ValueError(f"{path}: {found.shape} voxels are not on the grid of {scan}, {image.shape}")
        layers[title] = _turned(found, affine) > 0
    low, high = window if window is not None else _limits(image)
    shown = np.clip((image.astype(np.float32) - low) / max(high - low, 1e-6), 0, 1)
    codes = nib.io_orientation(affine)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    turned = tuple(float(spacing[int(np.flatnonzero(codes[:, 0] == axis)[0])]) for axis in range(3))
    return _Volume(_turned(shown, affine), layers, turned)


def _limits(image: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(image, (0.5, 99.5))
    return float(low), float(high)


def _turned(array: np.ndarray, affine: np.ndarray) -> np.ndarray:
    return nib.apply_orientation(array, nib.io_orientation(affine))


def _plane(array: np.ndarray, axis: int, index: int) -> np.ndarray:
    """(rows, columns): head or front above, the patient's right on the left; in a sagittal plane the front."""
    plane = np.take(array, index, axis=axis).T[::-1]
    # R is larger where the axis runs to the right; columns of a sagittal plane run to the front
    return plane[:, ::-1]


def _figure(panels: list[tuple[_Volume, int, int]]) -> tuple[Figure, list[Axes]]:
    sizes = [
        np.array(_plane(volume.image, axis, index).shape) * _row_and_column(volume, axis)
        for volume, axis, index in panels
    ]
    width = [size[1] / size[0] for size in sizes]
    figure = Figure(figsize=(2.9 * sum(width) + 0.2, 3.7), layout="constrained")
    return figure, list(figure.subplots(1, len(panels), squeeze=False, width_ratios=width)[0])


def _row_and_column(volume: _Volume, axis: int) -> tuple[float, float]:
    """Mm of a row and a column."""
    column, row = (volume.spacing[other] for other in range(3) if other != axis)
    return row, column


def _draw(axes: Axes, volume: _Volume, axis: int, index: int, title: str) -> None:
    show(axes, scaled(_plane(volume.image, axis, index)[None], (0, 1)), title)
    row, column = _row_and_column(volume, axis)
    for number, (colour, layer) in enumerate(zip(_COLOURS.values(), volume.layers.values(), strict=False)):
        mask = _plane(layer, axis, index)
        if number:
            mark(axes, {colour: mask}, alpha=_OPACITY / 2)
        outline(axes, mask, colour)
    axes.set_aspect(row / column)


def _titled(figure: Figure, volume: _Volume, title: str) -> Figure:
    lines = [Line2D([], [], color=colour) for colour, _ in zip(_COLOURS.values(), volume.layers, strict=False)]
    figure.legend(lines, list(volume.layers), loc="outside lower center", ncols=len(lines), frameon=False, fontsize=10)
    figure.suptitle(title, fontsize=10)
    return figure
