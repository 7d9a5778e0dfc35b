"""The number that each edge of a network's image must be a multiple of, asked of the network."""

from __future__ import annotations

import torch
from torch import nn

from .features import input_spec

__all__ = ["required_multiple"]

_MULTIPLES = (1, 2, 4, 8, 16, 32, 64)


def required_multiple(network: nn.Module, fallback: int | None = None) -> int:
    """Find the smallest number that each edge of an image must be a multiple of, by dry forwards.

    Args:
        network: images (N, C, *spatial) to logits (N, K, *spatial).
        fallback: returned for a network that takes no image of such sizes; None raises.

    Returns:
        1 for a network that takes any size, else a power of two up to 64.

    Raises:
        ValueError: for a network that takes no image of such sizes (such as one with position embeddings for a single size).

    Example:
        >>> from medkd.networks import UNet
        >>> required_multiple(UNet(2, 1, 2, width=2))
        16
        >>> required_multiple(torch.nn.Conv2d(1, 2, 3, padding=1))
        1
    """
    from monai.networks.utils import eval_mode  # imports all of MONAI, which a prediction does not need

    dims, channels = input_spec(network)
    device = next((value.device for value in network.parameters()), torch.device("cpu"))
    with torch.no_grad(), eval_mode(network):
        for multiple in _MULTIPLES:
            # an odd number of steps at the coarsest level, and large enough for any network of fewer levels
            edge = 3 * multiple if multiple > 8 else 48 + multiple
            try:
                shape = network(torch.zeros(1, channels, *(edge,) * dims, device=device)).shape[2:]
            except (ValueError, RuntimeError, AssertionError):
                continue
            if tuple(shape) == (edge,) * dims:
                return multiple
    if fallback is not None:
        return fallback
    name = type(network).__name__
    raise ValueError(
        f"{name}: found no image size that it takes, expected edges that are multiples of {_MULTIPLES[-1]}"
    )
