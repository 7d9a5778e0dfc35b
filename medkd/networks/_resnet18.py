"""The convolutions of ResNet18, in 2-D and 3-D.

The layers, their names, their order and the initial weights of a seed are those of ``monai.networks.nets.ResNet("basic",
[2, 2, 2, 2], shortcut_type="B", bias_downsample=False, feed_forward=False, conv1_t_stride=2)``. Importing that class imports
all of MONAI: seconds that a prediction does not need.
"""

from __future__ import annotations

from torch import Tensor, nn

from ._blocks import layer_types

__all__ = ["ResNet18"]


class ResNet18(nn.Module):
    """Encode images by a stem of stride 4 and four stages of two residual blocks each.

    Args:
        spatial_dims: 2 or 3.
        in_channels: channels of the image.
        width: channels of the stem and the first stage (64 in the paper). They double at each later stage.

    Shape:
        (N, in_channels, *spatial) to (N, 8 * width, *spatial / 32).

    Example:
        >>> import torch
        >>> ResNet18(2, in_channels=3, width=4)(torch.rand(1, 3, 64, 64)).shape
        torch.Size([1, 32, 2, 2])

    Reference: He et al., Deep residual learning, CVPR 2016, with shortcuts of type B and He's initialisation.
    """

    def __init__(self, spatial_dims: int, in_channels: int, width: int = 64) -> None:
        super().__init__()
        layers = layer_types(spatial_dims)
        self.conv1 = layers.conv(in_channels, width, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = layers.norm(width)
        self.act = nn.ReLU(inplace=True)
        self.maxpool = layers.max_pool(kernel_size=3, stride=2, padding=1)
        self.layer1 = _stage(spatial_dims, width, width, stride=1)
        self.layer2 = _stage(spatial_dims, width, 2 * width, stride=2)
        self.layer3 = _stage(spatial_dims, 2 * width, 4 * width, stride=2)
        self.layer4 = _stage(spatial_dims, 4 * width, 8 * width, stride=2)
        for module in self.modules():
            if isinstance(module, layers.conv):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, image: Tensor) -> Tensor:
        """Return the feature map of images (N, C, *spatial) at stride 32."""
        x = self.act(self.bn1(self.conv1(image)))
        return self.layer4(self.layer3(self.layer2(self.layer1(self.maxpool(x)))))


class _Block(nn.Module):
    """Add two 3-convolutions to their input, which a 1x1 convolution brings to their shape where it has another one."""

    def __init__(self, spatial_dims: int, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        layers = layer_types(spatial_dims)
        # built first, though it is the last by its name: the initial weights of a seed hang on the order
        shortcut = None
        if stride != 1 or in_channels != out_channels:
            shortcut = nn.Sequential(
                layers.conv(in_channels, out_channels, kernel_size=1, stride=stride, bias=False),
                layers.norm(out_channels),
            )
        self.conv1 = layers.conv(in_channels, out_channels, kernel_size=3, padding=1, stride=stride, bias=False)
        self.bn1 = layers.norm(out_channels)
        self.act = nn.ReLU(inplace=True)
        self.conv2 = layers.conv(out_channels, out_channels, kernel_size=3, padding=1, bias=False)
        self.bn2 = layers.norm(out_channels)
        self.downsample = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Return a map (N, C, *spatial) at the block's stride."""
        out = self.bn2(self.conv2(self.act(self.bn1(self.conv1(x)))))
        if self.downsample is not None:  # a conditional expression is none of TorchScript's
            x = self.downsample(x)
        out += x
        return self.act(out)


def _stage(spatial_dims: int, in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        _Block(spatial_dims, in_channels, out_channels, stride), _Block(spatial_dims, out_channels, out_channels, 1)
    )
