"""The network that the plans of nnU-Net v2 describe."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from torch import nn

from .nnunet_network import NNUNet

__all__ = ["build_network", "resolve_configuration"]

_NETWORKS = ("PlainConvUNet", "ResidualEncoderUNet")
_LAYERS = re.compile(r"(Conv|InstanceNorm|BatchNorm)[23]d|(Leaky)?ReLU|ELU|GELU|SiLU")
# Dropout has no weights. Every other argument of a constructor must be one that `build_network` reads.
_IGNORED = ("dropout_op", "dropout_op_kwargs", "deep_supervision")

_MOST_LAYERS = 100  # of a stage; also the most stages


def resolve_configuration(plans: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a configuration of the plans, with what it inherits.

    Raises:
        ValueError: If the configuration, or one that it inherits from, is not in the plans.
        KeyError: If the plans lack an entry.
    """
    configurations = plans["configurations"]
    if name not in configurations:
        raise ValueError(f"configuration: found {name!r}, expected one of plans.json: {', '.join(configurations)}")
    merged: dict[str, Any] = {}
    visited: list[str] = []
    parent: str | None = name
    while parent is not None:
        if parent in visited or parent not in configurations:
            raise ValueError(
                f"configuration {visited[-1]}: found inherits_from {parent}, expected another configuration"
            )
        visited.append(parent)
        merged = {**configurations[parent], **merged}
        parent = configurations[parent].get("inherits_from")
    return merged


def build_network(plan: Mapping[str, Any], in_channels: int, out_channels: int) -> NNUNet:
    """Build the network of one configuration of the plans, without weights.

    Args:
        plan: the configuration, see `resolve_configuration`.
        in_channels: channels of the image.
        out_channels: classes K.

    Raises:
        ValueError: If the architecture is not one of the two U-Nets, or has layers that cannot be built here.
        KeyError: If the plan lacks an entry.
    """
    kind, args = _architecture(plan)
    layers = {name: _layer(args.pop(name)) for name in ("conv_op", "norm_op", "nonlin")}
    if layers["conv_op"] not in (nn.Conv2d, nn.Conv3d):
        raise ValueError(f"conv_op: found {layers['conv_op']}, expected Conv2d or Conv3d")
    dims = 2 if layers["conv_op"] is nn.Conv2d else 3
    norm, activation = layers["norm_op"], layers["nonlin"]
    norm_args, activation_args = (args.pop(name, None) or {} for name in ("norm_op_kwargs", "nonlin_kwargs"))
    count, residual = args.pop("n_stages"), kind == "ResidualEncoderUNet"
    network = NNUNet(
        dims,
        in_channels,
        out_channels,
        features=_repeat(args.pop("features_per_stage"), count),
        kernel_sizes=[_repeat(edge, dims) for edge in _repeat(args.pop("kernel_sizes"), count)],
        strides=[_repeat(edge, dims) for edge in _repeat(args.pop("strides"), count)],
        blocks=_repeat(args.pop("n_blocks_per_stage" if residual else "n_conv_per_stage"), count),
        decoder_convs=_repeat(args.pop("n_conv_per_stage_decoder"), count - 1),
        residual=residual,
        bias=args.pop("conv_bias", False),
        norm=None if norm is None else partial(norm, **norm_args),
        activation=None if activation is None else partial(activation, **activation_args),
        stem_channels=args.pop("stem_channels", None),
        activation_first=args.pop("nonlin_first", False),
    )
    if unknown := [name for name, value in args.items() if value is not None and name not in _IGNORED]:
        raise ValueError(f"a {kind} with {', '.join(unknown)} cannot be built here")
    return network


def _architecture(plan: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return class and arguments, from the current form of plans or the one before it."""
    current = plan.get("architecture")
    kind = str(current["network_class_name"] if current else plan["UNet_class_name"]).rpartition(".")[2]
    if kind not in _NETWORKS:
        raise ValueError(f"network: found {kind}, expected {' or '.join(_NETWORKS)}: export it as TorchScript")
    if current:
        _check_depth(current["arch_kwargs"])
        return kind, dict(current["arch_kwargs"])
    blocks, dims = plan["n_conv_per_stage_encoder"], len(plan["patch_size"])
    width, largest = plan["UNet_base_num_features"], plan["unet_max_num_features"]
    return kind, {
        "n_stages": len(blocks),
        "features_per_stage": [min(width * 2**level, largest) for level in range(len(blocks))],
        "conv_op": f"torch.nn.Conv{dims}d",
        "kernel_sizes": plan["conv_kernel_sizes"],
        "strides": plan["pool_op_kernel_sizes"],
        ("n_conv_per_stage" if kind == _NETWORKS[0] else "n_blocks_per_stage"): blocks,
        "n_conv_per_stage_decoder": plan["n_conv_per_stage_decoder"],
        "conv_bias": True,
        "norm_op": f"torch.nn.InstanceNorm{dims}d",
        "norm_op_kwargs": {"eps": 1e-5, "affine": True},
        "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    }


def _check_depth(arguments: Mapping[str, Any]) -> None:
    """Raise ValueError for more layers than any network has: their memory is taken before the weights are compared."""
    for name in ("n_stages", "n_conv_per_stage", "n_blocks_per_stage", "n_conv_per_stage_decoder"):
        value = arguments.get(name, 0)
        for count in value if isinstance(value, list) else [value]:
            if not isinstance(count, int) or count > _MOST_LAYERS:
                raise ValueError(f"plans.json: {name}: found {str(value)[:60]}, expected {_MOST_LAYERS} at most")


def _layer(name: str | None) -> type[nn.Module] | None:
    """Return the class for a name such as torch.nn.modules.conv.Conv3d.

    Only layers of PyTorch are accepted: a file must not decide what is imported.
    """
    if name is None:
        return None
    module, _, kind = str(name).rpartition(".")
    if not module.startswith("torch.nn") or not _LAYERS.fullmatch(kind):
        raise ValueError(f"plans.json: found the layer {name}, which cannot be built here")
    return getattr(nn, kind)


def _repeat(value: Any, count: int) -> list[Any]:
    """Return a list as it is, and a single value ``count`` times."""
    return list(value) if isinstance(value, Sequence) else [value] * count
