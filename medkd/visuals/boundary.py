"""The boundary transform of PLC-KD: which pixels change places, and what that does to the intensities of each region."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from medkd.correction import boundary_and_inner, boundary_transform

from ._drawing import TRUTH, cut, fullest_slice, grey, image_and_label, mark, outline, place, scaled, show, write

__all__ = ["boundary_figure", "plot_boundary_transform", "histogram_overlap"]

_COLOURS = {"inner": "#ff9f1c", "boundary": "#e71d73", "background": "#2e86de"}
_BINS = 40


def plot_boundary_transform(
    image: Any,
    label: Any,
    path: str | Path,
    title: str,
    width: float = 5,
    ratio: float = 1.0,
    generator: torch.Generator | None = None,
    spacing: Sequence[float] | None = None,
) -> Path:
    """Writes `boundary_figure`; its arguments, and the file. Returns the path."""
    return write(boundary_figure(image, label, title, width, ratio, generator, spacing), path)


def boundary_figure(
    image: Any,
    label: Any,
    title: str,
    width: float = 5,
    ratio: float = 1.0,
    generator: torch.Generator | None = None,
    spacing: Sequence[float] | None = None,
) -> Figure:
    """The image, its regions and the transformed image; below, grey values of the regions before and after.

    All classes above 0 are one lesion here; the background is every pixel outside it, near or far. Densities are those of
    the whole volume, of which the slice with most lesion is shown. The titles of the histograms tell how much those of
    boundary and background have in common (`histogram_overlap`).

    Args:
        image: (C, *spatial), 1 or 3 channels, as the networks see it.
        label: (1, *spatial) integers.
        title: the case's name.
        width, ratio, generator, spacing: of `boundary_transform`.

    Raises:
        ValueError: when the image has no lesion, shapes do not fit, or the channels are neither 1 nor 3.

    Reference: Wang et al., PLC-KD, MICCAI 2024, Fig. 2; the paper does not say how far its background reaches.
    """
    image, label = image_and_label("plot_boundary_transform", image, label)
    lesion = label > 0
    if not lesion.any():
        raise ValueError(f"plot_boundary_transform: {title} has no lesion, expected a label above 0")
    made = boundary_transform(image[None], lesion[None].long(), width, ratio, generator, spacing, num_classes=2)[0]
    boundary, inner = (mask[0, 0].numpy() for mask in boundary_and_inner(lesion[None], width, spacing))
    regions = {"inner": inner, "boundary": boundary, "background": ~lesion[0].numpy()}
    index = fullest_slice(lesion[0])
    rows, columns = cut(lesion[0], index).shape
    figure = Figure(figsize=(11, 3.5 * rows / columns + 3.4), layout="constrained")
    axes = figure.subplot_mosaic(
        [["image", "image", "regions", "regions", "made", "made"], ["before"] * 3 + ["after"] * 3],
        height_ratios=[3.5 * rows / columns, 2.6],
    )
    axes["after"].sharex(axes["before"])
    axes["after"].sharey(axes["before"])
    limits = float(image.min()), float(image.max())
    _pictures(axes, image, made, regions, index, limits)
    for name, pixels in (("before", image), ("after", made)):
        values = grey(scaled(pixels, limits))
        _histograms(axes[name], name, {region: values[mask] for region, mask in regions.items()})
    how = f"width {width:g} {'pixels' if spacing is None else 'mm'}, ratio {ratio:g}"
    figure.suptitle(f"{place(title, index)}   (boundary transform: {how})", fontsize=10)
    return figure


def histogram_overlap(first: np.ndarray, second: np.ndarray) -> float:
    """The area that two histograms of values in 0 to 1 have in common: 0 to 1; NaN when one has no values."""
    if not first.size or not second.size:
        return float("nan")
    return float(
        np.minimum(*(np.histogram(values, _BINS, (0, 1))[0] / values.size for values in (first, second))).sum()
    )


def _pictures(
    axes: Mapping[str, Axes],
    image: torch.Tensor,
    made: torch.Tensor,
    regions: Mapping[str, np.ndarray],
    index: int | None,
    limits: tuple[float, float],
) -> None:
    """One scale for both images: an exchange must not look like a change of brightness."""
    before, after = (scaled(cut(pixels, index), limits) for pixels in (image, made))
    show(axes["image"], before, "image and truth")
    outline(axes["image"], ~cut(regions["background"], index), TRUTH)
    show(axes["regions"], before, "regions")
    mark(axes["regions"], {_COLOURS[name]: cut(mask, index) for name, mask in regions.items()}, alpha=0.55)
    show(axes["made"], after, "transformed image")


def _histograms(axis: Axes, name: str, values: Mapping[str, np.ndarray]) -> None:
    for region, found in values.items():
        if found.size:
            label, colour = f"{region} ({found.size} pixels)", _COLOURS[region]
            # filled lightly with a firm edge: three that lie over each other stay apart
            common = {"bins": _BINS, "range": (0, 1), "density": True, "histtype": "stepfilled"}
            axis.hist(found, label=label, facecolor=(colour, 0.25), edgecolor=colour, linewidth=1.4, **common)
    shared = histogram_overlap(values["boundary"], values["background"])
    axis.set_title(f"{name}: boundary and background overlap {shared:.2f}", fontsize=10)
    axis.set_xlabel("grey intensity, from the image's minimum to its maximum", fontsize=9)
    axis.set_ylabel("density", fontsize=9)
    axis.legend(fontsize=8, frameon=False)
