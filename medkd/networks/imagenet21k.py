"""Load the official ImageNet-21k weights of R50+ViT-B/16 (``R50+ViT-B_16.npz``) into a `TransUNet`."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medkd.runs.file_kind import file_kind

from .transunet import TransUNet

__all__ = ["load_imagenet21k"]

# Tensors of the classifier, which TransUNet does not have.
_UNUSED = ("cls", "head/kernel", "head/bias", "pre_logits/kernel", "pre_logits/bias")
_OPTIMIZER = "opt/target/"
_POSITIONS = "Transformer/posembed_input/pos_embedding"

_Convert = Callable[[list[Tensor]], Tensor]


def load_imagenet21k(network: TransUNet, path: str | Path) -> TransUNet:
    """Fill the ResNet and the Transformer of a 2-D TransUNet of the default sizes; decoder and head stay as they are.

    Args:
        network: ``TransUNet(2, 1 or 3, K)`` of any ``img_size``; the position table is interpolated.
        path: the .npz file of the authors of the Vision Transformer.

    Returns:
        The network.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when the network is 3-D, the file is no .npz, or a tensor is missing, unknown or of another shape. The
            network is then unchanged.
    """
    file = Path(path)
    if len(network.grid) != 2:
        raise ValueError(f"weights {file}: are of 2-D images, the network is {len(network.grid)}-D")
    if not file.is_file():
        raise FileNotFoundError(f"weights {file}: no such file, expected R50+ViT-B_16.npz")
    arrays = _read_arrays(file)
    entries = dict(_entries(network))
    values = {}
    for name, (parameter, convert) in entries.items():
        missing = [part for part in name.split(" ") if part not in arrays]
        if missing:
            raise ValueError(f"weights {file}: tensor {missing[0]} is missing")
        value = convert([torch.from_numpy(arrays[part]).float() for part in name.split(" ")])
        if value.shape != parameter.shape:
            raise ValueError(
                f"weights {file}: {name} gives {tuple(value.shape)}, the network has {tuple(parameter.shape)}"
            )
        if not torch.isfinite(value).all():
            raise ValueError(f"weights {file}: {name} holds NaN or infinity")
        values[name] = value
    expected = {part for name in entries for part in name.split(" ")} | set(_UNUSED)
    if unknown := sorted(set(arrays) - expected):
        raise ValueError(
            f"weights {file}: {len(unknown)} tensors have no place in a TransUNet, the first is {unknown[0]}"
        )
    with torch.no_grad():
        for name, (parameter, _) in entries.items():
            parameter.copy_(values[name])
    return network


def _read_arrays(file: Path) -> dict[str, np.ndarray]:
    """Return the arrays of the file by name; of a checkpoint of JAX those of its network."""
    try:
        with np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, AttributeError, TypeError, zlib.error) as error:
        kind = file_kind(file)
        reason = f": it is {kind.description}" if kind.name else ", expected R50+ViT-B_16.npz"
        raise ValueError(f"weights {file}: not a readable .npz file{reason}") from error
    if any(name.startswith(_OPTIMIZER) for name in arrays):
        arrays = {name.removeprefix(_OPTIMIZER): value for name, value in arrays.items() if name.startswith(_OPTIMIZER)}
    return arrays


def _entries(network: TransUNet) -> Iterator[tuple[str, tuple[nn.Parameter, _Convert]]]:
    """Yield the names of the file (or names that are joined) with the parameter of the network and the conversion."""
    parameters = dict(network.named_parameters())

    def norm(file_name: str, module: str) -> Iterator[tuple[str, tuple[nn.Parameter, _Convert]]]:
        yield f"{file_name}/scale", (parameters[f"{module}.weight"], _flat)
        yield f"{file_name}/bias", (parameters[f"{module}.bias"], _flat)

    yield "conv_root/kernel", (parameters["resnet.root.0.weight"], _kernel)
    yield from norm("gn_root", "resnet.root.1")
    for name in [name for name in parameters if re.fullmatch(r"resnet\.stages\.\d+\.\d+\.conv1\.weight", name)]:
        _, _, stage, index, *_ = name.split(".")
        unit, file_unit = f"resnet.stages.{stage}.{index}", f"block{int(stage) + 1}/unit{int(index) + 1:02d}"
        for i in (1, 2, 3):
            yield f"{file_unit}/conv{i}/kernel", (parameters[f"{unit}.conv{i}.weight"], _kernel)
            yield from norm(f"{file_unit}/gn{i}", f"{unit}.norm{i}")
        if f"{unit}.downsample.weight" in parameters:
            yield f"{file_unit}/conv_proj/kernel", (parameters[f"{unit}.downsample.weight"], _kernel)
            yield from norm(f"{file_unit}/gn_proj", f"{unit}.norm_downsample")
    yield "embedding/kernel", (parameters["embedding.weight"], _kernel)
    yield "embedding/bias", (parameters["embedding.bias"], _flat)
    yield _POSITIONS, (parameters["positions"], lambda parts: _positions(parts[0], network.grid))
    for i in range(len(network.layers)):
        layer, file_layer = f"layers.{i}", f"Transformer/encoderblock_{i}"
        yield from norm(f"{file_layer}/LayerNorm_0", f"{layer}.norm1")
        yield from norm(f"{file_layer}/LayerNorm_2", f"{layer}.norm2")
        for k in (0, 1):
            linear = f"{layer}.mlp.linear{k + 1}"
            yield (
                f"{file_layer}/MlpBlock_3/Dense_{k}/kernel",
                (parameters[f"{linear}.weight"], lambda parts: parts[0].T),
            )
            yield f"{file_layer}/MlpBlock_3/Dense_{k}/bias", (parameters[f"{linear}.bias"], _flat)
        attention, file_attention = f"{layer}.attention", f"{file_layer}/MultiHeadDotProductAttention_1"
        kernels, biases = (
            " ".join(f"{file_attention}/{role}/{kind}" for role in ("query", "key", "value"))
            for kind in ("kernel", "bias")
        )
        # (hidden, heads, dim) of each role to rows (role, head, dim)
        yield (
            kernels,
            (
                parameters[f"{attention}.qkv.weight"],
                lambda parts: torch.cat([part.flatten(1).T for part in parts]),
            ),
        )
        yield (
            biases,
            (
                parameters[f"{attention}.qkv.bias"],
                lambda parts: torch.cat([part.flatten() for part in parts]),
            ),
        )
        out = f"{attention}.out_proj"
        yield f"{file_attention}/out/kernel", (parameters[f"{out}.weight"], lambda parts: parts[0].flatten(0, 1).T)
        yield f"{file_attention}/out/bias", (parameters[f"{out}.bias"], _flat)
    yield from norm("Transformer/encoder_norm", "norm")


def _kernel(parts: list[Tensor]) -> Tensor:
    """Return a kernel (height, width, in, out) as (out, in, height, width)."""
    return parts[0].permute(3, 2, 0, 1)


def _flat(parts: list[Tensor]) -> Tensor:
    """Return a tensor as a vector."""
    return parts[0].flatten()


def _positions(table: Tensor, grid: tuple[int, ...]) -> Tensor:
    """Return a table (1, 1 + n^2, hidden), the class token's entry first, as (1, P, hidden) of the network's grid."""
    table = table[:, 1:]
    edge = round(table.shape[1] ** 0.5)
    square = table.transpose(1, 2).reshape(1, -1, edge, edge)
    if (edge, edge) != tuple(grid):
        square = F.interpolate(square, size=grid, mode="bilinear", align_corners=False)
    return square.flatten(2).transpose(1, 2)
