"""List the sub-modules of a network with the shapes of their outputs, from which a user chooses taps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

__all__ = ["Layer", "layers"]


class Layer(NamedTuple):
    """One sub-module and the shape of its output."""

    name: str
    """Name in ``network.named_modules()`` and in lists of taps."""
    kind: str
    """Name of its class."""
    shape: tuple[int, ...] | None
    """Shape of its output, a map (N, C, *spatial) or tokens (N, L, C); None where it is not one tensor and cannot be tapped."""


def layers(network: nn.Module, image: Tensor, depth: int | None = None) -> list[Layer]:
    """List the sub-modules of a network in the order in which a forward runs them, each once.

    Args:
        network: any module. It is run once, in eval mode, without gradient.
        image: (N, C, *spatial), on the network's device.
        depth: number of levels of names, 1 for names without a dot; None lists all.

    Example:
        >>> [layer.name for layer in layers(nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU()), torch.rand(1, 1, 4, 4))]
        ['0', '1']
    """
    from monai.networks.utils import eval_mode  # imports all of MONAI, which a prediction does not need

    layers_run: dict[str, Layer] = {}

    def recorder(name: str) -> Callable[[nn.Module, tuple[Any, ...], object], None]:
        def record(module: nn.Module, inputs: tuple[Any, ...], output: object) -> None:
            shape = tuple(output.shape) if isinstance(output, Tensor) else None
            layers_run.setdefault(name, Layer(name, type(module).__name__, shape))

        return record

    named = [(name, module) for name, module in network.named_modules() if name]
    listed = [pair for pair in named if depth is None or pair[0].count(".") < depth]
    handles = [module.register_forward_hook(recorder(name)) for name, module in listed]
    try:
        with torch.no_grad(), eval_mode(network):
            network(image)
    finally:
        for handle in handles:
            handle.remove()
    return list(layers_run.values())
