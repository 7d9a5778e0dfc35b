"""TransUNet, the teacher of PLC-KD: a ResNetV2, a Vision Transformer on its deepest map, a decoder with skips."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ._blocks import check_divisible, layer_types
from .resnet_v2 import ResNetV2

__all__ = ["TransUNet"]

_STRIDE = 16
_RGB = 3


class _TransformerLayer(nn.Module):
    """Pre-norm attention and MLP of MONAI's blocks. MONAI's own layer has one dropout for both and another eps."""

    def __init__(self, hidden_size: int, mlp_dim: int, num_heads: int, dropout: float) -> None:
        # imports all of MONAI, which networks without attention do not need
        from monai.networks.blocks.mlp import MLPBlock
        from monai.networks.blocks.selfattention import SABlock

        super().__init__()
        self.norm1, self.norm2 = (nn.LayerNorm(hidden_size, eps=1e-6) for _ in range(2))
        self.attention = SABlock(hidden_size, num_heads, qkv_bias=True, use_flash_attention=True)
        self.mlp = MLPBlock(hidden_size, mlp_dim, dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Transform tokens (N, L, hidden_size)."""
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class TransUNet(nn.Module):
    """Segment by R50+ViT-B/16 with a cascaded upsampler.

    ``TransUNet(2, 3, 2, img_size=224)`` has 105,276,066 parameters. The PLC-KD paper says "TransUNet" and no more; this is
    the usual variant. Without weights from ImageNet-21k (`medkd.networks.load_imagenet21k`) expect a weaker teacher than
    the published one.

    Args:
        spatial_dims: 2 or 3.
        in_channels: channels of the image. A single channel is repeated to three, as in the authors' code.
        out_channels: classes K, background included.
        img_size: edge or edges in pixels of the image for which the position table is built. For other sizes the table is
            interpolated.
        width: channels of the ResNet's root. The decoder has 4, 2, 1 and 1/4 times as many.
        units: number of bottleneck blocks of the ResNet's stages.
        hidden_size: channels of a token.
        mlp_dim: channels of the Transformer's hidden MLP layer.
        num_layers: layers of the Transformer.
        num_heads: attention heads of a layer.
        dropout: dropout of the tokens and the MLPs.
        deep_supervision: 1x1 heads on all decoder stages except the last. Taps alone read their auxiliary logits.

    Shape:
        (N, in_channels, *spatial) to (N, out_channels, *spatial); every edge a multiple of 16, else ValueError.

    Example:
        >>> sizes = {"width": 4, "units": (1, 1, 1), "hidden_size": 8, "mlp_dim": 8, "num_layers": 1, "num_heads": 2}
        >>> TransUNet(2, in_channels=1, out_channels=2, img_size=32, **sizes)(torch.rand(1, 1, 32, 32)).shape
        torch.Size([1, 2, 32, 32])

    Reference: Chen et al., TransUNet, arXiv 2102.04306. Differs from the authors' code: any size that is a multiple of
    16, and one matrix for queries, keys and values. The 3-D network follows the same plan; it is not the authors' 3-D network.
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        out_channels: int,
        img_size: int | Sequence[int] = 224,
        width: int = 64,
        units: Sequence[int] = (3, 4, 9),
        hidden_size: int = 768,
        mlp_dim: int = 3072,
        num_layers: int = 12,
        num_heads: int = 12,
        dropout: float = 0.1,
        deep_supervision: bool = False,
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        edges = [img_size] * spatial_dims if isinstance(img_size, int) else list(img_size)
        if len(edges) != spatial_dims or any(edge % _STRIDE for edge in edges):
            raise ValueError(f"TransUNet: img_size {img_size} found, expected {spatial_dims} multiples of {_STRIDE}")
        self.grid = tuple(edge // _STRIDE for edge in edges)
        conv = layer_types(spatial_dims).conv
        self.mode = "bilinear" if spatial_dims == 2 else "trilinear"
        self.resnet = ResNetV2(spatial_dims, _RGB if in_channels == 1 else in_channels, width, units)
        self.embedding = conv(16 * width, hidden_size, kernel_size=1)
        self.positions = nn.Parameter(torch.zeros(1, math.prod(self.grid), hidden_size))
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.Sequential(
            *(_TransformerLayer(hidden_size, mlp_dim, num_heads, dropout) for _ in range(num_layers))
        )
        self.norm = nn.LayerNorm(hidden_size, eps=1e-6)
        self.widen = _conv_block(spatial_dims, hidden_size, 8 * width)
        outputs = (4 * width, 2 * width, width, max(1, width // 4))
        inputs, skips = (8 * width, *outputs[:-1]), (8 * width, 4 * width, width, 0)
        self.decoder = nn.ModuleList(
            nn.Sequential(_conv_block(spatial_dims, i + s, o), _conv_block(spatial_dims, o, o))
            for i, s, o in zip(inputs, skips, outputs, strict=True)
        )
        self.heads = nn.ModuleList(conv(o, out_channels, kernel_size=1) for o in outputs[:-1] if deep_supervision)
        self.head = conv(outputs[-1], out_channels, kernel_size=3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits of images (N, C, *spatial)."""
        check_divisible(self, image, _STRIDE)
        x = image.expand(-1, _RGB, *image.shape[2:]) if self.in_channels == 1 else image
        x, skips = self.resnet(x)
        x = self.embedding(x)
        grid = x.shape[2:]
        tokens = self.dropout(x.flatten(2).transpose(1, 2) + self._positions(tuple(grid)))
        tokens = self.norm(self.layers(tokens))
        x = self.widen(tokens.transpose(1, 2).reshape(x.shape))
        for level, stage in enumerate(self.decoder):
            x = F.interpolate(x, scale_factor=2, mode=self.mode, align_corners=True)
            x = stage(torch.cat([x, skips[-1 - level]], dim=1) if level < len(skips) else x)
            if level < len(self.heads):
                self.heads[level](x)  # a tap reads the output
        return self.head(x)

    def _positions(self, grid: tuple[int, ...]) -> Tensor:
        """Return the position table (1, P, hidden_size), interpolated to the grid where necessary."""
        if grid == self.grid:
            return self.positions
        table = self.positions.transpose(1, 2).reshape(1, -1, *self.grid)
        table = F.interpolate(table, size=grid, mode=self.mode, align_corners=False)
        return table.flatten(2).transpose(1, 2)

    def default_taps(self) -> dict[str, tuple[str, ...]]:
        """Return the names of the ResNet at strides 2, 4, 8, the tokens at 16, the decoder at 8 to 1, and the heads."""
        return {
            "encoder": (*(f"resnet.skips.{i}" for i in range(len(self.resnet.skips))), "norm"),
            "decoder": tuple(f"decoder.{level}" for level in range(len(self.decoder))),
            "maps": tuple(f"heads.{level}" for level in range(len(self.heads))),
        }


def _conv_block(spatial_dims: int, fan_in: int, fan_out: int) -> nn.Sequential:
    """Build a 3-convolution without bias, batch norm and ReLU."""
    layers = layer_types(spatial_dims)
    return nn.Sequential(
        layers.conv(fan_in, fan_out, kernel_size=3, padding=1, bias=False),
        layers.norm(fan_out),
        nn.ReLU(inplace=True),
    )
