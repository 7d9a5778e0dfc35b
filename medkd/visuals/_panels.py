"""Parts that all figures share: intensity scale, choice of the slice, outlines, coloured pixels, saving."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from torch import Tensor

from medkd.io import class_colour_code
from medkd.parallel.group import is_main_process
from medkd.runs.files import write_atomically

# Of figures that tell the ground truth from errors, all classes as one: yellow, vermilion and sky blue.
TRUTH, FALSE_NEGATIVE, FALSE_POSITIVE = (class_colour_code(value) for value in (3, 2, 1))
_LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)

Layer = TypeVar("Layer", Tensor, np.ndarray)


def as_tensor(x: Any) -> Tensor:
    """Return a tensor or array as a plain tensor on the CPU."""
    x = x if isinstance(x, Tensor) else torch.as_tensor(np.asarray(x))
    return x.detach().cpu().as_subclass(Tensor)


def check_image_and_label(
    caller: str, image: Any, label: Any, channel_axis: int = 0, label_name: str = "label"
) -> tuple[Tensor, Tensor]:
    """Return an image and its label as tensors.

    Args:
        caller: name of the function for the message.
        image: (C, *spatial), or (N, C, *spatial) with ``channel_axis=1``.
        label: the same shape with one channel.
        channel_axis: axis of the channels.
        label_name: name of the second argument for the message.

    Raises:
        ValueError: if the shapes do not fit, or there are not two or three spatial axes.
    """
    image, label = as_tensor(image).float(), as_tensor(label).long()
    expected = (*image.shape[:channel_axis], 1, *image.shape[channel_axis + 1 :])
    if label.shape != expected or image.ndim - channel_axis - 1 not in (2, 3):
        raise ValueError(f"{caller}: {label_name} {tuple(label.shape)} does not fit the image {tuple(image.shape)}")
    return image, label


def fullest_slice(*masks: np.ndarray | Tensor) -> int | None:
    """Return the index of the slice with most pixels of the first mask that is not empty.

    Args:
        *masks: (*spatial), slices first.

    Returns:
        The index; None for a 2-D mask.
    """
    if masks[0].ndim == 2:
        return None
    chosen = next((mask for mask in masks if mask.any()), masks[0])
    return int(np.asarray(chosen).sum(axis=(1, 2)).argmax())


def take_slice(layer: Layer, index: int | None) -> Layer:
    """Return a slice of (..., slices, rows, columns); the whole layer if the index is None."""
    return layer if index is None else layer[..., index, :, :]


def slice_title(case: str, index: int | None) -> str:
    """Return the name of a case and its slice."""
    return case if index is None else f"{case}, slice {index}"


def divide_by_maximum(map_: Tensor) -> Tensor:
    """Scale a map without negative values to a maximum of 1; a map of zeros stays."""
    return map_ / map_.amax().clamp_min(1e-12)


def scale_to_unit(image: Any, limits: tuple[float, float] | None = None) -> np.ndarray:
    """Scale an image to intensities from 0 to 1, channels last.

    Three channels are shown as red, green and blue; of two, or more than three, the first is shown.

    Args:
        image: (C, *spatial).
        limits: intensities that become 0 and 1; None: minimum and maximum of the image.
    """
    image = np.asarray(image, dtype=np.float32)
    image = image if image.shape[0] == 3 else image[:1]
    low, high = limits if limits else (float(image.min()), float(image.max()))
    return np.moveaxis(((image - low) / max(high - low, 1e-6)).clip(0, 1), 0, -1)


def luminance(picture: np.ndarray) -> np.ndarray:
    """Return the luminance of (..., 3), or the only channel of (..., 1)."""
    return picture @ _LUMINANCE if picture.shape[-1] == 3 else picture[..., 0]


def show_picture(axes: Axes, picture: np.ndarray, title: str = "", size: tuple[int, int] | None = None) -> None:
    """Show a picture with values from 0 to 1, without ticks.

    Args:
        axes: the panel.
        picture: (rows, columns) or (rows, columns, C).
        title: stands above the panel.
        size: rows and columns of the layers over the picture; None: those of the picture.
    """
    rows, columns = size or picture.shape[:2]
    extent = (-0.5, columns - 0.5, rows - 0.5, -0.5)
    axes.imshow(picture, cmap="gray", vmin=0, vmax=1, extent=extent)
    axes.set_title(title, fontsize=10, parse_math=False)
    # set_axis_off would hide the text below the panel
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def outline_mask(axes: Axes, mask: np.ndarray | Tensor, colour: str, linestyle: Any = "solid") -> None:
    """Outline a mask, if it has a border."""
    mask = np.asarray(mask, dtype=bool)
    if mask.any() and not mask.all():
        axes.contour(mask, levels=[0.5], colors=colour, linewidths=1.2, linestyles=[linestyle])


def outline_classes(axes: Axes, labels: np.ndarray, is_truth: bool = False) -> None:
    """Outline each class above 0 in its colour: a prediction by a solid line, the ground truth by dashes on white."""
    for value in np.unique(labels[labels > 0]):
        mask, colour = labels == value, class_colour_code(int(value))
        if is_truth:
            outline_mask(axes, mask, "white")
        outline_mask(axes, mask, colour, linestyle=(0, (3, 3)) if is_truth else "solid")


def fill_classes(axes: Axes, labels: np.ndarray, alpha: float) -> None:
    """Fill each class above 0 with its colour."""
    values = np.unique(labels[labels > 0])
    if len(values):
        colour_masks(axes, {class_colour_code(int(value)): labels == value for value in values}, alpha)


def add_class_legend(figure: Figure, metrics: pd.DataFrame) -> None:
    """Say below a figure which colour is which class.

    Args:
        figure: what was drawn.
        metrics: of a run, whose rows of a case are in the order of the classes.
    """
    names = [str(name) for name in metrics["class"].unique()]
    lines = [Line2D([], [], color=class_colour_code(value)) for value in range(1, len(names) + 1)]
    legend = figure.legend(
        lines, names, loc="outside lower center", ncols=min(len(names), 4), frameon=False, fontsize=9
    )
    for text in legend.get_texts():
        text.set_parse_math(False)


def colour_masks(axes: Axes, masks: Mapping[str, np.ndarray | Tensor], alpha: float = 1.0) -> None:
    """Colour the pixels of each mask; the masks are given by colour."""
    layer = np.zeros((*next(iter(masks.values())).shape, 4), np.float32)
    for colour, mask in masks.items():
        layer[np.asarray(mask, dtype=bool)] = (*to_rgb(colour), alpha)
    # without interpolation a single pixel keeps its full colour
    axes.imshow(layer, interpolation="nearest")


def save_figure(figure: Figure, path: str | Path, dpi: int = 110) -> Path:
    """Write a figure completely or not at all, on the main process only.

    Args:
        figure: what to write.
        path: of the file; its suffix decides the format.
        dpi: dots per inch.

    Returns:
        The path.
    """
    if is_main_process():
        write_atomically(path, lambda temporary: figure.savefig(temporary, dpi=dpi))
    return Path(path)
