"""Soft labels along the correction chain of PLC-KD, with the pixels that are wrong after each step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from medkd.correction import SoftLabels, is_correct

from ._drawing import (
    FALSE_NEGATIVE,
    FALSE_POSITIVE,
    TRUTH,
    as_tensor,
    cut,
    fullest_slice,
    image_and_label,
    mark,
    outline,
    place,
    scaled,
    show,
    write,
)

__all__ = ["plot_progression", "progression_figure"]

_STEPS = ("$Y^I$: teacher", "$Y^F$: false-pixel assistant", "$Y^B$: boundary assistant", "$Y^U$: similarity")


def plot_progression(image: Any, label: Any, stages: SoftLabels, path: str | Path, title: str) -> Path:
    """Writes `progression_figure`; its arguments, and the file. Returns the path."""
    return write(progression_figure(image, label, stages, title), path)


def progression_figure(image: Any, label: Any, stages: SoftLabels, title: str) -> Figure:
    """The image, then the foreground's probability in each of the four stages, wrong pixels marked and counted below.

    Brightness is 1 - p(background). A wrong pixel is one that `is_correct` denies: false positive where the truth is
    background, else false negative, be it taken for background or for another lesion. Volumes show the slice with most
    wrong pixels of the first stage; the line below its count is the whole volume's.

    Args:
        image: (C, *spatial), 1 or 3 channels, as the networks see it.
        label: (1, *spatial) integers.
        stages: of this one image, each (K, *spatial) or (1, K, *spatial).
        title: the case's name.

    Raises:
        ValueError: when shapes do not fit, or the channels are neither 1 nor 3.

    Reference: Wang et al., PLC-KD, MICCAI 2024, Fig. 4, which shows the students' results; here it is what teaches them.
    """
    image, label = image_and_label("plot_progression", image, label)
    batched = [as_tensor(stage).float() for stage in stages]
    batched = [stage if stage.ndim > label.ndim else stage[None] for stage in batched]
    wrong = [~is_correct(stage, label[None])[0, 0] for stage in batched]
    lesion = label[0] > 0
    index = fullest_slice(wrong[0], lesion)
    shown, truth = cut(image, index), cut(lesion, index)
    rows, columns = truth.shape
    figure = Figure(figsize=(15.6, 2.9 * rows / columns + (1.1 if index is None else 1.4)), layout="constrained")
    axes = figure.subplots(1, 5)
    show(axes[0], scaled(shown), "image and truth")
    outline(axes[0], truth, TRUTH)
    for axis, name, stage, mistakes in zip(axes[1:], _STEPS, batched, wrong, strict=True):
        show(axis, np.asarray(1 - cut(stage[0, 0], index)), name)
        _mark_wrong(axis, cut(mistakes, index), truth)
        outline(axis, truth, TRUTH)
        below = _count(cut(mistakes, index), truth)
        axis.set_xlabel(below if index is None else f"{below}\n(whole volume: {_count(mistakes, lesion)})", fontsize=9)
    figure.colorbar(axes[-1].images[0], ax=list(axes), label="probability of foreground", pad=0.01, shrink=0.8)
    colours = "green: truth, magenta: false negative, cyan: false positive"
    figure.suptitle(f"{place(title, index)}   ({colours})", fontsize=10)
    return figure


def _mark_wrong(axis: Axes, wrong: Tensor, lesion: Tensor) -> None:
    mark(axis, {FALSE_NEGATIVE: wrong & lesion, FALSE_POSITIVE: wrong & ~lesion})


def _count(wrong: Tensor, lesion: Tensor) -> str:
    total, negative = int(wrong.sum()), int((wrong & lesion).sum())
    return f"{total} wrong\n{total - negative} false positive, {negative} false negative"
