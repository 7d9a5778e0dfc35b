"""Feature maps as pictures: where the stages of networks are active, and the channels of one of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from medkd.losses._common import importance_map
from medkd.networks import Features

from ._drawing import (
    TRUTH,
    as_tensor,
    cut,
    fullest_slice,
    image_and_label,
    outline,
    place,
    scaled,
    show,
    to_own_maximum,
)

__all__ = ["channels_figure", "importance_figure"]


def importance_figure(
    networks: Mapping[str, Features], image: Any, label: Any, title: str, p: float = 2, index: int = 0
) -> Figure:
    """A row a network: the image with the truth, then the importance map of each encoder tap, fine to coarse.

    The map is that of `ATLoss` and `HLFDLoss`, the mean over channels of abs(f)^p, each from black, nothing, to white, its
    own maximum: what is shown is where a stage is active, not how strongly. Volumes show the slice with most lesion.

    Args:
        networks: name -> what its taps gave for a batch that holds the image.
        image: (C, *spatial), 1 or 3 channels, as the networks see it.
        label: (1, *spatial) integers.
        title: the case's name.
        p: power of the map.
        index: of the image in the batch.

    Raises:
        ValueError: for a network without encoder taps, or when image and label do not fit.
    """
    image, label = image_and_label("importance_figure", image, label)
    slice_ = fullest_slice(label[0] > 0)
    shown, truth = scaled(cut(image, slice_)), cut(label[0] > 0, slice_)
    columns = 1 + max(len(features.encoder) for features in networks.values())
    figure = Figure(figsize=(2.1 * columns, 2.45 * len(networks) + 0.4), layout="constrained")
    for axes, (name, features) in zip(
        figure.subplots(len(networks), columns, squeeze=False), networks.items(), strict=True
    ):
        if not features.encoder:
            raise ValueError(f"importance_figure: {name} has no encoder taps")
        show(axes[0], shown, "image and truth")
        outline(axes[0], truth, TRUTH)
        axes[0].set_ylabel(name, fontsize=11)
        for axis in axes[1 + len(features.encoder) :]:
            axis.set_axis_off()
        for number, (axis, tap) in enumerate(zip(axes[1:], features.encoder, strict=False)):
            one = importance_map(as_tensor(tap[index : index + 1]).float(), p).reshape(tap.shape[2:])
            height = _slice_of(slice_, label.shape[1], one)
            show(axis, np.asarray(to_own_maximum(cut(one, height))), f"encoder.{number}", truth.shape)
            outline(axis, truth, TRUTH)
            axis.set_xlabel(f"{tap.shape[1]} channels, {' x '.join(map(str, tap.shape[2:]))}", fontsize=9)
    figure.suptitle(f"{place(title, slice_)}   (green: truth; white: most active)", fontsize=10)
    return figure


def channels_figure(tap: Tensor, title: str, count: int = 16, index: int = 0) -> Figure:
    """Single channels of a feature map (N, C, *spatial) as they are: one grey scale for all, brighter is larger.

    Shown are those that vary most over the image, the middle slice of a volume.

    Args:
        title: the tap's name.
        count: most channels that are shown.
        index: of the image in the batch.
    """
    maps = as_tensor(tap[index]).float()
    maps = cut(maps, None if maps.ndim == 3 else maps.shape[1] // 2)
    order = maps.flatten(1).std(dim=1, correction=0).argsort(descending=True, stable=True)[:count]
    columns = min(8, len(order))
    rows = -(-len(order) // columns)
    figure = Figure(figsize=(1.5 * columns, 1.7 * rows + 0.4), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    limits = float(maps[order].min()), float(maps[order].max())
    for axis, channel in zip(axes, order.tolist(), strict=False):
        show(axis, scaled(maps[channel][None], limits), f"channel {channel}")
    for axis in axes[len(order) :]:
        axis.set_axis_off()
    figure.suptitle(
        f"{title}: {len(order)} of {tap.shape[1]} channels, from {limits[0]:.2f} (black) to {limits[1]:.2f}",
        fontsize=10,
    )
    return figure


def _slice_of(slice_: int | None, slices: int, coarse: Tensor) -> int | None:
    """The slice of a coarser map at the place of a slice of the image."""
    return None if slice_ is None else slice_ * coarse.shape[0] // slices
