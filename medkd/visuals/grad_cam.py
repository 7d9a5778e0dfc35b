"""Grad-CAM of the first and the last layer of a network: which regions of the image raise the score of a class."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from monai.visualize import GradCAM
from torch import Tensor, nn

from medkd.networks import default_taps

from ._panels import (
    TRUTH,
    check_image_and_label,
    divide_by_maximum,
    outline_mask,
    scale_to_unit,
    show_picture,
    slice_title,
    take_slice,
)

__all__ = ["first_and_last", "grad_cam", "grad_cam_figure", "mid_target_slice"]

_COLOUR_MAP = "plasma"


def first_and_last(network: nn.Module) -> tuple[str, str]:
    """Return the names of the first encoder tap and the last decoder tap.

    A network without a decoder gives its last encoder tap.

    Raises:
        ValueError: for a network without default taps.
    """
    taps = default_taps(network)
    return taps["encoder"][0], (*taps["encoder"], *taps.get("decoder", ()))[-1]


def grad_cam(network: nn.Module, image: Tensor, layers: Sequence[str], class_index: int = 1) -> dict[str, Tensor]:
    """Compute the Grad-CAM map of each layer.

    The score is the sum of the logits of the class over all pixels, as in MONAI's `GradCAM`. A map of zeros means that no
    channel of the layer raises the score. Hooks and gradients are those of a copy; the network does not change.

    Args:
        network: returns logits (N, K, *spatial).
        image: (C, *spatial), two or three axes, as the network sees it, on its device.
        layers: names of sub-modules that return maps (N, C, *spatial).
        class_index: channel of the logits.

    Returns:
        Layer -> map (*spatial) of the size of the image, on the CPU, from 0 to 1 at its maximum.

    Raises:
        ValueError: for an unknown sub-module, a layer that returns no map, or an unknown class.

    Example:
        >>> network = nn.Sequential(nn.Conv2d(1, 3, 1), nn.Conv2d(3, 2, 1))
        >>> grad_cam(network, torch.rand(1, 8, 8), ["0"])["0"].shape
        torch.Size([8, 8])
    """
    network_copy = copy.deepcopy(network).eval().requires_grad_(True)
    modules = dict(network_copy.named_modules())
    if unknown := [name for name in layers if name not in modules]:
        raise ValueError(f"grad_cam: {type(network).__name__} has no sub-module {unknown[0]!r} (see `medkd layers`)")
    for module in modules.values():
        if getattr(module, "inplace", False):
            module.inplace = False  # it would overwrite what a hook has recorded
    ordered = [name for name in modules if name in layers]
    # MONAI's own normalisation inverts the map and raises its minimum. MONAI takes a list of layers, but declares a str.
    cam = GradCAM(network_copy, ordered, postprocessing=divide_by_maximum)  # type: ignore[arg-type]
    shapes: dict[str, tuple[int, ...]] = {}
    for name in ordered:
        modules[name].register_forward_hook(_shape_recorder(shapes, name))
    maps: dict[str, Tensor] = {}
    for name in layers:
        batch = image[None].clone().float().requires_grad_(True)
        if not maps:
            _check(network_copy, batch, shapes, class_index)
        # MONAI keeps the layers in the order of its argument
        maps[name] = cam(batch, class_idx=class_index, layer_idx=ordered.index(name))[0, 0].detach().cpu()
    return maps


def _shape_recorder(shapes: dict[str, tuple[int, ...]], name: str) -> Callable[[nn.Module, Any, Any], None]:
    def record(module: nn.Module, inputs: Any, output: Any) -> None:
        shapes[name] = tuple(output.shape) if isinstance(output, Tensor) else ()

    return record


def _check(network: nn.Module, image: Tensor, shapes: Mapping[str, tuple[int, ...]], class_index: int) -> None:
    with torch.no_grad():
        logits = network(image)
    if not 0 <= class_index < logits.shape[1]:
        raise ValueError(
            f"grad_cam: class_index: found {class_index}, expected 0 (background) to {logits.shape[1] - 1}"
        )
    for name, shape in shapes.items():
        if len(shape) != image.ndim:
            raise ValueError(f"grad_cam: layer {name!r} returns {shape}, expected a map (N, C, *spatial)")


def mid_target_slice(label: Any) -> int | None:
    """Return the middle one of the slices (first axis) that hold a target.

    Args:
        label: (*spatial) integers.

    Returns:
        The index; that of the middle slice if no slice holds a target; None for a 2-D label.

    Example:
        >>> mid_target_slice(np.eye(4)[:, :, None])
        2
    """
    label = np.asarray(label)
    if label.ndim == 2:
        return None
    slices = np.flatnonzero((label > 0).any(axis=(1, 2)))
    return int(slices[len(slices) // 2]) if len(slices) else label.shape[0] // 2


def grad_cam_figure(
    networks: Mapping[str, nn.Module],
    image: Any,
    label: Any,
    title: str,
    class_index: int = 1,
    layers: Mapping[str, Sequence[str]] | None = None,
) -> Figure:
    """Return a figure of an image and one column per network: Grad-CAM of its first layer above, of its last layer below.

    Volumes show the slice of `mid_target_slice`.

    Args:
        networks: title -> network, on the CPU.
        image: (C, *spatial), 1 or 3 channels, as the networks see it.
        label: (1, *spatial) integers.
        title: name of the case.
        class_index: channel of the logits.
        layers: title -> names of two sub-modules; None: `first_and_last`.

    Raises:
        ValueError: if image and label do not fit, and as in `grad_cam`.

    Reference: Gorade et al., HLFD, Fig. 3: maps of the first and the final layer, method beside method.
    """
    image, label = check_image_and_label("grad_cam_figure", image, label)
    index = mid_target_slice(label[0])
    background, truth = scale_to_unit(take_slice(image, index)), take_slice(label[0], index) > 0
    rows, columns = truth.shape
    width = len(networks) + 1
    figure = Figure(figsize=(2.6 * width, 5.4 * rows / columns + 0.8), layout="constrained")
    grid = figure.subplots(2, width, squeeze=False)
    show_picture(grid[0, 0], background, "image and ground truth")
    outline_mask(grid[0, 0], truth, TRUTH)
    grid[1, 0].set_axis_off()
    for column, (name, network) in enumerate(networks.items(), start=1):
        pair = (layers or {}).get(name) or first_and_last(network)
        maps = grad_cam(network, image, pair, class_index)
        for row, (position, layer) in enumerate(zip(("first", "last"), pair, strict=True)):
            axes = grid[row, column]
            show_picture(axes, background, f"{name}, {position}: {layer}")
            axes.imshow(take_slice(maps[layer], index), cmap=_COLOUR_MAP, vmin=0, vmax=1, alpha=0.55)
            outline_mask(axes, truth, TRUTH)
    figure.suptitle(
        f"{slice_title(title, index)}   (Grad-CAM of class {class_index}; green: ground truth)", fontsize=10
    )
    return figure
