"""The sub-modules of a network with what they give: the names among which taps are chosen."""

from __future__ import annotations

from typing import NamedTuple

import torch
from monai.networks.utils import eval_mode
from torch import Tensor, nn

__all__ = ["Layer", "layers"]


class Layer(NamedTuple):
    """One sub-module, as it ran."""

    name: str
    """As in ``network.named_modules()``, and in the lists of taps."""
    kind: str
    """Its class."""
    shape: tuple[int, ...] | None
    """Of its output (N, C, *spatial), or tokens (N, L, C); None where it gives anything but one tensor: no tap."""


def layers(network: nn.Module, image: Tensor, depth: int | None = None) -> list[Layer]:
    """What each sub-module gives for an image (N, C, *spatial), in the order of the forward, one entry a sub-module.

    Args:
        network: any module; run once, in eval mode, without gradient.
        image: on the network's device.
        depth: how many dots deep names may be plus one; None lists all.
    """
    found: dict[str, Layer] = {}

    def recorder(name: str):
        def record(module: nn.Module, inputs: tuple, output: object) -> None:
            shape = tuple(output.shape) if isinstance(output, Tensor) else None
            found.setdefault(name, Layer(name, type(module).__name__, shape))

        return record

    named = [(name, module) for name, module in network.named_modules() if name]
    wanted = [pair for pair in named if depth is None or pair[0].count(".") < depth]
    handles = [module.register_forward_hook(recorder(name)) for name, module in wanted]
    try:
        with torch.no_grad(), eval_mode(network):
            network(image)
    finally:
        for handle in handles:
            handle.remove()
    return list(found.values())
