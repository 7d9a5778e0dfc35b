"""False-pixel images of PLC-KD: the pixels that the teacher predicts incorrectly, and images made of such pixels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from medkd.correction import FalsePixelQueue, false_pixel_images

from ._panels import (
    FALSE_NEGATIVE,
    FALSE_POSITIVE,
    TRUTH,
    as_tensor,
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

__all__ = ["false_pixels_figure", "plot_false_pixels"]

_SWATCH_ROWS, _SWATCH_COLUMNS = 16, 256  # the columns at most


def plot_false_pixels(
    image: Any,
    label: Any,
    prediction: Any,
    queue: FalsePixelQueue,
    path: str | Path,
    title: str,
    generator: torch.Generator | None = None,
    cases: Sequence[str] | None = None,
) -> Path:
    """Write `false_pixels_figure` to a file and return its path; the other arguments are those of the figure."""
    return save_figure(false_pixels_figure(image, label, prediction, queue, title, generator, cases), path)


def false_pixels_figure(
    image: Any,
    label: Any,
    prediction: Any,
    queue: FalsePixelQueue,
    title: str,
    generator: torch.Generator | None = None,
    cases: Sequence[str] | None = None,
) -> Figure:
    """Return a figure with one row per image: incorrect pixels, mask, false-pixel image; below, the colours of the queue.

    An incorrect pixel is a false positive if its ground truth is background, else a false negative. All panels have one
    intensity scale, from the minimum to the maximum of images and queue, so that colours can be compared. Volumes show the
    slice with most incorrect pixels.

    Args:
        image: (N, C, *spatial), as the networks see it. Each image is a row.
        label: (N, 1, *spatial) integers.
        prediction: (N, 1, *spatial) integers.
        queue: holds pixels of each class of the labels.
        title: of the figure.
        generator: random numbers on the device of the queue.
        cases: a name for each row.

    Raises:
        ValueError: if the shapes do not fit, or a class has no pixel in the queue.

    Reference: Wang et al., PLC-KD, MICCAI 2024, Fig. 1, left.
    """
    caller = "false_pixels_figure"
    image, label = check_image_and_label(caller, image, label, channel_axis=1)
    _, prediction = check_image_and_label(caller, image, prediction, channel_axis=1, label_name="prediction")
    names = [""] * len(image) if cases is None else list(cases)
    if len(names) != len(image):
        raise ValueError(f"{caller}: cases: found {len(names)} names, expected {len(image)}, one per image")
    colours = _queue_pixels(queue, label)
    indices = [fullest_slice(p[0] != t[0], t[0]) for t, p in zip(label, prediction, strict=True)]
    pixels, truth, labels = (
        torch.stack([take_slice(x, index) for x, index in zip(volumes, indices, strict=True)])
        for volumes in (image, label, prediction)
    )
    # pixels are sampled independently: an image of one slice is as good as a slice of a false-pixel volume
    synthetic = false_pixel_images(queue, truth.to(queue.slots.device), generator)[0].cpu()
    nonempty = [values for values in (pixels, *colours) if values.numel()]
    limits = min(float(x.min()) for x in nonempty), max(float(x.max()) for x in nonempty)
    figure, rows, swatches = _layout(len(pixels), len(colours), truth.shape[2] / truth.shape[3])
    for row, (name, index) in enumerate(zip(names, indices, strict=True)):
        _show_row(rows[row], not row, pixels[row], truth[row, 0], labels[row, 0], synthetic[row], limits)
        rows[row][0].set_ylabel(slice_title(name, index).removeprefix(", "), fontsize=9, parse_math=False)
    for k, (axes, values) in enumerate(zip(swatches, colours, strict=True)):
        _show_swatch(axes, values, k, len(colours), limits)
    figure.suptitle(
        f"{title}   (green: ground truth, magenta: false negative, cyan: false positive)", fontsize=10, parse_math=False
    )
    return figure


def _queue_pixels(queue: FalsePixelQueue, label: Tensor) -> list[Tensor]:
    """Return all pixels of each class in the queue: (pixels, C)."""
    counts = queue.filled.tolist()
    for k in label.unique().tolist():
        if not 0 <= k < len(counts) or not counts[k]:
            raise ValueError(f"false_pixels_figure: class {k} of the labels has no pixel in the queue")
    return [as_tensor(queue.slots[k, :count]).float() for k, count in enumerate(counts)]


def _layout(count: int, classes: int, aspect: float) -> tuple[Figure, list[list[Axes]], list[Axes]]:
    """Return the figure, three panels per image, and one swatch per class over the whole width."""
    panel, swatch = 3 * aspect, 0.75
    figure = Figure(figsize=(9.4, count * (panel + 0.25) + classes * swatch + 0.4), layout="constrained")
    grid = figure.add_gridspec(count + classes, 3, height_ratios=[panel] * count + [swatch * 0.6] * classes)
    rows = [[figure.add_subplot(grid[row, column]) for column in range(3)] for row in range(count)]
    return figure, rows, [figure.add_subplot(grid[count + k, :]) for k in range(classes)]


def _show_row(
    panels: Sequence[Axes],
    has_titles: bool,
    pixels: Tensor,
    truth: Tensor,
    prediction: Tensor,
    synthetic: Tensor,
    limits: tuple[float, float],
) -> None:
    incorrect, lesion = prediction != truth, truth > 0
    titles = ("image and incorrect pixels", "mask", "image of false pixels") if has_titles else ("", "", "")
    negative, positive = incorrect & lesion, incorrect & ~lesion
    show_picture(panels[0], scale_to_unit(pixels, limits), titles[0])
    colour_masks(panels[0], {FALSE_NEGATIVE: negative, FALSE_POSITIVE: positive}, alpha=0.6)
    panels[0].set_xlabel(f"{int(positive.sum())} false positive, {int(negative.sum())} false negative", fontsize=9)
    show_picture(panels[1], np.asarray(truth / truth.max().clamp_min(1)), titles[1])
    show_picture(panels[2], scale_to_unit(synthetic, limits), titles[2])
    # without the outline one can hardly tell which pixel comes from which queue
    outline_mask(panels[2], lesion, TRUTH)


def _show_swatch(axes: Axes, values: Tensor, k: int, classes: int, limits: tuple[float, float]) -> None:
    """Show pixels from dark to bright, column by column; an evenly spaced selection if there are too many."""
    kind = "background, false positives" if k == 0 else f"lesion{f' {k}' if classes > 2 else ''}, false negatives"
    title = f"queue of the {kind}: {len(values)} pixels, dark to bright"
    if not len(values):
        show_picture(axes, np.ones((1, 1, 1), np.float32), title)
        return
    columns = min(_SWATCH_COLUMNS, -(-len(values) // _SWATCH_ROWS))
    colours = scale_to_unit(values.T, limits)
    colours = colours[luminance(colours).argsort(kind="stable")]
    chosen = np.linspace(0, len(colours) - 1, _SWATCH_ROWS * columns).round().astype(int)
    show_picture(axes, colours[chosen].reshape(columns, _SWATCH_ROWS, -1).swapaxes(0, 1), title)
    axes.set_aspect("auto")
