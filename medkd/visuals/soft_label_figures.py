"""Soft labels along the correction chain of PLC-KD, with the pixels that are incorrect after each step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from medkd.correction import SoftLabels, is_correct

from ._panels import (
    FALSE_NEGATIVE,
    FALSE_POSITIVE,
    TRUTH,
    as_tensor,
    check_image_and_label,
    colour_masks,
    fullest_slice,
    outline_mask,
    save_figure,
    scale_to_unit,
    show_picture,
    slice_title,
    take_slice,
)

__all__ = ["plot_progression", "progression_figure"]

_STEPS = ("Y^I: teacher", "Y^F: false-pixel assistant", "Y^B: boundary assistant", "Y^U: similarity")


def plot_progression(image: Any, label: Any, stages: SoftLabels, path: str | Path, title: str) -> Path:
    """Write `progression_figure` to a file and return its path; the other arguments are those of the figure."""
    return save_figure(progression_figure(image, label, stages, title), path)


def progression_figure(image: Any, label: Any, stages: SoftLabels, title: str) -> Figure:
    """Return a figure of an image and the probability of foreground after each of the four stages.

    Brightness is 1 - p(background). Incorrect pixels, see `is_correct`, are coloured and counted. An incorrect pixel is a
    false positive if its ground truth is background, else a false negative, also if it is predicted as another lesion
    class. Volumes show the slice with most incorrect pixels of the first stage; the count of the whole volume stands below.

    Args:
        image: (C, *spatial), as the networks see it.
        label: (1, *spatial) integers.
        stages: of this image alone, each (K, *spatial) or (1, K, *spatial).
        title: name of the case.

    Raises:
        ValueError: if the shapes do not fit.

    Reference: Wang et al., PLC-KD, MICCAI 2024, Fig. 4, which shows predictions of students; this figure shows the soft
    labels that teach them.
    """
    image, label = check_image_and_label("progression_figure", image, label)
    batches = [as_tensor(stage).float() for stage in stages]
    batches = [stage if stage.ndim > label.ndim else stage[None] for stage in batches]
    incorrect = [~is_correct(stage, label[None])[0, 0] for stage in batches]
    lesion = label[0] > 0
    index = fullest_slice(incorrect[0], lesion)
    pixels, truth = take_slice(image, index), take_slice(lesion, index)
    rows, columns = truth.shape
    figure = Figure(figsize=(15.6, 2.9 * rows / columns + (1.1 if index is None else 1.4)), layout="constrained")
    panels = figure.subplots(1, 5)
    show_picture(panels[0], scale_to_unit(pixels), "image and ground truth")
    outline_mask(panels[0], truth, TRUTH)
    for axes, name, stage, errors in zip(panels[1:], _STEPS, batches, incorrect, strict=True):
        show_picture(axes, np.asarray(1 - take_slice(stage[0, 0], index)), name)
        _colour_errors(axes, take_slice(errors, index), truth)
        outline_mask(axes, truth, TRUTH)
        text = _count_errors(take_slice(errors, index), truth)
        axes.set_xlabel(
            text if index is None else f"{text}\n(whole volume: {_count_errors(errors, lesion)})", fontsize=9
        )
    figure.colorbar(panels[-1].images[0], ax=list(panels), label="probability of foreground", pad=0.01, shrink=0.8)
    colours = "yellow: ground truth, red: false negative, blue: false positive"
    figure.suptitle(f"{slice_title(title, index)}   ({colours})", fontsize=10, parse_math=False)
    return figure


def _colour_errors(axes: Axes, incorrect: Tensor, lesion: Tensor) -> None:
    colour_masks(axes, {FALSE_NEGATIVE: incorrect & lesion, FALSE_POSITIVE: incorrect & ~lesion})


def _count_errors(incorrect: Tensor, lesion: Tensor) -> str:
    total, negative = int(incorrect.sum()), int((incorrect & lesion).sum())
    return f"{total} incorrect\n{total - negative} false positive, {negative} false negative"
