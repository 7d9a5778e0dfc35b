"""Explain why weights do not fit a network, as options where their sizes tell it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn

from .choice import STUDENTS

__all__ = ["explain_misfit"]

Shapes = Mapping[str, tuple[int, ...]]
_LAYER = re.compile(r"layers\.(\d+)\.")
_HEADS = "heads."
_POSITIONS = "positions"
_STRIDE = 16  # of a token of TransUNet


def explain_misfit(network: nn.Module, file: Shapes, role: str) -> str:
    """Return the nearest explanation of why tensors do not fit a network.

    Args:
        network: of medkd, whose options are then named, or any other.
        file: name -> shape of the tensors of the file. They are not those of the network.
        role: of the network: "teacher", an assistant, or "model".
    """
    here = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    is_medkd = type(network).__module__.startswith("medkd.networks.")
    dims = _spatial_dims(file), _spatial_dims(here)
    if None not in dims and dims[0] != dims[1]:
        option = f" (--mode {dims[0]}d)" if is_medkd else ""
        return f"a {dims[0]}-D network in the file, a {dims[1]}-D network here{option}"
    architecture, expected = _architecture(file), type(network).__name__
    if is_medkd and architecture not in (None, expected):
        is_student = role == "model" and {architecture, expected} <= STUDENTS.keys()
        option = f" (--student_architecture {architecture}, or the --overlay of its training)" if is_student else ""
        return f"the file holds a {architecture}, expected a {expected}{option}"
    findings = _size_findings(here, file)
    if findings is None or not _add_part_findings(findings, here, file):
        return _first_difference(here, file)
    texts = []
    for what, (size, other) in findings.items():
        option = _option(what, size, role) if is_medkd else ""
        texts.append(f"{what} {size} in the file, {other} here{option}")
    return "; ".join(texts)


def _spatial_dims(shapes: Shapes) -> int | None:
    """Return 2 or 3 by the first kernel; None without one."""
    return next((len(shape) - 2 for shape in shapes.values() if len(shape) in (4, 5)), None)


def _size_findings(here: Shapes, file: Shapes) -> dict[str, tuple[Any, Any]] | None:
    """Return what explains all sizes that differ, with the values of file and network; None if something does not."""
    findings: dict[str, tuple[Any, Any]] = {}
    common = [name for name in here if name in file]
    kernels = [name for name in common if len(here[name]) in (4, 5)]
    if not kernels:
        return None
    first, classifier = kernels[0], kernels[-1].rpartition(".")[0] + "."
    width, other = file[first][0], here[first][0]
    biases = [name for name in common if name == f"{classifier}bias"]
    classes = (file[biases[0]][0], here[biases[0]][0]) if biases else (file[kernels[-1]][0], here[kernels[-1]][0])
    for name in common:
        if len(file[name]) != len(here[name]):
            return None
        for axis, (a, b) in enumerate(zip(file[name], here[name], strict=True)):
            if a == b:
                continue
            if name == first and axis == 1:
                findings["image channels:"] = a, b
            elif (a, b) == classes and name.startswith((classifier, _HEADS)):
                findings["classes, background included:"] = a, b
            elif name == _POSITIONS and axis == 1:
                findings["tokens:"] = a, b
            elif a in (b * width // other, max(1, width // 4)):
                findings["width"] = width, other
            else:
                return None
    return findings


def _add_part_findings(findings: dict[str, tuple[Any, Any]], here: Shapes, file: Shapes) -> bool:
    """Add what explains the names that only one of them has; return whether all of them are explained."""
    alone = here.keys() ^ file.keys()
    if any(_LAYER.match(name) for name in alone):
        findings["Transformer layers:"] = _count_layers(file), _count_layers(here)
    if any(name.startswith(_HEADS) for name in alone):
        in_file, in_network = (any(name.startswith(_HEADS) for name in shapes) for shapes in (file, here))
        findings["deep-supervision heads:"] = ("found" if in_file else "none"), ("found" if in_network else "none")
    return bool(findings) and all(_LAYER.match(name) or name.startswith(_HEADS) for name in alone)


def _count_layers(shapes: Shapes) -> int:
    return len({match[1] for name in shapes if (match := _LAYER.match(name))})


def _option(what: str, size: Any, role: str) -> str:
    """Return the option that gives the network the size of the file, in brackets; an empty text if there is none."""
    if what == "width":
        return (
            f" (--student_width {size}; of a teacher --teacher_width {size})"
            if role == "model"
            else (f" (--teacher_width {size})")
        )
    if what == "tokens:":
        edge = round(size**0.5) * _STRIDE
        return f" (--image_size {edge} {edge})" if (edge // _STRIDE) ** 2 == size else " (--image_size)"
    options = {
        "classes, background included:": " (--target as in its training)",
        "Transformer layers:": f" (--teacher_layers {size})",
    }
    return options.get(what, "")


def _architecture(file: Shapes) -> str | None:
    """Return the class of medkd whose names these are; None if there is none."""
    from .resnet_fcn import ResNetFCN
    from .transunet import TransUNet
    from .unet import UNet
    from .unet_plus_plus import UNetPlusPlus

    dims, heads = _spatial_dims(file), any(name.startswith(_HEADS) for name in file)
    if dims is None:
        return None
    sizes: dict[str, Any] = {
        "width": 4,
        "hidden_size": 12,
        "mlp_dim": 4,
        "num_layers": _count_layers(file),
        "num_heads": 2,
    }
    with torch.device("meta"):
        networks = (
            UNet(dims, 1, 2, 2, heads),
            UNetPlusPlus(dims, 1, 2, 2, deep_supervision=heads),
            UNetPlusPlus(dims, 1, 2, 2, "bilinear", heads),
            ResNetFCN(dims, 1, 2, 4),
            TransUNet(dims, 1, 2, 32, deep_supervision=heads, **sizes),
        )
    names = _without_counters(file)
    fitting = [network for network in networks if _without_counters(network.state_dict()) == names]
    return type(fitting[0]).__name__ if fitting else None


def _without_counters(names: Iterable[str]) -> set[str]:
    return {name for name in names if not name.endswith("num_batches_tracked")}


def _first_difference(here: Shapes, file: Shapes) -> str:
    differing = [name for name in [*here, *file] if here.get(name) != file.get(name)]
    first = differing[0]
    return f"first: {first} is {file.get(first, 'missing')} in the file, {here.get(first, 'absent')} in the network"
