"""Grad-CAM of the first and the last layer of a network: which regions of the image raise the score of a class."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.visualize import GradCAM
from torch import Tensor, nn

from medkd.networks import default_taps

from ._panels import divide_by_maximum

__all__ = ["first_and_last", "grad_cam", "mid_target_slice"]


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
    network_copy = copy.deepcopy(network).eval().requires_grad_(False)  # the image alone needs a gradient
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
