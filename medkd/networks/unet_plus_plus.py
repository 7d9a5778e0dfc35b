"""UNet++, the teacher of HLFD."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ._blocks import check_divisible, double_conv, layer_types

__all__ = ["UNetPlusPlus"]

_LEVELS = 5


class UNetPlusPlus(nn.Module):
    """Segment by a UNet++ with five levels of nested, dense skip connections.

    Node ``x{i}{j}`` lies at level i (stride 2^i) and column j; column 0 is the encoder, ``x04`` feeds the classifier.
    ``UNetPlusPlus(2, 1, 2)`` has 36,171,458 parameters: the only variant found that meets the "36.1M" of the HLFD paper.
    The code released with that paper builds the bilinear one: ``up="bilinear"``, 36,628,546.

    Args:
        spatial_dims: 2 or 3.
        in_channels: channels of the image.
        out_channels: classes K, background included.
        width: channels of level 0. They double at each level below.
        up: "deconv" (transposed convolution of 2 to the channels of the upper level) or "bilinear" (trilinear in 3-D).
        deep_supervision: 1x1 heads on x01, x02 and x03 (390 parameters at width 64, K=2). Taps alone read their
            auxiliary logits; the forward returns the logits of x04.

    Shape:
        (N, in_channels, *spatial) to (N, out_channels, *spatial); every edge a multiple of 16, else ValueError.

    Raises:
        ValueError: for an unknown ``up``.

    Example:
        >>> UNetPlusPlus(2, in_channels=1, out_channels=2, width=2)(torch.rand(1, 1, 32, 32)).shape
        torch.Size([1, 2, 32, 32])

    Reference: Zhou et al., UNet++, DLMIA 2018. Differs: the final logits are those of x04, never the mean of the heads.
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        out_channels: int,
        width: int = 64,
        up: str = "deconv",
        deep_supervision: bool = False,
    ) -> None:
        super().__init__()
        if up not in ("deconv", "bilinear"):
            raise ValueError(f"UNetPlusPlus: up must be 'deconv' or 'bilinear', found {up!r}")
        self.in_channels = in_channels
        layers = layer_types(spatial_dims)
        widths = [width * 2**level for level in range(_LEVELS)]
        self.pool = layers.max_pool(2)
        self.nodes = nn.ModuleDict()
        self.ups = nn.ModuleDict()
        for level, w in enumerate(widths):
            self.nodes[f"x{level}0"] = double_conv(spatial_dims, widths[level - 1] if level else in_channels, w)
        for column in range(1, _LEVELS):
            for level in range(_LEVELS - column):
                w, below = widths[level], widths[level + 1]
                self.ups[f"x{level}{column}"] = _upsampler(spatial_dims, below, w, up)
                upsampled = w if up == "deconv" else below
                self.nodes[f"x{level}{column}"] = double_conv(spatial_dims, column * w + upsampled, w)
        self.heads = nn.ModuleDict(
            {
                f"x0{column}": layers.conv(width, out_channels, kernel_size=1)
                for column in range(1, 4)
                if deep_supervision
            }
        )
        self.head = layers.conv(width, out_channels, kernel_size=1)

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits of images (N, C, *spatial)."""
        check_divisible(self, image, 2 ** (_LEVELS - 1))
        rows: list[list[Tensor]] = []  # rows[level] holds the nodes of one level, column by column
        x = image
        for level in range(_LEVELS):
            x = self.nodes[f"x{level}0"](self.pool(x) if level else x)
            rows.append([x])
        for column in range(1, _LEVELS):
            for level in range(_LEVELS - column):
                name = f"x{level}{column}"
                upsampled = self.ups[name](rows[level + 1][column - 1])
                rows[level].append(self.nodes[name](torch.cat([*rows[level], upsampled], dim=1)))
        for name, head in self.heads.items():
            head(rows[0][int(name[-1])])  # a tap reads the output
        return self.head(rows[0][-1])

    def default_taps(self) -> dict[str, tuple[str, ...]]:
        """Return the names of the encoder x00..x40, the outer diagonal x31..x04 (decoder), and the heads x01..x03."""
        return {
            "encoder": tuple(f"nodes.x{level}0" for level in range(_LEVELS)),
            "decoder": tuple(f"nodes.x{_LEVELS - 1 - column}{column}" for column in range(1, _LEVELS)),
            "maps": tuple(f"heads.{name}" for name in self.heads),
        }


def _upsampler(spatial_dims: int, in_channels: int, out_channels: int, up: str) -> nn.Module:
    """Build a module that doubles the size of a map."""
    if up == "deconv":
        return layer_types(spatial_dims).transposed(in_channels, out_channels, kernel_size=2, stride=2)
    return nn.Upsample(scale_factor=2, mode="bilinear" if spatial_dims == 2 else "trilinear", align_corners=True)
