"""Grad-CAM of teacher, student alone and methods on the same cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import matplotlib
import numpy as np
import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor
from torch import Tensor
from torch.nn import functional as F

from medkd.networks import load_weights
from medkd.runs.errors import one_line_errors
from medkd.runs.folder import RunFolder
from medkd.visuals import first_and_last, grad_cam, mid_target_slice, scale_to_unit

from .cases import Data
from .pictures import Picture, embed, outline_path
from .runs import RunFacts

__all__ = ["Attention", "attention"]

_COLOURS = matplotlib.colormaps["plasma"]
_STRENGTH = 0.6  # of the map's colours over the image, where the map is 1
_LONGEST = 256


@dataclass
class Attention:
    """One case."""

    name: str
    number: int | None
    """Slice of the volume, None of a picture."""
    height: int
    width: int
    image: Picture
    truth: str
    """SVG path."""
    maps: dict[str, list[tuple[str, str, Picture, bool]]]
    """Row -> (first or last, name of the layer, picture, whether the map is 0 all over it)."""


def attention(
    data: Data, names: Sequence[str], shown: Mapping[str, RunFacts], class_index: int = 1
) -> tuple[list[Attention], list[str]]:
    """Cases with their maps, and sentences about what is missing.

    Args:
        names: cases; those without truth are left out.
        shown: row -> the run whose network is looked into.
        class_index: of the logits.
    """
    cases: list[Attention] = []
    sentences = []
    inputs: dict[str, _Input] = {}
    size: tuple[int, ...] = ()
    for row, run in shown.items():
        try:
            parser = RunFolder(run.folder).load_parser()
            parser["device"] = "cpu"
            own = tuple(parser.get_parsed_content("image_size"))
            if not inputs:
                size, inputs = own, _inputs(parser, data, names)
                cases = [_case(name, of) for name, of in inputs.items()]
            if own != size:  # maps side by side are of one picture
                raise ValueError(f"image_size {own}, those shown are of {size}")
            network = load_weights(parser.get_parsed_content("network_def"), run.folder).eval()
            layers = first_and_last(network)
            for case in cases:
                of = inputs[case.name]
                maps = grad_cam(network, of.image, layers, class_index)
                case.maps[row] = [
                    (word, layer, _blended(of, maps[layer]), not bool(_at(maps[layer], of.index).any()))
                    for word, layer in zip(("first", "last"), layers, strict=True)
                ]
        except Exception as error:  # one network that cannot be looked into must not take the others from the page
            sentences.append(f"{run.name}: no Grad-CAM: {one_line_errors(error) or error}.")
    return cases, sentences


class _Input(NamedTuple):
    """What a network takes of a case."""

    image: Tensor
    label: Tensor
    index: int | None
    """Slice of this image that is drawn; None of a picture."""
    number: int | None
    """The same slice, as the volume counts."""


def _inputs(parser: ConfigParser, data: Data, names: Sequence[str]) -> dict[str, _Input]:
    """Of the cases that hold a target."""
    size = tuple(parser.get_parsed_content("image_size"))
    spacing = parser.get_parsed_content("spacing") if len(size) == 3 and "spacing" in parser.config else None
    read = ((name, *data.read(name)) for name in names)
    return {name: _input(image, truth, size, spacing) for name, image, truth in read if (truth > 0).any()}


def _input(image: Any, truth: np.ndarray, size: tuple[int, ...], spacing: Sequence[float] | None) -> _Input:
    """A picture whole, as it is resized for the network; of a volume the window of the network's size around the target."""
    label = torch.as_tensor(truth)[None].float()
    if label.ndim == 3:
        plain = torch.as_tensor(np.asarray(image)).float()
        return _Input(plain, F.interpolate(label[None], plain.shape[1:], mode="nearest")[0], None, None)
    if len(size) == 2:
        number = mid_target_slice(truth)
        plain = torch.as_tensor(np.asarray(image[:, number])).float()
        window, within, _ = _window(plain, label[:, number], size)
        return _Input(window, within, None, number)
    plain = _respaced(image, spacing)
    window, within, low = _window(plain, F.interpolate(label[None], plain.shape[1:], mode="nearest")[0], size)
    index = mid_target_slice(within[0])
    number = int((low[0] + index + 0.5) * truth.shape[0] / plain.shape[1])
    return _Input(window, within, index, min(number, truth.shape[0] - 1))


def _respaced(image: Any, spacing: Sequence[float] | None) -> Tensor:
    """A volume at the spacing of the network, as `VolumeInferer` brings it there."""
    plain = torch.as_tensor(np.asarray(image)).float()
    if spacing is None or not isinstance(image, MetaTensor):
        return plain
    own = image.affine[:3, :3].norm(dim=0).tolist()
    size = [max(1, round(n * mm / wanted)) for n, mm, wanted in zip(plain.shape[1:], own, spacing, strict=True)]
    return F.interpolate(plain[None], size, mode="trilinear")[0]


def _window(image: Tensor, label: Tensor, size: Sequence[int]) -> tuple[Tensor, Tensor, list[int]]:
    """The part of the network's size around the target's middle, and where it begins; smaller images are padded."""
    middle = [int(places.float().mean()) for places in (label[0] > 0).nonzero(as_tuple=True)]
    low = [max(0, min(at - edge // 2, n - edge)) for at, edge, n in zip(middle, size, label.shape[1:], strict=True)]
    part = (slice(None), *(slice(at, at + edge) for at, edge in zip(low, size, strict=True)))
    image, label = image[part], label[part]
    missing = [edge - n for edge, n in zip(size, label.shape[1:], strict=True)]
    padding = [amount for at_end in missing[::-1] for amount in (0, at_end)]
    return F.pad(image, padding, value=float(image.min())), F.pad(label, padding), low


def _case(name: str, of: _Input) -> Attention:
    truth = _at(of.label[0], of.index).numpy()
    picture = embed(scale_to_unit(_at(of.image, of.index).numpy(), _limits(of.image)), _LONGEST)
    return Attention(name, of.number, *truth.shape, picture, outline_path(truth.astype(np.uint8)), {})


def _blended(of: _Input, map_: Tensor) -> Picture:
    background = scale_to_unit(_at(of.image, of.index).numpy(), _limits(of.image))
    values = _at(map_, of.index).numpy()[..., None]
    colours = _COLOURS(values[..., 0])[..., :3]
    share = _STRENGTH * np.sqrt(values)  # weak attention is seen too
    return embed((1 - share) * background + share * colours, _LONGEST)


def _limits(image: Tensor) -> tuple[float, float]:
    return float(image.min()), float(image.max())


def _at(layer: Tensor, index: int | None) -> Tensor:
    return layer if index is None else layer[..., index, :, :]
