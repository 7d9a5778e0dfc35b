"""The ResNetV2 of "Big Transfer", which TransUNet has before its Transformer: standardised weights, group norm."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ._blocks import layer_types

__all__ = ["ResNetV2"]


def _standardise(weight: Tensor) -> Tensor:
    """Return convolution weights (out, in, *kernel) with mean 0 and variance 1 for each output channel."""
    axes = tuple(range(1, weight.ndim))
    variance, mean = torch.var_mean(weight, dim=axes, correction=0, keepdim=True)
    return (weight - mean) / torch.sqrt(variance + 1e-5)


class StdConv2d(nn.Conv2d):
    """A `Conv2d` whose weights are standardised in each forward."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return super()._conv_forward(input, _standardise(weight), bias)


class StdConv3d(nn.Conv3d):
    """A `Conv3d` whose weights are standardised in each forward."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return super()._conv_forward(input, _standardise(weight), bias)


def _group_norm(channels: int) -> nn.GroupNorm:
    """Build a group norm of 32 groups, or fewer where 32 does not divide the channels."""
    return nn.GroupNorm(math.gcd(32, channels), channels, eps=1e-6)


class _Bottleneck(nn.Module):
    """Convolutions 1x1, 3x3 with the stride, 1x1; the shortcut is projected where size or channels change."""

    def __init__(self, conv: type[nn.Module], fan_in: int, fan_out: int, stride: int) -> None:
        super().__init__()
        middle = fan_out // 4
        self.conv1, self.norm1 = conv(fan_in, middle, 1, bias=False), _group_norm(middle)
        self.conv2, self.norm2 = conv(middle, middle, 3, stride, 1, bias=False), _group_norm(middle)
        self.conv3, self.norm3 = conv(middle, fan_out, 1, bias=False), _group_norm(fan_out)
        self.downsample: nn.Module | None = None
        if stride != 1 or fan_in != fan_out:
            # one group a channel, as in the published weights
            self.downsample = conv(fan_in, fan_out, 1, stride, bias=False)
            self.norm_downsample = nn.GroupNorm(fan_out, fan_out)

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum of the convolved map and the shortcut."""
        shortcut = x if self.downsample is None else self.norm_downsample(self.downsample(x))
        x = F.relu(self.norm1(self.conv1(x)))
        x = F.relu(self.norm2(self.conv2(x)))
        return F.relu(shortcut + self.norm3(self.conv3(x)))


class ResNetV2(nn.Module):
    """Encode an image by a root at stride 2 and stages at strides 4, 8 and 16 with 4, 8 and 16 times the width.

    Args:
        spatial_dims: 2 or 3.
        in_channels: channels of the image.
        width: channels of the root (64).
        units: number of bottleneck blocks of each stage.

    Shape:
        (N, in_channels, *spatial), edges multiples of 16, to the deepest map and the skips at strides 2, 4, 8.

    Example:
        >>> deepest, skips = ResNetV2(2, in_channels=3, width=4, units=(1, 1, 1))(torch.rand(1, 3, 32, 32))
        >>> deepest.shape, len(skips)
        (torch.Size([1, 64, 2, 2]), 3)
    """

    def __init__(self, spatial_dims: int, in_channels: int, width: int = 64, units: Sequence[int] = (3, 4, 9)) -> None:
        super().__init__()
        conv = StdConv2d if spatial_dims == 2 else StdConv3d
        self.root = nn.Sequential(
            conv(in_channels, width, 7, 2, 3, bias=False), _group_norm(width), nn.ReLU(inplace=True)
        )
        self.pool = layer_types(spatial_dims).max_pool(kernel_size=3, stride=2)
        self.stages = nn.ModuleList()
        fan_in = width
        for i, count in enumerate(units):
            fan_out = width * 4 * 2**i
            strides = [1 if i == 0 else 2, *[1] * (count - 1)]
            chain = [_Bottleneck(conv, fan_in if u == 0 else fan_out, fan_out, s) for u, s in enumerate(strides)]
            self.stages.append(nn.Sequential(*chain))
            fan_in = fan_out
        # pooling without padding makes the map at stride 4 one position too short: zeros pad the skip to its full size
        self.skips = nn.ModuleList(nn.Identity() for _ in units)

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the deepest map and the skips, fine to coarse."""
        image = x.shape[2:]
        x = self.root(x)
        skips = [self.skips[0](x)]
        x = self.pool(x)
        for i, stage in enumerate(self.stages):
            x = stage(x)
            if i + 1 < len(self.stages):
                missing = [edge // 2 ** (i + 2) - size for edge, size in zip(image, x.shape[2:], strict=True)]
                padding = [side for count in reversed(missing) for side in (0, count)]
                skips.append(self.skips[i + 1](F.pad(x, padding) if any(missing) else x))
        return x, skips
