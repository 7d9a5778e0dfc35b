"""The boundary transform of PLC-KD: which pixels it exchanges, and how that changes the intensities of each region."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from medkd.correction import boundary_and_inner, boundary_transform
from medkd.io import class_colour_code

from ._panels import (
    TRUTH,
    check_image_and_label,
    colour_masks,
    fullest_slice,
    luminance,
    outline_mask,
    save_figure,
    scale_to_unit,
    show_picture,
    slice_title,
    take_slice,
)

__all__ = ["boundary_figure", "histogram_overlap", "plot_boundary_transform"]

_COLOURS = {name: class_colour_code(value) for value, name in ((6, "inner"), (4, "boundary"), (7, "background"))}
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
    """Write `boundary_figure` to a file and return its path; the other arguments are those of the figure."""
    return save_figure(boundary_figure(image, label, title, width, ratio, generator, spacing), path)


def boundary_figure(
    image: Any,
    label: Any,
    title: str,
    width: float = 5,
    ratio: float = 1.0,
    generator: torch.Generator | None = None,
    spacing: Sequence[float] | None = None,
) -> Figure:
    """Return a figure of an image, its regions, the transformed image and the intensities of each region.

    All classes above 0 are one lesion. The background is each pixel outside the lesion, at any distance. The histograms
    are densities of grey values before and after the transform. They are of the whole volume, of which the slice with most
    lesion is shown. Their titles state the `histogram_overlap` of boundary and background.

    Args:
        image: (C, *spatial), as the networks see it.
        label: (1, *spatial) integers.
        title: name of the case.
        width: of the boundary, see `boundary_transform`.
        ratio: share of the boundary pixels that are exchanged, see `boundary_transform`.
        generator: random numbers of `boundary_transform`.
        spacing: of the pixels in mm, see `boundary_transform`.

    Raises:
        ValueError: if the image has no lesion, or the shapes do not fit.

    Reference: Wang et al., PLC-KD, MICCAI 2024, Fig. 2. The paper does not state how far its background reaches.
    """
    image, label = check_image_and_label("boundary_figure", image, label)
    lesion = label > 0
    if not lesion.any():
        raise ValueError(f"boundary_figure: {title} has no lesion, expected a label above 0")
    transformed = boundary_transform(image[None], lesion[None].long(), width, ratio, generator, spacing, num_classes=2)[
        0
    ]
    boundary, inner = (mask[0, 0].numpy() for mask in boundary_and_inner(lesion[None], width, spacing))
    regions = {"inner": inner, "boundary": boundary, "background": ~lesion[0].numpy()}
    index = fullest_slice(lesion[0])
    rows, columns = take_slice(lesion[0], index).shape
    figure = Figure(figsize=(11, 3.5 * rows / columns + 3.4), layout="constrained")
    axes: dict[str, Axes] = figure.subplot_mosaic(
        [[*["image"] * 2, *["regions"] * 2, *["transformed"] * 2], [*["before"] * 3, *["after"] * 3]],
        height_ratios=[3.5 * rows / columns, 2.6],
    )
    axes["after"].sharex(axes["before"])
    axes["after"].sharey(axes["before"])
    limits = float(image.min()), float(image.max())
    _show_images(axes, image, transformed, regions, index, limits)
    for name, pixels in (("before", image), ("after", transformed)):
        values = luminance(scale_to_unit(pixels, limits))
        _show_histograms(axes[name], name, {region: values[mask] for region, mask in regions.items()})
    settings = f"width {width:g} {'pixels' if spacing is None else 'mm'}, ratio {ratio:g}"
    figure.suptitle(f"{slice_title(title, index)}   (boundary transform: {settings})", fontsize=10, parse_math=False)
    return figure


def histogram_overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Return the common area of two histograms.

    Args:
        first: values from 0 to 1.
        second: values from 0 to 1.

    Returns:
        From 0 to 1; NaN if one has no values.

    Example:
        >>> histogram_overlap(np.array([0.1, 0.1]), np.array([0.1, 0.9]))
        0.5
    """
    if not first.size or not second.size:
        return float("nan")
    shares = [np.histogram(values, _BINS, (0, 1))[0] / values.size for values in (first, second)]
    return float(np.minimum(*shares).sum())


def _show_images(
    axes: Mapping[str, Axes],
    image: torch.Tensor,
    transformed: torch.Tensor,
    regions: Mapping[str, np.ndarray],
    index: int | None,
    limits: tuple[float, float],
) -> None:
    # both images have one scale: an exchange of pixels must not look like a change of brightness
    before, after = (scale_to_unit(take_slice(pixels, index), limits) for pixels in (image, transformed))
    show_picture(axes["image"], before, "image and ground truth")
    outline_mask(axes["image"], ~take_slice(regions["background"], index), TRUTH)
    show_picture(axes["regions"], before, "regions")
    masks = {_COLOURS[name]: take_slice(mask, index) for name, mask in regions.items()}
    colour_masks(axes["regions"], masks, alpha=0.55)
    show_picture(axes["transformed"], after, "transformed image")


def _show_histograms(axes: Axes, name: str, values: Mapping[str, np.ndarray]) -> None:
    for region, pixels in values.items():
        if pixels.size:
            colour = _COLOURS[region]
            axes.hist(
                pixels,
                bins=_BINS,
                range=(0, 1),
                density=True,
                # a light filling and a strong edge keep overlapping histograms apart
                histtype="stepfilled",
                facecolor=(colour, 0.25),
                edgecolor=colour,
                linewidth=1.4,
                label=f"{region} ({pixels.size} pixels)",
            )
    overlap = histogram_overlap(values["boundary"], values["background"])
    axes.set_title(f"{name}: boundary and background overlap {overlap:.2f}", fontsize=10, parse_math=False)
    axes.set_xlabel("grey intensity, from the image's minimum to its maximum", fontsize=9)
    axes.set_ylabel("density", fontsize=9)
    axes.legend(fontsize=8, frameon=False)
