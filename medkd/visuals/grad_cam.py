"""Grad-CAM of a network's first and last layer: where it looks when it decides for a class."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from monai.visualize import GradCAM
from torch import Tensor, nn

from medkd.networks import default_taps

from ._drawing import TRUTH, cut, image_and_label, outline, place, scaled, show, to_own_maximum, write

__all__ = ["draw_grad_cam", "first_and_last", "grad_cam", "grad_cam_figure", "mid_target_slice"]

_COLOURS = "plasma"


def first_and_last(network: nn.Module) -> tuple[str, str]:
    """Names of the first encoder tap and of the last decoder tap; a network without decoder gives its last encoder tap.

    Raises:
        ValueError: for a network that names no stages.
    """
    taps = default_taps(network)
    return taps["encoder"][0], (*taps["encoder"], *taps.get("decoder", ()))[-1]


def grad_cam(network: nn.Module, image: Tensor, layers: Sequence[str], class_index: int = 1) -> dict[str, Tensor]:
    """Layer -> Grad-CAM map (*spatial) of the image's size, on the CPU, from 0 to 1 at its own maximum.

    The score is the sum of the class's logits over all pixels, as in MONAI's `GradCAM`. A map that is 0 everywhere says that
    no channel of the layer raises that score. The network itself stays as it is: hooks and gradients are those of a copy.

    Args:
        network: any that returns logits (N, K, *spatial).
        image: (C, *spatial) of 2 or 3 axes, as the network sees it, on its device.
        layers: names of sub-modules that give maps (N, C, *spatial).
        class_index: of the logits.

    Raises:
        ValueError: for a name that the network does not have, a layer that gives no map, or a class that is not there.
    """
    copied = copy.deepcopy(network).eval().requires_grad_(True)
    modules = dict(copied.named_modules())
    if unknown := [name for name in layers if name not in modules]:
        raise ValueError(f"grad_cam: {type(network).__name__} has no sub-module {unknown[0]!r} (see `medkd layers`)")
    for module in modules.values():
        if getattr(module, "inplace", False):
            module.inplace = False  # it would overwrite what a hook has recorded
    ordered = [name for name in modules if name in layers]
    # MONAI's own scaling turns the map over, and lifts its minimum
    cam = GradCAM(copied, ordered, postprocessing=to_own_maximum)
    shapes: dict[str, tuple[int, ...]] = {}
    for name in ordered:
        modules[name].register_forward_hook(_shape_recorder(shapes, name))
    found = {}
    for name in layers:
        given = image[None].clone().float().requires_grad_(True)
        if not found:
            _check(copied, given, shapes, class_index)
        # MONAI keeps layers in the order of its argument
        found[name] = cam(given, class_idx=class_index, layer_idx=ordered.index(name))[0, 0].detach().cpu()
    return found


def _shape_recorder(shapes: dict[str, tuple[int, ...]], name: str):
    def record(module: nn.Module, inputs: tuple, output: Any) -> None:
        shapes[name] = tuple(output.shape) if isinstance(output, Tensor) else ()

    return record


def _check(network: nn.Module, image: Tensor, shapes: Mapping[str, tuple[int, ...]], class_index: int) -> None:
    with torch.no_grad():
        logits = network(image)
    if not 0 <= class_index < logits.shape[1]:
        raise ValueError(f"grad_cam: class {class_index} found, the network has {logits.shape[1]} (0 is background)")
    for name, shape in shapes.items():
        if len(shape) != image.ndim:
            raise ValueError(f"grad_cam: layer {name!r} gives {shape}, expected a map (N, C, *spatial)")


def mid_target_slice(label: Any) -> int | None:
    """The middle one of the slices (first axis) that hold a target; of the volume, where none does; None for a picture."""
    label = np.asarray(label)
    if label.ndim == 2:
        return None
    holding = np.flatnonzero((label > 0).any(axis=(1, 2)))
    return int(holding[len(holding) // 2]) if len(holding) else label.shape[0] // 2


def grad_cam_figure(
    networks: Mapping[str, nn.Module],
    image: Any,
    label: Any,
    title: str,
    class_index: int = 1,
    layers: Mapping[str, Sequence[str]] | None = None,
) -> Figure:
    """The image with the truth, then a column a network: its first layer above, its last below; volumes at mid target.

    Args:
        networks: title -> network, on the CPU.
        image: (C, *spatial), 1 or 3 channels, as the networks see it.
        label: (1, *spatial) integers.
        title: the case's name.
        class_index: of the logits.
        layers: title -> names of two sub-modules; None takes `first_and_last`.

    Raises:
        ValueError: when shapes do not fit, or see `grad_cam`.

    Reference: Gorade et al., HLFD, Fig. 3: maps of the first and of the final layer, method beside method.
    """
    image, label = image_and_label("grad_cam", image, label)
    index = mid_target_slice(label[0])
    background, truth = scaled(cut(image, index)), cut(label[0], index) > 0
    rows, columns = truth.shape
    width = len(networks) + 1
    figure = Figure(figsize=(2.6 * width, 5.4 * rows / columns + 0.8), layout="constrained")
    axes = figure.subplots(2, width, squeeze=False)
    show(axes[0, 0], background, "image and truth")
    outline(axes[0, 0], truth, TRUTH)
    axes[1, 0].set_axis_off()
    for column, (name, network) in enumerate(networks.items(), start=1):
        wanted = (layers or {}).get(name) or first_and_last(network)
        maps = grad_cam(network, image, wanted, class_index)
        for row, (word, layer) in enumerate(zip(("first", "last"), wanted, strict=True)):
            axis = axes[row, column]
            show(axis, background, f"{name}, {word}: {layer}")
            axis.imshow(cut(maps[layer], index), cmap=_COLOURS, vmin=0, vmax=1, alpha=0.55)
            outline(axis, truth, TRUTH)
    figure.suptitle(f"{place(title, index)}   (Grad-CAM of class {class_index}; green: truth)", fontsize=10)
    return figure


def draw_grad_cam(
    networks: Mapping[str, nn.Module], image: Any, label: Any, path: str | Path, title: str, class_index: int = 1
) -> Path:
    """Writes `grad_cam_figure`; its arguments, and the file. Returns the path."""
    return write(grad_cam_figure(networks, image, label, title, class_index), path)
