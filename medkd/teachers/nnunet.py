"""The two U-Nets that nnU-Net v2 plans, so that its weights teach here without nnU-Net."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from monai.networks.layers.factories import Conv, Pool
from torch import Tensor, nn

__all__ = ["NNUNet"]

Sizes = Sequence[int]


class NNUNet(nn.Module):
    """PlainConvUNet and ResidualEncoderUNet, under the parameter names of nnU-Net's checkpoints.

    Left out: dropout (it has no weights, and a teacher is in eval mode), the second names that a checkpoint has for the
    same tensors, and the forward of the deep-supervision heads, whose weights are kept.

    Args:
        spatial_dims: 2 or 3.
        in_channels: channels of the image.
        out_channels: classes K, background included.
        features: channels of each stage of the encoder, fine to coarse.
        kernel_sizes, strides: of each stage, one number an axis.
        blocks: convolutions of each stage, or residual blocks.
        decoder_convs: convolutions of each stage of the decoder, coarse to fine: one stage fewer.
        residual: encoder of residual blocks with a stem (ResidualEncoderUNet).
        bias: of convolutions.
        norm, activation: make a layer: ``norm(channels)``, ``activation()``; None for none.
        stem_channels: of the residual encoder's stem, features[0] when None.
        activation_first: activation before norm (plain blocks).

    Shape:
        (N, in_channels, *spatial) to (N, out_channels, *spatial); every edge a multiple of the product of its strides.

    Raises:
        ValueError: when the lists do not have one entry a stage.

    Reference: Isensee et al., nnU-Net, Nature Methods 2021; nnU-Net Revisited, MICCAI 2024.
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        out_channels: int,
        features: Sizes,
        kernel_sizes: Sequence[Sizes],
        strides: Sequence[Sizes],
        blocks: Sizes,
        decoder_convs: Sizes,
        residual: bool = False,
        bias: bool = True,
        norm: Callable[[int], nn.Module] | None = None,
        activation: Callable[[], nn.Module] | None = nn.LeakyReLU,
        stem_channels: int | None = None,
        activation_first: bool = False,
    ) -> None:
        super().__init__()
        lists = {"features": features, "kernel_sizes": kernel_sizes, "strides": strides, "blocks": blocks}
        found = {name: len(value) for name, value in {**lists, "decoder_convs": [*decoder_convs, 0]}.items()}
        if len(set(found.values())) > 1 or len(features) < 2:
            raise ValueError(f"NNUNet: lists of different lengths, found {found}, decoder_convs being one shorter")
        self.in_channels = in_channels
        ops = _Ops(spatial_dims, bias, norm, activation, activation_first)
        self.multiple = tuple(torch.tensor(strides).prod(0).tolist())
        """What each edge of an image must be a multiple of."""
        self.encoder = nn.ModuleDict()
        width = in_channels
        if residual:
            ops = ops._replace(activation_first=False)
            self.encoder["stem"] = _stack(ops, width, width := stem_channels or features[0], kernel_sizes[0])
        stages = []
        for channels, kernel, stride, count in zip(features, kernel_sizes, strides, blocks, strict=True):
            if residual:
                stages.append(_residual_stack(ops, width, channels, kernel, stride, count))
            else:
                stages.append(nn.Sequential(_stack(ops, width, channels, kernel, stride, count)))
            width = channels
        self.encoder["stages"] = nn.Sequential(*stages)
        self.decoder = self._decoder(ops, out_channels, features, kernel_sizes, strides, decoder_convs)

    @staticmethod
    def _decoder(ops: _Ops, out_channels: int, features, kernel_sizes, strides, convs) -> nn.ModuleDict:
        conv, up = Conv[Conv.CONV, ops.spatial_dims], Conv[Conv.CONVTRANS, ops.spatial_dims]
        parts = nn.ModuleDict({name: nn.ModuleList() for name in ("stages", "transpconvs", "seg_layers")})
        for stage, count in enumerate(convs, start=1):
            below, width, stride = features[-stage], features[-stage - 1], tuple(strides[-stage])
            parts["transpconvs"].append(up(below, width, stride, stride, bias=ops.bias))
            parts["stages"].append(_stack(ops, 2 * width, width, kernel_sizes[-stage - 1], count=count))
            parts["seg_layers"].append(conv(width, out_channels, kernel_size=1))
        return parts

    def forward(self, image: Tensor) -> Tensor:
        x = self.encoder["stem"](image) if "stem" in self.encoder else image
        skips = []
        for stage in self.encoder["stages"]:
            x = stage(x)
            skips.append(x)
        skips.pop()
        for up, stage in zip(self.decoder["transpconvs"], self.decoder["stages"], strict=True):
            x = stage(torch.cat([up(x), skips.pop()], dim=1))
        return self.decoder["seg_layers"][-1](x)

    def default_taps(self) -> dict[str, tuple[str, ...]]:
        """All stages of encoder and decoder. (The deep-supervision heads are no tap: nnU-Net leaves some untrained.)"""
        return {
            "encoder": tuple(f"encoder.stages.{i}" for i in range(len(self.encoder["stages"]))),
            "decoder": tuple(f"decoder.stages.{i}" for i in range(len(self.decoder["stages"]))),
        }


