"""False-pixel images of PLC-KD: what the teacher got wrong, and the images that are made of such pixels."""

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

from ._drawing import (
    FALSE_NEGATIVE,
    FALSE_POSITIVE,
    TRUTH,
    as_tensor,
    cut,
    fullest_slice,
    grey,
    image_and_label,
    mark,
    outline,
    place,
    scaled,
    show,
    write,
)

__all__ = ["plot_false_pixels", "false_pixels_figure"]

# Rows and most columns of a swatch.
_SWATCH = 16, 256


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
    """Writes `false_pixels_figure`; its arguments, and the file. Returns the path."""
    return write(false_pixels_figure(image, label, prediction, queue, title, generator, cases), path)


def false_pixels_figure(
    image: Any,
    label: Any,
    prediction: Any,
    queue: FalsePixelQueue,
    title: str,
    generator: torch.Generator | None = None,
    cases: Sequence[str] | None = None,
) -> Figure:
    """A row an image: its wrong pixels coloured, its mask, the image made of the queue's pixels; then the queue's colours.

    A wrong pixel is a false positive where the truth is background, else a false negative. All panels and swatches have
    one scale, from the least to the greatest value among images and queue, so that colours can be compared. Volumes show
    the slice with most wrong pixels.

    Args:
        image: (N, C, *spatial), 1 or 3 channels, as the networks see it; few, each is a row.
        label, prediction: (N, 1, *spatial) integers.
        queue: holds pixels of every class in the labels.
        title: of the figure.
        generator: of the draws, on the queue's device.
        cases: a name for each row.

    Raises:
        ValueError: when shapes do not fit, a class has no pixel in the queue, or the channels are neither 1 nor 3.

    Reference: Wang et al., PLC-KD, MICCAI 2024, Fig. 1, left.
    """
    image, label = image_and_label("plot_false_pixels", image, label, channel=1)
    _, prediction = image_and_label("plot_false_pixels", image, prediction, channel=1, what="prediction")
    names = [""] * len(image) if cases is None else list(cases)
    if len(names) != len(image):
        raise ValueError(f"plot_false_pixels: {len(names)} cases named, expected {len(image)}, one an image")
    colours = _colours(queue, label)
    indices = [fullest_slice(p[0] != t[0], t[0]) for t, p in zip(label, prediction, strict=True)]
    pixels, truth, guess = (
        torch.stack([cut(x, index) for x, index in zip(whole, indices, strict=True)])
        for whole in (image, label, prediction)
    )
    # every pixel is a draw of its own: those of one slice are as good as a slice of a volume made of them
    made = false_pixel_images(queue, truth.to(queue.slots.device), generator)[0].cpu()
    ends = [values for values in (pixels, *colours) if values.numel()]
    limits = min(float(x.min()) for x in ends), max(float(x.max()) for x in ends)
    figure, axes, swatches = _layout(len(pixels), len(colours), truth.shape[2] / truth.shape[3])
    for row, (name, index) in enumerate(zip(names, indices, strict=True)):
        _row(axes[row], not row, pixels[row], truth[row, 0], guess[row, 0], made[row], limits)
        axes[row][0].set_ylabel(place(name, index).removeprefix(", "), fontsize=9)
    for k, (axis, values) in enumerate(zip(swatches, colours, strict=True)):
        _swatch(axis, values, k, len(colours), limits)
    figure.suptitle(f"{title}   (green: truth, magenta: false negative, cyan: false positive)", fontsize=10)
    return figure


def _colours(queue: FalsePixelQueue, label: Tensor) -> list[Tensor]:
    """Of each class, all pixels that the queue holds: (pixels, C)."""
    filled = queue.filled.tolist()
    for k in label.unique().tolist():
        if not 0 <= k < len(filled) or not filled[k]:
            raise ValueError(f"plot_false_pixels: class {k} of the labels has no pixel in the queue")
    return [as_tensor(queue.slots[k, :count]).float() for k, count in enumerate(filled)]


def _layout(count: int, classes: int, shape: float) -> tuple[Figure, list[list[Axes]], list[Axes]]:
    """Three panels a row, then a swatch a class, over the whole width."""
    high, low = 3 * shape, 0.75
    figure = Figure(figsize=(9.4, count * (high + 0.25) + classes * low + 0.4), layout="constrained")
    grid = figure.add_gridspec(count + classes, 3, height_ratios=[high] * count + [low * 0.6] * classes)
    axes = [[figure.add_subplot(grid[row, column]) for column in range(3)] for row in range(count)]
    return figure, axes, [figure.add_subplot(grid[count + k, :]) for k in range(classes)]


def _row(
    axes: Sequence[Axes],
    titled: bool,
    pixels: Tensor,
    truth: Tensor,
    guess: Tensor,
    made: Tensor,
    limits: tuple[float, float],
) -> None:
    wrong, lesion = guess != truth, truth > 0
    titles = ("image and wrong pixels", "mask", "image of false pixels") if titled else ("", "", "")
    negative, positive = wrong & lesion, wrong & ~lesion
    show(axes[0], scaled(pixels, limits), titles[0])
    mark(axes[0], {FALSE_NEGATIVE: negative, FALSE_POSITIVE: positive}, alpha=0.6)
    axes[0].set_xlabel(f"{int(positive.sum())} false positive, {int(negative.sum())} false negative", fontsize=9)
    show(axes[1], np.asarray(truth / truth.max().clamp_min(1)), titles[1])
    show(axes[2], scaled(made, limits), titles[2])
    # what is drawn from which queue is hard to tell without it
    outline(axes[2], lesion, TRUTH)


def _swatch(axis: Axes, values: Tensor, k: int, classes: int, limits: tuple[float, float]) -> None:
    """The pixels from dark to bright, column by column; evenly spaced ones where there are more than fit."""
    kind = "background, false positives" if k == 0 else f"lesion{f' {k}' if classes > 2 else ''}, false negatives"
    title = f"queue of the {kind}: {len(values)} pixels, dark to bright"
    if not len(values):
        show(axis, np.ones((1, 1, 1), np.float32), title)
        return
    rows, columns = _SWATCH[0], min(_SWATCH[1], -(-len(values) // _SWATCH[0]))
    colours = scaled(values.T, limits)
    colours = colours[grey(colours).argsort(kind="stable")]
    chosen = np.linspace(0, len(colours) - 1, rows * columns).round().astype(int)
    show(axis, colours[chosen].reshape(columns, rows, -1).swapaxes(0, 1), title)
    axis.set_aspect("auto")
