"""The classic UNet, the student of PLC-KD."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ._blocks import check_divisible, double_conv, layer_types

__all__ = ["UNet"]


class UNet(nn.Module):
    """Segment by a UNet with five levels, transposed convolutions and batch norm.

    ``UNet(2, 3, 2)`` has 31,043,586 parameters. The PLC-KD paper says "UNet" and no more; this is the
    usual variant.

    Args:
        spatial_dims: 2 or 3.
        in_channels: channels of the image.
        out_channels: classes K, background included.
        width: channels of the finest level. They double at each of the four levels below.
        deep_supervision: 1x1 heads on all decoder stages except the last. Taps alone read their auxiliary logits; the
            forward returns the final logits.

    Shape:
        (N, in_channels, *spatial) to (N, out_channels, *spatial); every edge a multiple of 16, else ValueError.

    Example:
        >>> UNet(2, in_channels=1, out_channels=2, width=2)(torch.rand(1, 1, 32, 32)).shape
        torch.Size([1, 2, 32, 32])

    Reference: Ronneberger et al., U-Net, MICCAI 2015. Differs: padded convolutions, batch norm.
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        out_channels: int,
        width: int = 64,
        deep_supervision: bool = False,
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        layers = layer_types(spatial_dims)
        conv, up = layers.conv, layers.transposed
        widths = [width * 2**level for level in range(5)]
        pairs = list(zip([in_channels, *widths[:-2]], widths[:-1], strict=True))
        self.encoder = nn.ModuleList(double_conv(spatial_dims, *pair) for pair in pairs)
        self.pool = layers.max_pool(2)
        self.bottleneck = double_conv(spatial_dims, widths[-2], widths[-1])
        decoder_widths = widths[-2::-1]
        self.up = nn.ModuleList(up(2 * w, w, kernel_size=2, stride=2) for w in decoder_widths)
        self.decoder = nn.ModuleList(double_conv(spatial_dims, 2 * w, w) for w in decoder_widths)
        self.heads = nn.ModuleList(
            conv(w, out_channels, kernel_size=1) for w in decoder_widths[:-1] if deep_supervision
        )
        self.head = conv(width, out_channels, kernel_size=1)

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits of images (N, C, *spatial)."""
        if not torch.jit.is_scripting():  # TorchScript cannot name a class in a message
            check_divisible(self, image, 16)
        skips: list[Tensor] = []
        x = image
        for stage in self.encoder:
            x = stage(x)
            skips.append(x)
            x = self.pool(x)
        x = self.bottleneck(x)
        for level, (up, stage) in enumerate(zip(self.up, self.decoder)):  # noqa: B905  TorchScript takes no strict
            x = stage(torch.cat([skips.pop(), up(x)], dim=1))
            if not torch.jit.is_scripting() and level < len(self.heads):
                self.heads[level](x)  # a tap reads the output
        return self.head(x)

    def default_taps(self) -> dict[str, tuple[str, ...]]:
        """Return the names of the encoder at strides 1 to 16, the decoder at 8 to 1, and the deep-supervision heads."""
        return {
            "encoder": (*(f"encoder.{level}" for level in range(4)), "bottleneck"),
            "decoder": tuple(f"decoder.{level}" for level in range(4)),
            "maps": tuple(f"heads.{level}" for level in range(len(self.heads))),
        }
