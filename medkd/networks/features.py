"""What distillation sees of a network: its logits and named inner maps, read by forward hooks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from functools import cached_property
from typing import NamedTuple

import torch
from monai.networks.utils import eval_mode
from torch import Tensor, nn

__all__ = ["FeatureTaps", "Features", "OutputError", "input_spec"]

# Edge lengths tried by the dry forward: the small ones cost nothing, the larger ones suit networks with many strides.
_DRY_EDGES = (32, 64, 96, 128, 224, 256)


class OutputError(ValueError):
    """A network gives something else than tensors: no image size would change that."""


class Features(NamedTuple):
    """One forward pass of a segmentation network, with N images, K >= 2 classes, and ``*spatial`` of 2 or 3 axes."""

    logits: Tensor
    """(N, K, *spatial); a two-class task keeps two channels."""
    encoder: tuple[Tensor, ...] = ()
    """Fine to coarse; ``encoder[-1]`` is the bottleneck."""
    decoder: tuple[Tensor, ...] = ()
    """Coarse to fine; ``decoder[-1]`` is the penultimate map, the one before the classifier."""
    maps: tuple[Tensor, ...] = ()
    """Deep-supervision logits (N, K, *spatial), early to late, without the final logits."""


class FeatureTaps(nn.Module):
    """Reads named sub-modules of any network, which stays unedited and goes on returning its logits.

    The network is a sub-module, so ``.to()``, ``.eval()`` and ``.parameters()`` work on the pair. The hooks record only
    while this object is called: a network used by an inferer or an exporter pays nothing and keeps no map alive.

    Args:
        network: any module that returns logits (N, K, *spatial).
        encoder, decoder, maps: names of sub-modules, as in ``network.named_modules()``, in the order of `Features`.

    Raises:
        ValueError: for a name that the network does not have, with the nearest names and the valid ones.

    Example:
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
        wanted = [name for names in self.names.values() for name in names]
        for name in wanted:
            if not name or name not in modules:
                raise ValueError(_unknown_name(network, name, modules))
        self._recorded: dict[str, Tensor] | None = None
        self._image_size: tuple[int, ...] = ()
        # a set: a module tapped twice (as encoder and as decoder, say) needs one hook
        self._handles = [modules[name].register_forward_hook(self._recorder(name)) for name in dict.fromkeys(wanted)]

    def _recorder(self, name: str):
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
        axes = getattr(self.network, "network_axes", None)  # of a `TeacherAdapter` that sees the image turned
        self._recorded, self._image_size = (
            {},
            tuple((image if axes is None else axes.to_network(image.to("meta"))).shape[2:]),
        )
        try:
            logits, recorded = self.network(image), self._recorded
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
    def channels(self) -> Features:
        """Numbers of channels in the places of the maps: ``channels.encoder[-1]`` is the bottleneck's; one dry forward."""
        logits, *roles = self.shapes
        return Features(logits.shape[1], *(tuple(feature.shape[1] for feature in role) for role in roles))

    @property
    def spatial_dims(self) -> int:
        """2 or 3, as the dry forward found it."""
        return self.shapes.logits.ndim - 2

    @cached_property
    def shapes(self) -> Features:
        """Tensors without storage (device "meta") of the shapes that one image has: the dry forward itself."""
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
                    return Features(*(_meta(part) for part in features))
        name = type(self.network).__name__
        raise ValueError(f"{name}: no dry forward worked with edges {tuple(edges)}: {failure}") from failure

    def close(self) -> None:
        """Removes the hooks; the network is then as it was."""
        for handle in self._handles:
            handle.remove()


def _meta(part: Tensor | tuple[Tensor, ...]):
    """Shapes without storage: the dry forward must not keep maps alive."""
    return tuple(_meta(item) for item in part) if isinstance(part, tuple) else part.to("meta")


def _as_map(tokens: Tensor, image_size: tuple[int, ...]) -> Tensor:
    """A Transformer's tokens (N, L, C) laid out as a map (N, C, *grid), the grid being image / one patch edge.

    Raises:
        ValueError: when no patch edge gives L tokens (a class token more, say).
    """
    count = tokens.shape[1]
    edge = round((math.prod(image_size) / count) ** (1 / len(image_size)))
    grid = [size // max(edge, 1) for size in image_size]
    if math.prod(grid) != count:
        raise ValueError(f"tokens {tuple(tokens.shape)} are no grid of patches of an image of {image_size}")
    return tokens.transpose(1, 2).reshape(tokens.shape[0], tokens.shape[2], *grid)


def _only_size(network: nn.Module) -> Sequence[int] | int | None:
    """The one image size that a network with a position table takes; None for any other."""
    for module in network.modules():
        if hasattr(module, "feat_size") and hasattr(module, "patch_size"):  # MONAI's UNETR
            return [cells * edge for cells, edge in zip(module.feat_size, module.patch_size, strict=True)]
        if hasattr(module, "img_size"):
            return module.img_size
    return None


def input_spec(network: nn.Module) -> tuple[int, int]:
    """Spatial axes and channels that the network takes: by its own word, else by its first convolution."""
    if hasattr(network, "input_spec"):
        return network.input_spec
    for module in network.modules():
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
            return module.weight.ndim - 2, getattr(network, "in_channels", module.in_channels)
    raise ValueError(f"{type(network).__name__} has no convolution: its input cannot be guessed")


def _unknown_name(network: nn.Module, name: str, modules: dict) -> str:
    valid = [key for key in modules if key]
    near = get_close_matches(name, valid, n=3)
    hint = f"did you mean {', '.join(near)}? " if near else ""
    return f"{type(network).__name__} has no sub-module '{name}': {hint}valid names: {', '.join(valid)}"
