"""Feature maps as pictures: where the stages of networks are active, and single channels of a stage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from medkd.losses._importance import importance_map
from medkd.networks import Features

from ._panels import (
    TRUTH,
    as_tensor,
    check_image_and_label,
    divide_by_maximum,
    fullest_slice,
    outline_mask,
    scale_to_unit,
    show_picture,
    slice_title,
    take_slice,
)

__all__ = ["channels_figure", "importance_figure"]


def importance_figure(
    networks: Mapping[str, Features], image: Any, label: Any, title: str, p: float = 2, index: int = 0
) -> Figure:
    """Return a figure with one row per network: image and ground truth, then the importance map of each encoder tap.

    The taps stand from fine to coarse. The map is that of `ATLoss` and `HLFDLoss`, the mean of abs(f)^p over channels. Each
    map is scaled from black, 0, to white, its maximum: it shows where a stage is active, not how strongly. Volumes show the
    slice with most lesion.

    Args:
        networks: name -> features of a batch that holds the image.
        image: (C, *spatial), as the networks see it.
        label: (1, *spatial) integers.
        title: name of the case.
        p: power of the map.
        index: of the image in the batch.

    Raises:
        ValueError: for a network without encoder taps, or if image and label do not fit.
    """
    image, label = check_image_and_label("importance_figure", image, label)
    slice_index = fullest_slice(label[0] > 0)
    background = scale_to_unit(take_slice(image, slice_index))
    truth = take_slice(label[0] > 0, slice_index)
    columns = 1 + max(len(features.encoder) for features in networks.values())
    figure = Figure(figsize=(2.1 * columns, 2.45 * len(networks) + 0.4), layout="constrained")
    grid = figure.subplots(len(networks), columns, squeeze=False)
    for panels, (name, features) in zip(grid, networks.items(), strict=True):
        if not features.encoder:
            raise ValueError(f"importance_figure: {name} has no encoder taps")
        show_picture(panels[0], background, "image and ground truth")
        outline_mask(panels[0], truth, TRUTH)
        panels[0].set_ylabel(name, fontsize=11, parse_math=False)
        for axes in panels[1 + len(features.encoder) :]:
            axes.set_axis_off()
        for number, (axes, tap) in enumerate(zip(panels[1:], features.encoder, strict=False)):
            map_ = importance_map(as_tensor(tap[index : index + 1]).float(), p).reshape(tap.shape[2:])
            coarse = take_slice(map_, _coarse_index(slice_index, label.shape[1], map_))
            show_picture(axes, np.asarray(divide_by_maximum(coarse)), f"encoder.{number}", tuple(truth.shape))
            outline_mask(axes, truth, TRUTH)
            axes.set_xlabel(f"{tap.shape[1]} channels, {' x '.join(map(str, tap.shape[2:]))}", fontsize=9)
    figure.suptitle(
        f"{slice_title(title, slice_index)}   (yellow: ground truth; white: most active)", fontsize=10, parse_math=False
    )
    return figure


def channels_figure(tap: Tensor, title: str, count: int = 16, index: int = 0) -> Figure:
    """Return a figure of the channels of a feature map that vary most over the image.

    All channels have one grey scale; brighter is larger. Volumes show the middle slice.

    Args:
        tap: (N, C, *spatial).
        title: name of the tap.
        count: number of channels at most.
        index: of the image in the batch.
    """
    maps = as_tensor(tap[index]).float()
    maps = take_slice(maps, None if maps.ndim == 3 else maps.shape[1] // 2)
    order = maps.flatten(1).std(dim=1, correction=0).argsort(descending=True, stable=True)[:count]
    columns = min(8, len(order))
    rows = -(-len(order) // columns)
    figure = Figure(figsize=(1.5 * columns, 1.7 * rows + 0.4), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    limits = float(maps[order].min()), float(maps[order].max())
    for axes, channel in zip(panels, order.tolist(), strict=False):
        show_picture(axes, scale_to_unit(maps[channel][None], limits), f"channel {channel}")
    for axes in panels[len(order) :]:
        axes.set_axis_off()
    figure.suptitle(
        f"{title}: {len(order)} of {tap.shape[1]} channels, from {limits[0]:.2f} (black) to {limits[1]:.2f}",
        fontsize=10,
        parse_math=False,
    )
    return figure


def _coarse_index(index: int | None, slices: int, coarse: Tensor) -> int | None:
    """Return the slice of a coarser map that lies at a slice of the image."""
    return None if index is None else index * coarse.shape[0] // slices
