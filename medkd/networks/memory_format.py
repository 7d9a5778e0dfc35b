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
_ONEDNN_BLOCK = 16  # channels from one pixel to the next where oneDNN writes, with AVX-512; with AVX2 they are 8


def choose_memory_format(
    memory_format: MemoryFormat, device: str | torch.device, network: nn.Module | None = None
) -> MemoryFormat:
    """Return the memory format that ``auto`` stands for on a device; any other one as it is.

    It is a function of the device's kind and the network, so that a run has the same rounding on each CPU. On CPUs training
    is faster with channels last (benchmarks/README.md). Other devices keep contiguous tensors, as they have not been measured.

    On CPUs a network stays contiguous where a 1x1 convolution in 2-D has a stride above 1 and reads fewer than 16 channels,
    or a transposed one writes fewer. With channels last oneDNN writes outside its memory when it computes the gradient of
    such weights: on large maps the process crashes (https://github.com/uxlfoundation/oneDNN/issues/6035). Such a convolution
    is found where it is a module.

    Args:
        memory_format: of the option.
        device: of the network.
        network: to be trained; None: no such convolution.

    Raises:
        ValueError: for another word, and for ``channels_last`` on a CPU with a network that would crash.

    Example:
        >>> choose_memory_format("auto", "cpu")
        'channels_last'
        >>> choose_memory_format("auto", "cpu", nn.Conv2d(8, 16, kernel_size=1, stride=2))
        'contiguous'
    """
    if memory_format not in ("auto", "channels_last", "contiguous"):
        raise ValueError(f"--memory_format: found {memory_format!r}, expected auto, channels_last or contiguous")
    is_cpu = torch.device(device).type == "cpu"
    unsafe = _convolution_that_crashes(network) if is_cpu and network is not None else None
    if memory_format == "channels_last" and unsafe is not None:
        raise ValueError(
            f"--memory_format: found channels_last on a CPU, where the training of the convolution {unsafe} can crash "
            "(oneDNN issue 6035); expected auto or contiguous"
        )
    if memory_format == "auto":
        return "channels_last" if is_cpu and unsafe is None else "contiguous"
    return memory_format


def _convolution_that_crashes(network: nn.Module) -> str | None:
    """Return the name of the first convolution that oneDNN cannot train with channels last, see `choose_memory_format`."""
    for name, layer in network.named_modules():
        if not isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) or layer.groups > 1:
            continue
        # a transposed convolution is the gradient of one whose input has its output's channels
        channels = layer.out_channels if isinstance(layer, nn.ConvTranspose2d) else layer.in_channels
        if layer.kernel_size == (1, 1) and layer.stride != (1, 1) and channels < _ONEDNN_BLOCK:
            return name or type(layer).__name__
    return None


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
    chosen = choose_memory_format(memory_format, device, network)
    return store_channels_last(network) if chosen == "channels_last" else network


def move_for_inference(network: Network, device: str | torch.device) -> Network:
    """Move a network that only predicts to a device, in the layout in which it predicts faster there.

    On CPUs it is stored with channels last (docs/how-to/runtimes.md). A prediction has no gradient that could crash.

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
    network = network.to(device)
    return store_channels_last(network) if choose_memory_format("auto", device) == "channels_last" else network


def contiguous_logits(features: Features) -> Features:
    """Return features whose logits are contiguous: losses that sum over few classes are slower with channels last."""
    return features._replace(
        logits=features.logits.contiguous(), maps=tuple(map_.contiguous() for map_ in features.maps)
    )
