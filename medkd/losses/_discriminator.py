"""The discriminator of Structured KD, after SAGAN: spectral-norm convolutions and self-attention."""

from __future__ import annotations

import torch
from monai.networks.layers.factories import Conv, Norm
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

__all__ = ["SMALLEST_EDGE", "Discriminator"]

SMALLEST_EDGE = 64
"""Four strides of 2, then a convolution of 4."""
_WIDTHS = (64, 128, 256, 512)
_KEYS = 16


class Discriminator(nn.Module):
    """Batches of logits (N, K, *spatial), every edge at least 64, to scores (N, 1, *cells) of each.

    In 2-D 3.2 million parameters. Batch norm on the input, four convolutions of 4 with stride 2, attention after the third
    and the fourth (2-D alone: in 3-D its tokens are too many), a last convolution of 4 without padding.
    """

    def __init__(self, spatial_dims: int, num_classes: int) -> None:
        super().__init__()
        conv = Conv[Conv.CONV, spatial_dims]
        self.norm = Norm[Norm.BATCH, spatial_dims](num_classes)
        layers: list[nn.Module] = []
        for i, (fan_in, fan_out) in enumerate(zip((num_classes, *_WIDTHS[:-1]), _WIDTHS, strict=True)):
            layers += [spectral_norm(conv(fan_in, fan_out, kernel_size=4, stride=2, padding=1)), nn.LeakyReLU(0.1)]
            if i >= 2 and spatial_dims == 2:
                layers.append(SelfAttention(fan_out))
        self.layers = nn.Sequential(*layers, conv(_WIDTHS[-1], 1, kernel_size=4))

    def forward(self, *logits: Tensor) -> tuple[Tensor, ...]:
        """Scores of each batch of logits. They share a pass, but not the statistics of the first norm."""
        scores = self.layers(torch.cat([self.norm(batch) for batch in logits]))
        return scores.split([batch.shape[0] for batch in logits])


class SelfAttention(nn.Module):
    """x + gamma * attention(x), gamma 0 at first. Keys and values are pooled to 16 x 16 cells at most."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, channels // 8, kernel_size=1)
        self.key = nn.Conv2d(channels, channels // 8, kernel_size=1)
        self.value = nn.Conv2d(channels, channels, kernel_size=1)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        size = tuple(min(edge, _KEYS) for edge in x.shape[2:])
        pooled = x if size == tuple(x.shape[2:]) else F.adaptive_avg_pool2d(x, size)
        query, key, value = self.query(x).flatten(2), self.key(pooled).flatten(2), self.value(pooled).flatten(2)
        weights = torch.softmax(query.transpose(1, 2) @ key, dim=-1)  # (N, P, cells)
        return x + self.gamma * (value @ weights.transpose(1, 2)).reshape(x.shape)
