"""The memory layout of networks and batches: channels last where convolutions are faster with it."""

from __future__ import annotations

from typing import Literal, TypeVar

import torch
from torch import Tensor, nn

from .features import Features

__all__ = [
    "MemoryFormat",
    "choose_memory_format",
    "contiguous_logits",
    "move_for_inference",
    "store_channels_last",
    "store_in_format",
    "to_channels_last",
]

MemoryFormat = Literal["auto", "channels_last", "contiguous"]
Network = TypeVar("Network", bound=nn.Module)
_BY_NDIM = {4: torch.channels_last, 5: torch.channels_last_3d}


def choose_memory_format(memory_format: MemoryFormat, device: str | torch.device) -> MemoryFormat:
    """Return the memory format that ``auto`` stands for on a device; any other one as it is.

    It is a function of the device's kind alone, so that a run has the same rounding on each CPU. On CPUs training is faster
    with channels last (benchmarks/README.md). Other devices keep contiguous tensors, as they have not been measured.

    Args:
        memory_format: of the option.
        device: of the network.

    Raises:
        ValueError: for another word.

    Example:
        >>> choose_memory_format("auto", "cpu")
        'channels_last'
    """
    if memory_format not in ("auto", "channels_last", "contiguous"):
        raise ValueError(f"--memory_format: found {memory_format!r}, expected auto, channels_last or contiguous")
    if memory_format == "auto":
        return "channels_last" if torch.device(device).type == "cpu" else "contiguous"
    return memory_format


def to_channels_last(images: Tensor) -> Tensor:
    """Return images (N, C, *spatial) of 2 or 3 axes as a copy whose channels lie beside each other; others as they are.

    The copy is made even of one channel, where both layouts are the same in memory: convolutions go by the strides.

    Example:
        >>> to_channels_last(torch.zeros(2, 1, 4, 4)).stride()
        (16, 1, 4, 1)
    """
    memory_format = _BY_NDIM.get(images.ndim)
    return images if memory_format is None else images.clone(memory_format=memory_format)


def store_channels_last(network: Network) -> Network:
    """Store the weights of the convolutions of a network with channels last, in place. Values and names stay.

    `torch.nn.Module.to(memory_format=...)` refuses a 3-D network that also has parameters of four axes.

    Returns:
        The network.
    """
    for parameter in network.parameters():
        parameter.data = to_channels_last(parameter.data)
    return network


def store_in_format(network: Network, memory_format: MemoryFormat, device: str | torch.device) -> Network:
    """Store the weights of a network in place as training does, see `choose_memory_format`, and return the network.

    A test by `medkd evaluate` has the values of the test after the training only in the same layout.
    """
    return store_channels_last(network) if choose_memory_format(memory_format, device) == "channels_last" else network


def move_for_inference(network: Network, device: str | torch.device) -> Network:
    """Move a network that only predicts to a device, in the layout in which it predicts faster there.

    On CPUs it is stored with channels last, as in training (docs/how-to/runtimes.md).

    Args:
        network: images ``(N, C, *spatial)`` to logits.
        device: of the predictions.

    Returns:
        The network.

    Example:
        >>> network = move_for_inference(nn.Conv2d(8, 2, kernel_size=3), "cpu")
        >>> network.weight.is_contiguous(memory_format=torch.channels_last)
        True
    """
    return store_in_format(network.to(device), "auto", device)


def contiguous_logits(features: Features) -> Features:
    """Return features whose logits are contiguous: losses that sum over few classes are slower with channels last."""
    return features._replace(
        logits=features.logits.contiguous(), maps=tuple(map_.contiguous() for map_ in features.maps)
    )
