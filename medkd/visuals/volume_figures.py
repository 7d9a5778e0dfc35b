"""A scan with label maps in three dimensions: slices, three planes, or an interactive viewer."""

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

from ._panels import FALSE_NEGATIVE, FALSE_POSITIVE, TRUTH, colour_masks, outline_mask, scale_to_unit, show_picture

__all__ = ["planes_figure", "slices_figure", "view_volume"]

# in the order of the label maps; the names are those of NiiVue's colour maps
_COLOURS = {"gold": TRUTH, "red": FALSE_NEGATIVE, "blue": FALSE_POSITIVE}
_OPACITY = 0.4
_PLANES = ("sagittal", "coronal", "axial")

Labels = Mapping[str, str | Path]


class _Volume(NamedTuple):
    """A scan and its label maps on one grid. The axes run to the patient's right, front and head."""

    image: np.ndarray
    masks: dict[str, np.ndarray]
    spacing: tuple[float, ...]
    """Of the three axes, mm."""


def slices_figure(
    scan: str | Path, labels: Labels, window: Sequence[float] | None = None, count: int = 6, title: str = ""
) -> Figure:
    """Return a figure of axial slices from feet to head, spread evenly over the foreground of the first label map.

    Each label map is outlined in its colour, with all its classes as one; all maps except the first are filled too. The
    patient's right is on the left, as in radiology.

    Args:
        scan: a volume file, or the folder of a DICOM series.
        labels: title -> label map on the grid of the scan, one to three; the ground truth first if there is one.
        window: intensities that are black and white; None: the 0.5 and 99.5 percentiles.
        count: number of slices at most.
        title: name of the case.

    Raises:
        ValueError: if there is no label map or more than three, a map is not on the grid of the scan, or a file cannot be
            read.
    """
    volume = _read(scan, labels, window)
    first = next(iter(volume.masks.values()))
    slices = np.flatnonzero(first.any(axis=(0, 1)) if first.any() else np.ones(first.shape[2], bool))
    indices = np.unique(np.linspace(slices[0], slices[-1], min(count, len(slices))).round().astype(int)).tolist()
    figure, panels = _layout(volume, [(2, index) for index in indices])
    for axes, index in zip(panels, indices, strict=True):
        _show_plane(axes, volume, 2, index, f"slice {index}")
    return _add_legend(figure, volume, title)