class _Ops(NamedTuple):
    """What all blocks of a network share."""

    spatial_dims: int
    bias: bool
    norm: Callable[[int], nn.Module] | None
    activation: Callable[[], nn.Module] | None
    activation_first: bool


def _block(ops: _Ops, fan_in: int, fan_out: int, kernel: Sizes, stride: Sizes | int = 1) -> nn.Sequential:
    """Convolution, norm, activation, under nnU-Net's names."""
    padding = tuple((edge - 1) // 2 for edge in kernel)
    stride = stride if isinstance(stride, int) else tuple(stride)
    conv = Conv[Conv.CONV, ops.spatial_dims]
    layers = {"conv": conv(fan_in, fan_out, tuple(kernel), stride, padding, bias=ops.bias)}
    if ops.norm is not None:
        layers["norm"] = ops.norm(fan_out)
    if ops.activation is not None:
        layers["nonlin"] = ops.activation()
    if ops.activation_first and {"norm", "nonlin"} <= layers.keys():
        layers["norm"] = layers.pop("norm")  # to the end
    return nn.Sequential(OrderedDict(layers))


def _stack(
    ops: _Ops, fan_in: int, fan_out: int, kernel: Sizes, stride: Sizes | int = 1, count: int = 1
) -> nn.Sequential:
    first = _block(ops, fan_in, fan_out, kernel, stride)
    rest = (_block(ops, fan_out, fan_out, kernel) for _ in range(count - 1))
    return nn.Sequential(OrderedDict(convs=nn.Sequential(first, *rest)))


def _residual_stack(ops: _Ops, fan_in: int, fan_out: int, kernel: Sizes, stride: Sizes, count: int) -> nn.Sequential:
    first = _ResidualBlock(ops, fan_in, fan_out, kernel, stride)
    rest = (_ResidualBlock(ops, fan_out, fan_out, kernel, [1] * len(stride)) for _ in range(count - 1))
    return nn.Sequential(OrderedDict(blocks=nn.Sequential(first, *rest)))


class _ResidualBlock(nn.Module):
    """The basic block of ResNet-D: where it strides, the skip is average-pooled before its 1x1 convolution."""

    def __init__(self, ops: _Ops, fan_in: int, fan_out: int, kernel: Sizes, stride: Sizes) -> None:
        super().__init__()
        linear = ops._replace(activation=None)
        self.conv1 = _block(ops, fan_in, fan_out, kernel, stride)
        self.conv2 = _block(linear, fan_out, fan_out, kernel)
        self.nonlin2 = nn.Identity() if ops.activation is None else ops.activation()
        pool = Pool[Pool.AVG, ops.spatial_dims]
        skip: list[nn.Module] = [pool(tuple(stride), tuple(stride))] if any(edge != 1 for edge in stride) else []
        if fan_in != fan_out:
            skip.append(_block(linear._replace(bias=False), fan_in, fan_out, [1] * ops.spatial_dims))
        self.skip = nn.Sequential(*skip)

    def forward(self, x: Tensor) -> Tensor:
        return self.nonlin2(self.conv2(self.conv1(x)) + self.skip(x))
