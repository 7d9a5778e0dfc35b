"""Logits and named feature maps of a network, read by forward hooks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from medkd.runs.errors import did_you_mean

__all__ = ["Channels", "FeatureTaps", "Features", "OutputError", "input_spec"]

# Edge lengths that the dry forward tries: the small ones are fast, the larger ones suit networks with many strides.
_DRY_EDGES = (32, 64, 96, 128, 224, 256)


class OutputError(ValueError):
    """The output of a network is not a tensor, whatever the image size."""


class Features(NamedTuple):
    """The logits and feature maps of one forward pass: N images, K >= 2 classes, ``*spatial`` of 2 or 3 axes.

    Example:
        >>> features = Features(torch.zeros(1, 2, 8, 8), encoder=(torch.zeros(1, 4, 8, 8), torch.zeros(1, 8, 4, 4)))
        >>> features.encoder[-1].shape
        torch.Size([1, 8, 4, 4])
    """

    logits: Tensor
    """(N, K, *spatial). A two-class task has two channels."""
    encoder: tuple[Tensor, ...] = ()
    """Maps, fine to coarse; ``encoder[-1]`` is the bottleneck."""
    decoder: tuple[Tensor, ...] = ()
    """Maps, coarse to fine; ``decoder[-1]`` is the penultimate map, the last one before the classifier."""
    maps: tuple[Tensor, ...] = ()
    """Auxiliary (deep-supervision) logits (N, K, *spatial), early to late, without the final logits."""


class Channels(NamedTuple):
    """The numbers of channels of `Features`: ``channels.encoder[-1]`` is that of the bottleneck."""

    logits: int
    encoder: tuple[int, ...] = ()
    decoder: tuple[int, ...] = ()
    maps: tuple[int, ...] = ()


class FeatureTaps(nn.Module):
    """Read the outputs of named sub-modules of any network by forward hooks. The network itself still returns logits.

    The network is a sub-module, so ``.to()``, ``.eval()`` and ``.parameters()`` work on the pair. The hooks record only
    while this object is called: an inferer or exporter that calls the network has no extra cost and keeps no maps.

    Args:
        network: any module that returns logits (N, K, *spatial).
        encoder: names of sub-modules, as in ``network.named_modules()``, fine to coarse.
        decoder: likewise, coarse to fine.
        maps: names of the heads that give auxiliary (deep-supervision) logits, early to late.

    Raises:
        ValueError: for a name that the network does not have, with the closest names and the valid ones.

    Example:
        >>> from medkd.networks import UNet
        >>> taps = FeatureTaps(UNet(2, 3, 2, width=8), encoder=["encoder.0", "bottleneck"])
        >>> taps(torch.rand(1, 3, 32, 32)).encoder[1].shape
        torch.Size([1, 128, 2, 2])
    """

    def __init__(
        self, network: nn.Module, encoder: Sequence[str] = (), decoder: Sequence[str] = (), maps: Sequence[str] = ()
    ) -> None:
        super().__init__()
        self.network = network
        self.names = {"encoder": tuple(encoder), "decoder": tuple(decoder), "maps": tuple(maps)}
        modules = dict(network.named_modules())
        tapped = [name for names in self.names.values() for name in names]
        for name in tapped:
            if not name or name not in modules:
                raise ValueError(_unknown_name(network, name, modules))
        self._recorded: dict[str, Tensor] | None = None
        self._image_size: tuple[int, ...] = ()
        # a module that is tapped twice, as encoder and as decoder say, needs one hook
        self._handles = [modules[name].register_forward_hook(self._recorder(name)) for name in dict.fromkeys(tapped)]

    def _recorder(self, name: str) -> Callable[[nn.Module, tuple[Any, ...], Tensor], None]:
        """Return a forward hook that records the output of a sub-module under its name."""

        def record(module: nn.Module, inputs: tuple, output: Tensor) -> None:
            if self._recorded is None:
                return
            if not isinstance(output, Tensor):
                raise ValueError(
                    f"tap '{name}' of {type(self.network).__name__} gives {type(output).__name__}, expected one tensor: "
                    "tap a sub-module inside it"
                )
            self._recorded[name] = _as_map(output, self._image_size) if output.ndim == 3 else output

        return record

    def forward(self, image: Tensor) -> Features:
        """Run the network on images (N, C, *spatial) and return its logits and tapped maps.

        Raises:
            ValueError: when the network does not return one tensor, or does not run a tapped sub-module.
        """
        axes = getattr(self.network, "network_axes", None)  # of a `TeacherAdapter` whose network sees other axes
        recorded: dict[str, Tensor] = {}
        self._recorded = recorded
        self._image_size = tuple((image if axes is None else axes.to_network(image.to("meta"))).shape[2:])
        try:
            logits = self.network(image)
        finally:
            self._recorded = None
        if not isinstance(logits, Tensor):
            kind = type(logits).__name__
            raise OutputError(f"{type(self.network).__name__} returns a {kind}, expected one tensor of logits: wrap it")
        if missing := [name for names in self.names.values() for name in names if name not in recorded]:
            raise ValueError(f"tap '{missing[0]}' of {type(self.network).__name__} is not run by its forward")
        if axes is not None:
            recorded = {
                name: axes.from_network(map_) if map_.ndim == logits.ndim else map_ for name, map_ in recorded.items()
            }
        return Features(logits, **{role: tuple(recorded[name] for name in names) for role, names in self.names.items()})

    @cached_property
    def channels(self) -> Channels:
        """The numbers of channels of logits and maps, from one dry forward."""
        encoder, decoder, maps = (tuple(map_.shape[1] for map_ in role) for role in self.shapes[1:])
        return Channels(self.shapes.logits.shape[1], encoder, decoder, maps)

    @property
    def spatial_dims(self) -> int:
        """The number of spatial axes, 2 or 3, from the dry forward."""
        return self.shapes.logits.ndim - 2

    @cached_property
    def shapes(self) -> Features:
        """`Features` without storage (device "meta"), which hold the shapes of a dry forward of one image.

        Raises:
            ValueError: when the network runs with none of the image sizes tried.
        """
        from monai.networks.utils import eval_mode  # imports all of MONAI, which a prediction does not need

        dims, channels = input_spec(self.network)
        device = next((value.device for value in self.network.parameters()), torch.device("cpu"))
        size = _only_size(self.network)
        edges: Iterable = _DRY_EDGES if size is None else (size,)
        failure: Exception | None = None
        with torch.no_grad(), eval_mode(self.network):
            for edge in edges:
                shape = tuple(edge) if isinstance(edge, Sequence) else (edge,) * dims
                try:
                    features = self(torch.zeros(1, channels, *shape, device=device))
                except OutputError:
                    raise
                except (RuntimeError, ValueError, AssertionError) as error:
                    failure = error
                else:
                    encoder, decoder, maps = (tuple(map_.to("meta") for map_ in role) for role in features[1:])
                    return Features(features.logits.to("meta"), encoder, decoder, maps)
        name = type(self.network).__name__
        raise ValueError(f"{name}: no dry forward worked with edges {tuple(edges)}: {failure}") from failure

    def close(self) -> None:
        """Remove the hooks from the network."""
        for handle in self._handles:
            handle.remove()


def _as_map(tokens: Tensor, image_size: tuple[int, ...]) -> Tensor:
    """Return the tokens (N, L, C) of a Transformer as a map (N, C, *grid), one token a patch of the image.

    Raises:
        ValueError: when no edge of a patch gives L tokens, as with an additional class token.
    """
    count = tokens.shape[1]
    edge = round((math.prod(image_size) / count) ** (1 / len(image_size)))
    grid = [size // max(edge, 1) for size in image_size]
    if math.prod(grid) != count:
        raise ValueError(f"tokens {tuple(tokens.shape)} are no grid of patches of an image of {image_size}")
    return tokens.transpose(1, 2).reshape(tokens.shape[0], tokens.shape[2], *grid)


def _only_size(network: nn.Module) -> Sequence[int] | int | None:
    """Return the only image size that a network with a position table takes, or None for any other network."""
    for module in network.modules():
        cells, edges = getattr(module, "feat_size", None), getattr(module, "patch_size", None)  # MONAI's UNETR
        if cells is not None and edges is not None:
            return [count * edge for count, edge in zip(cells, edges, strict=True)]
        size: Sequence[int] | int | None = getattr(module, "img_size", None)
        if size is not None:
            return size
    return None


def input_spec(network: nn.Module) -> tuple[int, int]:
    """Return the number of spatial axes and of channels of a network's input.

    They are the network's attribute ``input_spec``, or else those of its first convolution.

    Args:
        network: any module.

    Raises:
        ValueError: for a network with neither.

    Example:
        >>> input_spec(nn.Conv3d(1, 2, kernel_size=3))
        (3, 1)
    """
    spec: tuple[int, int] | None = getattr(network, "input_spec", None)
    if spec is not None:
        return spec
    for module in network.modules():
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
            return module.weight.ndim - 2, getattr(network, "in_channels", module.in_channels)
    raise ValueError(f"{type(network).__name__} has no convolution: its input cannot be guessed")


def _unknown_name(network: nn.Module, name: str, modules: Mapping[str, nn.Module]) -> str:
    """Return the message for the name of a sub-module that the network does not have."""
    valid = [key for key in modules if key]
    question = did_you_mean(name, valid)
    hint = f"{question} " if question else ""
    return f"{type(network).__name__} has no sub-module '{name}': {hint}valid names: {', '.join(valid)}"