def planes_figure(scan: str | Path, labels: Labels, window: Sequence[float] | None = None, title: str = "") -> Figure:
    """Return a figure of the axial, coronal and sagittal plane with most foreground of the first label map.

    Proportions are true. Arguments, colours and errors are those of `slices_figure`.
    """
    volume = _read(scan, labels, window)
    first = next(iter(volume.masks.values()))
    counts = [first.sum(axis=tuple({0, 1, 2} - {axis})) for axis in range(3)]
    indices = [int(count.argmax()) if count.any() else len(count) // 2 for count in counts]
    order = (2, 1, 0)
    figure, panels = _layout(volume, [(axis, indices[axis]) for axis in order])
    for axes, axis in zip(panels, order, strict=True):
        _show_plane(axes, volume, axis, indices[axis], f"{_PLANES[axis]}, {indices[axis]}")
    return _add_legend(figure, volume, title)


def view_volume(
    scan: str | Path, labels: Labels, window: Sequence[float] | None = None, title: str = "", height: int = 420
) -> Any:
    """Return an interactive viewer (ipyniivue's `NiiVue`) in a notebook, else `planes_figure`.

    The other arguments and the errors are those of `planes_figure`. The viewer needs NIfTI files.

    Args:
        scan: a volume file.
        labels: title -> label map.
        window: intensities that are black and white.
        title: name of the case.
        height: of the viewer in pixels.
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
    low, high = window if window is not None else _percentiles(volume.image)
    viewer = NiiVue(height=height)
    layers = [
        {"path": str(path), "colormap": colour, "opacity": _OPACITY}
        for colour, path in zip(_COLOURS, labels.values(), strict=False)
    ]
    viewer.load_volumes(
        [{"path": str(scan), "colormap": "gray", "cal_min": float(low), "cal_max": float(high)}, *layers]
    )
    viewer.set_slice_type(SliceType.MULTIPLANAR)
    return viewer


def _read(scan: str | Path, labels: Labels, window: Sequence[float] | None) -> _Volume:
    if not 1 <= len(labels) <= len(_COLOURS):
        raise ValueError(f"found {len(labels)} label maps, expected one to {len(_COLOURS)} titles with label maps")
    image, affine = read_volume_file(Path(scan))
    masks = {}
    for title, path in labels.items():
        label, label_affine = read_volume_file(Path(path))
        if label.shape != image.shape or not np.allclose(label_affine, affine, atol=1e-3):
            raise ValueError(f"{path}: {label.shape} voxels are not on the grid of {scan}, {image.shape}")
        masks[title] = _reorient(label, affine) > 0
    low, high = window if window is not None else _percentiles(image)
    intensities = np.clip((image.astype(np.float32) - low) / max(high - low, 1e-6), 0, 1)
    orientation = nib.io_orientation(affine)
    file_spacing = np.linalg.norm(affine[:3, :3], axis=0)
    spacing = tuple(float(file_spacing[int(np.flatnonzero(orientation[:, 0] == axis)[0])]) for axis in range(3))
    return _Volume(_reorient(intensities, affine), masks, spacing)


def _percentiles(image: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(image, (0.5, 99.5))
    return float(low), float(high)


def _reorient(array: np.ndarray, affine: np.ndarray) -> np.ndarray:
    return nib.apply_orientation(array, nib.io_orientation(affine))


def _plane(array: np.ndarray, axis: int, index: int) -> np.ndarray:
    """Return (rows, columns): head or front above; the patient's right on the left, in a sagittal plane the front."""
    plane = np.take(array, index, axis=axis).T[::-1]
    # columns run to the patient's right, in a sagittal plane to the front
    return plane[:, ::-1]


def _layout(volume: _Volume, planes: list[tuple[int, int]]) -> tuple[Figure, list[Axes]]:
    """Return a figure with a panel for each plane, given by its axis and index."""
    widths = []
    for axis, index in planes:
        rows, columns = _plane(volume.image, axis, index).shape
        row, column = _plane_spacing(volume, axis)
        widths.append(columns * column / (rows * row))
    figure = Figure(figsize=(2.9 * sum(widths) + 0.2, 3.7), layout="constrained")
    return figure, list(figure.subplots(1, len(planes), squeeze=False, width_ratios=widths)[0])


def _plane_spacing(volume: _Volume, axis: int) -> tuple[float, float]:
    """Return the height of a row and the width of a column in mm."""
    column, row = (volume.spacing[other] for other in range(3) if other != axis)
    return row, column


def _show_plane(axes: Axes, volume: _Volume, axis: int, index: int, title: str) -> None:
    show_picture(axes, scale_to_unit(_plane(volume.image, axis, index)[None], (0, 1)), title)
    row, column = _plane_spacing(volume, axis)
    for number, (colour, volume_mask) in enumerate(zip(_COLOURS.values(), volume.masks.values(), strict=False)):
        mask = _plane(volume_mask, axis, index)
        if number:
            colour_masks(axes, {colour: mask}, alpha=_OPACITY / 2)
        outline_mask(axes, mask, colour)
    axes.set_aspect(row / column)


def _add_legend(figure: Figure, volume: _Volume, title: str) -> Figure:
    lines = [Line2D([], [], color=colour) for colour, _ in zip(_COLOURS.values(), volume.masks, strict=False)]
    names = list(volume.masks)
    legend = figure.legend(lines, names, loc="outside lower center", ncols=len(lines), frameon=False, fontsize=10)
    for text in legend.get_texts():
        text.set_parse_math(False)
    figure.suptitle(title, fontsize=10, parse_math=False)
    return figure
