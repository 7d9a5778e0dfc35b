"""The double convolution of UNet and UNet++, and the check of an image size."""

from __future__ import annotations

from monai.networks.layers.factories import Conv, Norm
from torch import Tensor, nn

__all__ = ["check_divisible", "double_conv"]


def double_conv(spatial_dims: int, in_channels: int, out_channels: int) -> nn.Sequential:
    """Build twice: 3-convolution with bias, batch norm, ReLU. The spatial size stays."""
    conv, norm = Conv[Conv.CONV, spatial_dims], Norm[Norm.BATCH, spatial_dims]
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
