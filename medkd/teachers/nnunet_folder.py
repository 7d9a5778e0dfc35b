"""Reading a model folder of nnU-Net v2: its plans, its weights, and how it scaled its images."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from medkd.networks.checkpoints import check_fit, read_weights

from .geometry import Geometry
from .intensity import Scaling
from .nnunet import NNUNet
from .nnunet_images import geometry_of, scalings_of

__all__ = ["NNUNetModel", "build_network", "nnunet_folder", "read_nnunet"]

_CLASSES = ("PlainConvUNet", "ResidualEncoderUNet")
_CHECKPOINTS = ("checkpoint_final.pth", "checkpoint_best.pth")
_LAYERS = re.compile(r"(Conv|InstanceNorm|BatchNorm)[23]d|(Leaky)?ReLU|ELU|GELU|SiLU")
# Dropout has no weights; the rest of a constructor's arguments must be among those that are read here.
_IGNORED = ("dropout_op", "dropout_op_kwargs", "deep_supervision")


class NNUNetModel(NamedTuple):
    """A network of nnU-Net with its weights."""

    network: NNUNet
    scalings: list[Scaling | None]
    """How its images were scaled, one a channel; None where that cannot be done here."""
    geometry: Geometry
    """Of a 3-D network."""
    file: Path
    """The checkpoint."""


def nnunet_folder(path: Path) -> Path | None:
    """The folder with ``plans.json`` of a model folder, of its folds and their checkpoints; None of another path."""
    # upwards from these names alone: anything else inside a model folder, a run of ours say, is none of nnU-Net's
    folder = path.parent if path.match("checkpoint*.pth") else path
    folder = folder.parent if folder.match("fold_*") else folder
    return folder if (folder / "plans.json").is_file() else None


def read_nnunet(path: Path) -> NNUNetModel:
    """The network that the plans describe, with the weights of one fold.

    The configuration is the one that the checkpoint names, else the folder (``nnUNetTrainer__nnUNetPlans__3d_fullres``).

    Args:
        path: the model folder (of several folds the first is taken), a ``fold_*`` folder, or a checkpoint.

    Raises:
        FileNotFoundError: without plans, dataset.json or a checkpoint.
        ValueError: for plans that this cannot build, or a checkpoint of something else. No code in it is executed.
    """
    folder = nnunet_folder(path)
    if folder is None:
        raise FileNotFoundError(f"{path}: no plans.json, expected a model folder of nnU-Net v2")
    plans, dataset = (_read_json(folder / name) for name in ("plans.json", "dataset.json"))
    file = _checkpoint(path)
    with torch.serialization.safe_globals(_numpy_scalars()):
        content = read_weights(file, "teacher")
    weights, of_run = _weights(content, file)
    name = of_run.get("configuration") or folder.name.split("__")[-1]
    try:
        configuration = _configuration(plans, name)
        if configuration.get("previous_stage"):
            raise ValueError("a cascade reads the segmentation of an earlier stage: use another configuration")
        if any(isinstance(value, list) and len(value) > 1 for value in dataset["labels"].values()):
            raise ValueError("its labels are regions that overlap, which classes of a softmax cannot stand for")
        network = build_network(configuration, *_channels(weights))
        scalings = scalings_of(plans, configuration, network.in_channels)
        geometry = geometry_of(plans, configuration)
    except KeyError as error:
        raise ValueError(f"{folder}: plans.json or dataset.json without {error}") from None
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{folder}: {error}") from None
    check_fit(network, weights, f"teacher {file}")
    network.load_state_dict(weights)
    return NNUNetModel(network, scalings, geometry, file)


def _read_json(file: Path) -> dict[str, Any]:
    if not file.is_file():
        raise FileNotFoundError(f"{file}: no such file, a model folder of nnU-Net v2 has one")
    try:
        content = json.loads(file.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{file}: not a JSON file: {error}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{file}: holds {type(content).__name__}, expected names and values")
    return content


def _checkpoint(path: Path) -> Path:
    if path.is_file():
        return path
    for fold in [path, *sorted(path.glob("fold_*"))]:
        for name in _CHECKPOINTS:
            if (fold / name).is_file():
                return fold / name
    raise FileNotFoundError(f"{path}: no {' or '.join(_CHECKPOINTS)} in it or in a fold_* folder")


def _numpy_scalars() -> list[Any]:
    """A checkpoint holds NumPy's numbers in its log; these types, under their names of NumPy 1 too, and nothing else."""
    scalar = np._core.multiarray.scalar if hasattr(np, "_core") else np.core.multiarray.scalar
    kinds = {type(np.dtype(kind)) for kind in (np.float64, np.float32, np.int64, np.int32, np.bool_)}
    both = [(scalar, "numpy.core.multiarray.scalar"), (scalar, "numpy._core.multiarray.scalar")]
    return [*both, np.dtype, *kinds]


def _weights(content: Any, file: Path) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """The state dict under our names, and what the run was begun with."""
    found = content.get("network_weights") if isinstance(content, dict) else None
    if not isinstance(found, dict) or not all(isinstance(value, torch.Tensor) for value in found.values()):
        raise ValueError(f"{file}: no network_weights in it, expected a checkpoint of nnU-Net v2")
    weights = {}
    for name, value in found.items():
        name = name.removeprefix("module.").removeprefix("_orig_mod.")
        # the same tensors once more: the decoder holds the encoder, a block its list of layers
        if not name.startswith("decoder.encoder.") and ".all_modules." not in name:
            weights[name] = value
    of_run = content.get("init_args")
    return weights, of_run if isinstance(of_run, dict) else {}


