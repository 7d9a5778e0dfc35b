"""What the pictures share: one scale of intensities, one slice of a volume, outlines, marks, and how a Figure is written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from torch import Tensor

from medkd.parallel.group import is_main_process
from medkd.runs.files import write_atomically

TRUTH, PREDICTION = "#22dd55", "#ff3344"
FALSE_NEGATIVE, FALSE_POSITIVE = "#ff00ff", "#00e5ff"


def as_tensor(x: Any) -> Tensor:
    """A tensor or array as a plain tensor on the host."""
    x = x if isinstance(x, Tensor) else torch.as_tensor(np.asarray(x))
    return x.detach().cpu().as_subclass(Tensor)


def image_and_label(name: str, image: Any, label: Any, channel: int = 0, what: str = "label") -> tuple[Tensor, Tensor]:
    """Both as tensors, of C and 1 channels on axis ``channel``; ``name`` is who asks, ``what`` the second's name.

    Raises:
        ValueError: when they do not fit, or are neither pictures nor volumes.
    """
    image, label = as_tensor(image).float(), as_tensor(label).long()
    expected = (*image.shape[:channel], 1, *image.shape[channel + 1 :])
    if label.shape != expected or image.ndim - channel - 1 not in (2, 3):
        raise ValueError(f"{name}: {what} {tuple(label.shape)} does not fit the image {tuple(image.shape)}")
    return image, label


def fullest_slice(*masks: np.ndarray | Tensor) -> int | None:
    """The slice with most of the first mask (*spatial) that has anything; None for a picture, which has no slices."""
    if masks[0].ndim == 2:
        return None
    chosen = next((mask for mask in masks if mask.any()), masks[0])
    return int(np.asarray(chosen).sum(axis=(1, 2)).argmax())


def cut(layer: Any, index: int | None) -> Any:
    """The slice ``index`` of (..., slices, rows, columns); None leaves all as it is."""
    return layer if index is None else layer[..., index, :, :]


def place(case: str, index: int | None) -> str:
    """What is shown, in words."""
    return case if index is None else f"{case}, slice {index}"


def to_own_maximum(map_: Tensor) -> Tensor:
    """A map without negative values, 0 to 0 and its maximum to 1; one that is 0 all over stays so."""
    return map_ / map_.amax().clamp_min(1e-12)


def scaled(image: Any, limits: tuple[float, float] | None = None) -> np.ndarray:
    """Channels first to channels last, the image's own minimum and maximum (or ``limits``) to 0 and 1.

    Raises:
        ValueError: when the channels are neither 1 nor 3.
    """
    image = np.asarray(image, dtype=np.float32)
    if image.shape[0] not in (1, 3):
        raise ValueError(f"an image of {image.shape[0]} channels cannot be shown, expected 1 or 3")
    low, high = limits if limits else (float(image.min()), float(image.max()))
    return np.moveaxis(((image - low) / max(high - low, 1e-6)).clip(0, 1), 0, -1)


def grey(picture: np.ndarray) -> np.ndarray:
    """Luminance of (..., 3), or the one channel of (..., 1)."""
    return picture @ np.float32([0.299, 0.587, 0.114]) if picture.shape[-1] == 3 else picture[..., 0]


def show(axis: Axes, picture: np.ndarray, title: str = "", size: tuple[int, int] | None = None) -> None:
    """A picture with values of 0 to 1, without ticks. ``size``: rows and columns of what is drawn over it, if others."""
    rows, columns = size or picture.shape[:2]
    extent = (-0.5, columns - 0.5, rows - 0.5, -0.5)
    axis.imshow(picture, cmap="gray", vmin=0, vmax=1, extent=extent)
    axis.set_title(title, fontsize=10)
    # no set_axis_off: it would hide what is written under the panel
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)


def outline(axis: Axes, mask: np.ndarray | Tensor, colour: str) -> None:
    """The border of a mask, if it has one."""
    mask = np.asarray(mask, dtype=bool)
    if mask.any() and not mask.all():
        axis.contour(mask, levels=[0.5], colors=colour, linewidths=1.2)


def outlines(axis: Axes, labels: np.ndarray, colour: str) -> None:
    """The border of each class."""
    for value in np.unique(labels[labels > 0]):
        outline(axis, labels == value, colour)


def mark(axis: Axes, masks: Mapping[str, np.ndarray | Tensor], alpha: float = 1.0) -> None:
    """Colours the pixels of each mask: colour -> mask."""
    layer = np.zeros((*next(iter(masks.values())).shape, 4), np.float32)
    for colour, mask in masks.items():
        layer[np.asarray(mask, dtype=bool)] = (*to_rgb(colour), alpha)
    # nearest: one wrong pixel is one square of full colour
    axis.imshow(layer, interpolation="nearest")


def write(figure: Figure, path: str | Path, dpi: int = 110) -> Path:
    """Writes a Figure, whole or not at all; the name's end decides the format. Of several processes, the first writes."""
    if is_main_process():
        write_atomically(path, lambda temporary: figure.savefig(temporary, dpi=dpi))
    return Path(path)
