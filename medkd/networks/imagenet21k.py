"""The official ImageNet-21k weights of R50+ViT-B/16 (``R50+ViT-B_16.npz``) into a `TransUNet`, tensor by tensor."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .transunet import TransUNet

__all__ = ["load_imagenet21k"]

# Of the classifier, which TransUNet has not: the class token, its position, and what follows it.
_UNUSED = ("cls", "head/kernel", "head/bias", "pre_logits/kernel", "pre_logits/bias")
_POSITIONS = "Transformer/posembed_input/pos_embedding"


def load_imagenet21k(network: TransUNet, path: str | Path) -> TransUNet:
    """Fills ResNet and Transformer of a 2-D TransUNet of the default sizes; decoder and head stay as they are.

    Args:
        network: ``TransUNet(2, 1 or 3, K)``, any ``img_size``: the position table is interpolated.
        path: the .npz of the authors of the Vision Transformer.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when the network is 3-D, the file is no .npz, or a tensor is missing, of another shape, or not accounted
            for. The network is then as it was.
    """
    file = Path(path)
    if len(network.grid) != 2:
        raise ValueError(f"weights {file}: are of 2-D images, the network is {len(network.grid)}-D")
    if not file.is_file():
        raise FileNotFoundError(f"weights {file}: no such file, expected R50+ViT-B_16.npz")
    try:
        with np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        raise ValueError(f"weights {file}: not a readable .npz file") from error
    wanted = dict(_names(network))
    values = {}
    for name, (parameter, convert) in wanted.items():
        parts = [part for part in name.split(" ") if part not in arrays]
        if parts:
            raise ValueError(f"weights {file}: tensor {parts[0]} is missing")
        value = convert([torch.from_numpy(arrays[part]).float() for part in name.split(" ")])
        if value.shape != parameter.shape:
            raise ValueError(
                f"weights {file}: {name} gives {tuple(value.shape)}, the network has {tuple(parameter.shape)}"
            )
        values[name] = value
    known = {part for name in wanted for part in name.split(" ")} | set(_UNUSED)
    if left := sorted(set(arrays) - known):
        raise ValueError(f"weights {file}: {len(left)} tensors have no place in a TransUNet, the first is {left[0]}")
    with torch.no_grad():
        for name, (parameter, _) in wanted.items():
            parameter.copy_(values[name])
    return network


def _names(network: TransUNet) -> Iterator[tuple[str, tuple[Tensor, object]]]:
    """File's name (or names that are joined) -> parameter of the network, conversion."""
    resnet = network.resnet
    yield "conv_root/kernel", (resnet.root[0].weight, _kernel)
    yield from _scale_and_bias("gn_root", resnet.root[1])
    for b, stage in enumerate(resnet.stages, start=1):
        for u, unit in enumerate(stage, start=1):
            place = f"block{b}/unit{u:02d}"
            for i in (1, 2, 3):
                yield f"{place}/conv{i}/kernel", (getattr(unit, f"conv{i}").weight, _kernel)
                yield from _scale_and_bias(f"{place}/gn{i}", getattr(unit, f"norm{i}"))
            if unit.downsample is not None:
                yield f"{place}/conv_proj/kernel", (unit.downsample.weight, _kernel)
                yield from _scale_and_bias(f"{place}/gn_proj", unit.norm_downsample)
    yield "embedding/kernel", (network.embedding.weight, _kernel)
    yield "embedding/bias", (network.embedding.bias, _flat)
    yield _POSITIONS, (network.positions, lambda parts: _positions(parts[0], network.grid))
    for i, layer in enumerate(network.layers):
        place = f"Transformer/encoderblock_{i}"
        yield from _scale_and_bias(f"{place}/LayerNorm_0", layer.norm1)
        yield from _scale_and_bias(f"{place}/LayerNorm_2", layer.norm2)
        for k, linear in enumerate((layer.mlp.linear1, layer.mlp.linear2)):
            yield f"{place}/MlpBlock_3/Dense_{k}/kernel", (linear.weight, lambda parts: parts[0].T)
            yield f"{place}/MlpBlock_3/Dense_{k}/bias", (linear.bias, _flat)
        attention = f"{place}/MultiHeadDotProductAttention_1"
        kernels, biases = (
            " ".join(f"{attention}/{role}/{kind}" for role in ("query", "key", "value")) for kind in ("kernel", "bias")
        )
        # (hidden, heads, dim) of each role to rows (role, head, dim)
        yield kernels, (layer.attention.qkv.weight, lambda parts: torch.cat([part.flatten(1).T for part in parts]))
        yield biases, (layer.attention.qkv.bias, lambda parts: torch.cat([part.flatten() for part in parts]))
        yield f"{attention}/out/kernel", (layer.attention.out_proj.weight, lambda parts: parts[0].flatten(0, 1).T)
        yield f"{attention}/out/bias", (layer.attention.out_proj.bias, _flat)
    yield from _scale_and_bias("Transformer/encoder_norm", network.norm)


def _scale_and_bias(name: str, norm: nn.Module) -> Iterator[tuple[str, tuple[Tensor, object]]]:
    yield f"{name}/scale", (norm.weight, _flat)
    yield f"{name}/bias", (norm.bias, _flat)


def _kernel(parts: list[Tensor]) -> Tensor:
    """(height, width, in, out) to (out, in, height, width)."""
    return parts[0].permute(3, 2, 0, 1)


def _flat(parts: list[Tensor]) -> Tensor:
    return parts[0].flatten()


def _positions(table: Tensor, grid: tuple[int, ...]) -> Tensor:
    """(1, 1 + n^2, hidden), the class token's first, to (1, P, hidden) of the network's grid."""
    table = table[:, 1:]
    edge = round(table.shape[1] ** 0.5)
    square = table.transpose(1, 2).reshape(1, -1, edge, edge)
    if (edge, edge) != tuple(grid):
        square = F.interpolate(square, size=grid, mode="bilinear", align_corners=False)
    return square.flatten(2).transpose(1, 2)