def _configuration(plans: Mapping[str, Any], name: str) -> dict[str, Any]:
    """With what it inherits."""
    known = plans["configurations"]
    if name not in known:
        raise ValueError(f"no configuration {name!r} in plans.json, it has {', '.join(known)}")
    found: dict[str, Any] = {}
    visited: list[str] = []
    while name is not None:
        if name in visited or name not in known:
            raise ValueError(f"configuration {visited[-1]} inherits from {name}, which cannot be")
        visited.append(name)
        found = {**known[name], **found}
        name = known[name].get("inherits_from")
    return found


def _channels(weights: Mapping[str, torch.Tensor]) -> tuple[int, int]:
    """Of the image and of the logits, by the weights: dataset.json counts an ignored label too."""
    first = [value for name, value in weights.items() if name.endswith("convs.0.conv.weight")]
    last = [value for name, value in weights.items() if name.startswith("decoder.seg_layers.")]
    if not first or not last:
        raise ValueError("the weights are not those of a U-Net of nnU-Net")
    return first[0].shape[1], last[-1].shape[0]


def build_network(plan: Mapping[str, Any], in_channels: int, out_channels: int) -> NNUNet:
    """The network of one configuration of the plans, without weights.

    Raises:
        ValueError: for an architecture that is not one of the two U-Nets, or has layers that are not known here.
        KeyError: when the plan lacks a name.
    """
    kind, args = _architecture(plan)
    layers = {name: _layer(args.pop(name)) for name in ("conv_op", "norm_op", "nonlin")}
    if layers["conv_op"] not in (nn.Conv2d, nn.Conv3d):
        raise ValueError(f"conv_op {layers['conv_op']}: expected Conv2d or Conv3d")
    dims = 2 if layers["conv_op"] is nn.Conv2d else 3
    of_norm, of_nonlin = (args.pop(name, None) or {} for name in ("norm_op_kwargs", "nonlin_kwargs"))
    count, residual = args.pop("n_stages"), kind == "ResidualEncoderUNet"
    network = NNUNet(
        dims,
        in_channels,
        out_channels,
        features=_each(args.pop("features_per_stage"), count),
        kernel_sizes=[_each(edge, dims) for edge in _each(args.pop("kernel_sizes"), count)],
        strides=[_each(edge, dims) for edge in _each(args.pop("strides"), count)],
        blocks=_each(args.pop("n_blocks_per_stage" if residual else "n_conv_per_stage"), count),
        decoder_convs=_each(args.pop("n_conv_per_stage_decoder"), count - 1),
        residual=residual,
        bias=args.pop("conv_bias", False),
        norm=layers["norm_op"] and partial(layers["norm_op"], **of_norm),
        activation=layers["nonlin"] and partial(layers["nonlin"], **of_nonlin),
        stem_channels=args.pop("stem_channels", None),
        activation_first=args.pop("nonlin_first", False),
    )
    if unknown := [name for name, value in args.items() if value is not None and name not in _IGNORED]:
        raise ValueError(f"a {kind} with {', '.join(unknown)} cannot be built here")
    return network


def _architecture(plan: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Class and arguments, from the current form of plans or the one before it."""
    new = plan.get("architecture")
    kind = str(new["network_class_name"] if new else plan["UNet_class_name"]).rpartition(".")[2]
    if kind not in _CLASSES:
        raise ValueError(f"network {kind}: expected {' or '.join(_CLASSES)}; export it as TorchScript")
    if new:
        return kind, dict(new["arch_kwargs"])
    blocks, dims = plan["n_conv_per_stage_encoder"], len(plan["patch_size"])
    width, most = plan["UNet_base_num_features"], plan["unet_max_num_features"]
    return kind, {
        "n_stages": len(blocks),
        "features_per_stage": [min(width * 2**level, most) for level in range(len(blocks))],
        "conv_op": f"torch.nn.Conv{dims}d",
        "kernel_sizes": plan["conv_kernel_sizes"],
        "strides": plan["pool_op_kernel_sizes"],
        ("n_conv_per_stage" if kind == _CLASSES[0] else "n_blocks_per_stage"): blocks,
        "n_conv_per_stage_decoder": plan["n_conv_per_stage_decoder"],
        "conv_bias": True,
        "norm_op": f"torch.nn.InstanceNorm{dims}d",
        "norm_op_kwargs": {"eps": 1e-5, "affine": True},
        "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    }


def _layer(name: str | None) -> type[nn.Module] | None:
    """A name such as torch.nn.modules.conv.Conv3d: layers of PyTorch alone, nothing is imported by what a file says."""
    if name is None:
        return None
    module, _, kind = str(name).rpartition(".")
    if not module.startswith("torch.nn") or not _LAYERS.fullmatch(kind):
        raise ValueError(f"plans.json names the layer {name}, which cannot be built here")
    return getattr(nn, kind)


def _each(value: Any, count: int) -> list[Any]:
    return list(value) if isinstance(value, Sequence) else [value] * count
