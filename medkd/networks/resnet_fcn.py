"""ResNet18 without classifier plus a 1x1 convolution, the student of HLFD."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from ._blocks import layer_types
from ._resnet18 import ResNet18

__all__ = ["ResNetFCN"]

_RGB = 3


class ResNetFCN(nn.Module):
    """Segment by a fully convolutional ResNet18: logits at stride 32, interpolated to the image, without a decoder.

    ``ResNetFCN(2, 3, 2)`` has 11,177,538 parameters, as in the code released with HLFD. The paper's "11.6M" may be
    the count of ResNet18 with its 1000-way classifier (11.69M); that is not established. The stride of 32 blurs small lesions.

    Args:
        spatial_dims: 2 or 3.
        in_channels: channels of the image. A single channel is repeated to three, as in the released code.
        out_channels: classes K, background included.
        width: channels of the stem (64 in ResNet18); the four stages have 1, 2, 4 and 8 times as many.

    Shape:
        (N, in_channels, *spatial) to (N, out_channels, *spatial), any size.

    Example:
        >>> import torch
        >>> ResNetFCN(2, in_channels=1, out_channels=2, width=4)(torch.rand(1, 1, 64, 64)).shape
        torch.Size([1, 2, 64, 64])

    Reference: Gorade et al., HLFD, ISBI 2024, released code. Differs: the random initialisation is He's, see `ResNet18`.
    """

    def __init__(self, spatial_dims: int, in_channels: int, out_channels: int, width: int = 64) -> None:
        super().__init__()
        self.in_channels, self.repeated = in_channels, _RGB
        self.encoder = ResNet18(spatial_dims, _RGB if in_channels == 1 else in_channels, width)
        self.head = layer_types(spatial_dims).conv(8 * width, out_channels, kernel_size=1)
        self.mode = "bilinear" if spatial_dims == 2 else "trilinear"

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits of images (N, C, *spatial)."""
        # TorchScript takes neither a starred size nor a constant of the module
        x = image.expand([-1, self.repeated] + list(image.shape)[2:]) if self.in_channels == 1 else image
        # align_corners as in the released code
        return F.interpolate(self.head(self.encoder(x)), size=image.shape[2:], mode=self.mode, align_corners=True)

    def default_taps(self) -> dict[str, tuple[str, ...]]:
        """Return the names of the stem and the four stages (strides 2, 4, 8, 16, 32); there is no decoder."""
        stages = ("act", "layer1", "layer2", "layer3", "layer4")
        return {"encoder": tuple(f"encoder.{stage}" for stage in stages), "decoder": (), "maps": ()}
