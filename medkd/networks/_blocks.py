"""What the networks are built of: torch's layers for 2 or 3 axes, the double convolution, the check of an image size.

MONAI's factories give the same classes, but importing them imports all of MONAI: seconds that a prediction does not need.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor, nn

__all__ = ["LayerTypes", "check_divisible", "double_conv", "layer_types"]


class LayerTypes(NamedTuple):
    """The classes of torch's layers for a number of spatial axes."""

    conv: Any
    transposed: Any
    norm: Any
    max_pool: Any


def layer_types(spatial_dims: int) -> LayerTypes:
    """Return the classes of convolution, transposed convolution, batch norm and max pooling.

    Example:
        >>> layer_types(3).conv
        <class 'torch.nn.modules.conv.Conv3d'>
    """
    names = ("Conv", "ConvTranspose", "BatchNorm", "MaxPool")
    return LayerTypes(*(getattr(nn, f"{name}{spatial_dims}d") for name in names))


def double_conv(spatial_dims: int, in_channels: int, out_channels: int) -> nn.Sequential:
    """Build twice: 3-convolution with bias, batch norm, ReLU. The spatial size stays."""
    layers = layer_types(spatial_dims)
    conv, norm = layers.conv, layers.norm
    return nn.Sequential(
        conv(in_channels, out_channels, kernel_size=3, padding=1),
        norm(out_channels),
        nn.ReLU(inplace=True),
        conv(out_channels, out_channels, kernel_size=3, padding=1),
        norm(out_channels),
        nn.ReLU(inplace=True),
    )


def check_divisible(network: nn.Module, image: Tensor, factor: int) -> None:
    """Raise ValueError when an edge of images (N, C, *spatial) is not a multiple of the network's total stride."""
    size = tuple(image.shape[2:])
    if any(edge % factor for edge in size):
        raise ValueError(f"{type(network).__name__}: image size {size} found, each edge must be a multiple of {factor}")
