"""The two U-Nets that nnU-Net v2 plans, so that its weights are used without nnU-Net."""

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
    """PlainConvUNet and ResidualEncoderUNet, with the parameter names of nnU-Net's checkpoints.

    Left out: dropout, since it has no weights and a teacher is in evaluation mode; the second names that a checkpoint has
    for the same tensors; the forward of the deep-supervision heads, whose weights are kept.

    Args:
        spatial_dims: 2 or 3.
        in_channels: channels of the image.
        out_channels: classes K, background included.
        features: channels of each encoder stage, fine to coarse.
        kernel_sizes: kernel of each stage, one number per axis.
        strides: stride of each stage, one number per axis.
        blocks: number of convolutions, or of residual blocks, of each encoder stage.
        decoder_convs: number of convolutions of each decoder stage, coarse to fine: one stage fewer.
        residual: whether the encoder has residual blocks and a stem (ResidualEncoderUNet).
        bias: whether convolutions have a bias.
        norm: builds a layer by ``norm(channels)``; None for none.
        activation: builds a layer by ``activation()``; None for none.
        stem_channels: channels of the residual encoder's stem; features[0] if None.
        activation_first: whether the activation precedes the norm (plain blocks).

    Shape:
        (N, in_channels, *spatial) to (N, out_channels, *spatial). Every edge is a multiple of the product of its strides.

    Raises:
        ValueError: If the lists do not have one entry for each stage.

    Reference: Isensee et al., nnU-Net, Nature Methods 2021; nnU-Net Revisited, MICCAI 2024.

    Example:
        >>> network = NNUNet(2, 1, 2, [4, 8], [[3, 3]] * 2, [[1, 1], [2, 2]], blocks=[1, 1], decoder_convs=[1])
        >>> network(torch.rand(1, 1, 8, 8)).shape
        torch.Size([1, 2, 8, 8])
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
        lengths = {name: len(value) for name, value in {**lists, "decoder_convs": [*decoder_convs, 0]}.items()}
        if len(set(lengths.values())) > 1 or len(features) < 2:
            raise ValueError(
                f"NNUNet: found lists of lengths {lengths} (decoder_convs counted with one more), expected equal ones, "
                "at least 2"
            )
        self.in_channels = in_channels
        ops = _Ops(spatial_dims, bias, norm, activation, activation_first and not residual)
        self.multiple: tuple[int, ...] = tuple(torch.tensor(strides).prod(0).tolist())
        """Number of which each edge of an image must be a multiple."""
        stem = (stem_channels or features[0]) if residual else None
        self.encoder = _Encoder(ops, in_channels, features, kernel_sizes, strides, blocks, stem)
        self.decoder = _Decoder(ops, out_channels, features, kernel_sizes, strides, decoder_convs)

    def forward(self, image: Tensor) -> Tensor:
        """Return logits (N, K, *spatial) of an image (N, in_channels, *spatial)."""
        return self.decoder(self.encoder(image))

    def default_taps(self) -> dict[str, tuple[str, ...]]:
        """Return all stages of encoder and decoder.

        The deep-supervision heads are not among them: nnU-Net leaves some of them untrained.
        """
        return {
            "encoder": tuple(f"encoder.stages.{i}" for i in range(len(self.encoder.stages))),
            "decoder": tuple(f"decoder.stages.{i}" for i in range(len(self.decoder.stages))),
        }


class _Ops(NamedTuple):
    """The options that all blocks of a network share."""

    spatial_dims: int
    bias: bool
    norm: Callable[[int], nn.Module] | None
    activation: Callable[[], nn.Module] | None
    activation_first: bool


class _Encoder(nn.Module):
    """The stages, after a stem if ``stem_channels`` is given; with a stem they are residual."""

    def __init__(
        self,
        ops: _Ops,
        width: int,
        features: Sizes,
        kernel_sizes: Sequence[Sizes],
        strides: Sequence[Sizes],
        blocks: Sizes,
        stem_channels: int | None,
    ) -> None:
        super().__init__()
        self.stem: nn.Module | None = None
        if stem_channels is not None:
            self.stem = _stack(ops, width, stem_channels, kernel_sizes[0])
            width = stem_channels
        stages: list[nn.Module] = []
        for channels, kernel, stride, count in zip(features, kernel_sizes, strides, blocks, strict=True):
            if stem_channels is None:
                stages.append(nn.Sequential(_stack(ops, width, channels, kernel, stride, count)))
            else:
                stages.append(_residual_stack(ops, width, channels, kernel, stride, count))
            width = channels
        self.stages = nn.Sequential(*stages)

    def forward(self, image: Tensor) -> list[Tensor]:
        x = image if self.stem is None else self.stem(image)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


class _Decoder(nn.Module):
    """The stages, coarse to fine, each with its upsampling and its segmentation head."""

    def __init__(
        self,
        ops: _Ops,
        out_channels: int,
        features: Sizes,
        kernel_sizes: Sequence[Sizes],
        strides: Sequence[Sizes],
        convs: Sizes,
    ) -> None:
        super().__init__()
        conv, up = Conv[Conv.CONV, ops.spatial_dims], Conv[Conv.CONVTRANS, ops.spatial_dims]
        self.stages, self.transpconvs, self.seg_layers = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for stage, count in enumerate(convs, start=1):
            below, width, stride = features[-stage], features[-stage - 1], tuple(strides[-stage])
            self.transpconvs.append(up(below, width, stride, stride, bias=ops.bias))
            self.stages.append(_stack(ops, 2 * width, width, kernel_sizes[-stage - 1], count=count))
            self.seg_layers.append(conv(width, out_channels, kernel_size=1))

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        x, *skips = reversed(maps)
        for up, stage, skip in zip(self.transpconvs, self.stages, skips, strict=True):
            x = stage(torch.cat([up(x), skip], dim=1))
        return self.seg_layers[-1](x)


def _block(ops: _Ops, fan_in: int, fan_out: int, kernel: Sizes, stride: Sizes | int = 1) -> nn.Sequential:
    """Return convolution, norm and activation, with nnU-Net's names."""
    padding = tuple((edge - 1) // 2 for edge in kernel)
    stride = stride if isinstance(stride, int) else tuple(stride)
    conv = Conv[Conv.CONV, ops.spatial_dims]
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv=conv(fan_in, fan_out, tuple(kernel), stride, padding, bias=ops.bias)
    )
    if ops.norm is not None:
        layers["norm"] = ops.norm(fan_out)
    if ops.activation is not None:
        layers["nonlin"] = ops.activation()
    if ops.activation_first and {"norm", "nonlin"} <= layers.keys():
        layers.move_to_end("norm")
    return nn.Sequential(layers)


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
    """The basic block of ResNet-D: a skip with a stride is average-pooled before its 1x1 convolution."""

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
