"""The discriminator of Structured KD, modelled on SAGAN: spectral-norm convolutions and self-attention."""

from __future__ import annotations

import torch
from monai.networks.layers.factories import Conv, Norm
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from ._common import adaptive_avg_pool

__all__ = ["SMALLEST_EDGE", "Discriminator"]

SMALLEST_EDGE = 64
"""The shortest edge that is left after four strides of 2 and a convolution of 4."""
_WIDTHS = (64, 128, 256, 512)
_KEYS = 16


class Discriminator(nn.Module):
    """Score segmentations: batch norm, four convolutions of 4 with stride 2, a last convolution of 4 without padding.

    In 2-D self-attention follows the third and the fourth convolution; in 3-D it would have too many tokens. The 2-D
    discriminator has 3.2 million parameters.

    Args:
        spatial_dims: 2 or 3.
        num_classes: K of the logits.

    Shape:
        Batches of logits (N, K, *spatial), every edge at least 64, to scores (N, 1, *cells) of each batch.
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
        """Return the scores of each batch of logits. The batches share a pass, but not the statistics of the first norm."""
        scores = self.layers(torch.cat([self.norm(batch) for batch in logits]))
        return scores.split([batch.shape[0] for batch in logits])


class SelfAttention(nn.Module):
    """Compute x + gamma * attention(x), gamma 0 at first. Keys and values are pooled to 16 x 16 cells at most."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, channels // 8, kernel_size=1)
        self.key = nn.Conv2d(channels, channels // 8, kernel_size=1)
        self.value = nn.Conv2d(channels, channels, kernel_size=1)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """Attend over the positions of a map (N, C, H, W)."""
        size = tuple(min(edge, _KEYS) for edge in x.shape[2:])
        pooled = x if size == tuple(x.shape[2:]) else adaptive_avg_pool(x, size)
        query, key, value = self.query(x).flatten(2), self.key(pooled).flatten(2), self.value(pooled).flatten(2)
        weights = torch.softmax(query.transpose(1, 2) @ key, dim=-1)  # (N, P, cells)
        return x + self.gamma * (value @ weights.transpose(1, 2)).reshape(x.shape)
