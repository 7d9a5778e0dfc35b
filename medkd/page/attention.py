"""Grad-CAM of teacher, student alone and methods on the same cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor
from torch import Tensor
from torch.nn import functional as F

from medkd.errors import one_line_errors
from medkd.networks import load_weights
from medkd.reports import configured
from medkd.visuals import first_and_last, grad_cam, mid_target_slice, scaled_picture

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
    """Slice of the volume; of a 3-D network of the volume at the network's spacing."""
    height: int
    width: int
    image: Picture
    truth: str
    """SVG path."""
    maps: dict[str, list[tuple[str, str, Picture, bool]]]
    """Row -> (first or last, name of the layer, picture, whether the map is 0 everywhere)."""


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
    inputs: dict[str, tuple[Tensor, Tensor, int | None]] = {}
    for row, run in shown.items():
        try:
            parser = configured(run.folder)
            parser["device"] = "cpu"
            if not inputs:
                inputs = _inputs(parser, data, names)
                cases = [_case(name, *of) for name, of in inputs.items()]
            network = load_weights(parser.get_parsed_content("network_def"), run.folder).eval()
            layers = first_and_last(network)
            for case in cases:
                image, _, index = inputs[case.name]
                maps = grad_cam(network, image, layers, class_index)
                case.maps[row] = [
                    (word, layer, _blended(image, maps[layer], index), not bool(maps[layer].any()))
                    for word, layer in zip(("first", "last"), layers, strict=True)
                ]
        except Exception as error:  # one network that cannot be looked into must not take the others from the page
            sentences.append(f"{run.name}: no Grad-CAM: {one_line_errors(error) or error}.")
    return cases, sentences


def _inputs(parser: ConfigParser, data: Data, names: Sequence[str]) -> dict[str, tuple[Tensor, Tensor, int | None]]:
    """Case -> image and label as the network takes them, and the slice of mid target where it takes a volume."""
    found = {}
    for name in names:
        image, truth = data.read(name)
        label = torch.as_tensor(truth)[None].float()
        if not bool((label > 0).any()):
            continue
        size = tuple(parser.get_parsed_content("image_size"))
        number = None
        if label.ndim == 4 and len(size) == 2:
            number = mid_target_slice(truth)
            image, label = image[:, number], label[:, number]
        elif label.ndim == 4:
            image = _respaced(image, parser.get_parsed_content("spacing") if "spacing" in parser.config else None)
        plain = torch.as_tensor(np.asarray(image)).float()
        label = F.interpolate(label[None], plain.shape[1:], mode="nearest")[0]
        if truth.ndim == 3:
            plain, label = _window(plain, label, size)
            if len(size) == 3:
                number = mid_target_slice(label[0])
        found[name] = plain, label, number
    return found


def _respaced(image: Any, spacing: Sequence[float] | None) -> Tensor:
    """A volume at the spacing of the network, as `VolumeInferer` brings it there."""
    plain = torch.as_tensor(np.asarray(image)).float()
    if spacing is None or not isinstance(image, MetaTensor):
        return plain
    own = image.affine[:3, :3].norm(dim=0).tolist()
    size = [max(1, round(n * mm / wanted)) for n, mm, wanted in zip(plain.shape[1:], own, spacing, strict=True)]
    return F.interpolate(plain[None], size, mode="trilinear")[0]


def _window(image: Tensor, label: Tensor, size: Sequence[int]) -> tuple[Tensor, Tensor]:
    """The part of the network's size around the target's middle; smaller images are padded as in training."""
    middle = [int(places.float().mean()) for places in (label[0] > 0).nonzero(as_tuple=True)]
    low = [max(0, min(at - edge // 2, n - edge)) for at, edge, n in zip(middle, size, label.shape[1:], strict=True)]
    part = (slice(None), *(slice(at, at + edge) for at, edge in zip(low, size, strict=True)))
    image, label = image[part], label[part]
    missing = [edge - n for edge, n in zip(size, label.shape[1:], strict=True)]
    padding = [amount for at_end in missing[::-1] for amount in (0, at_end)]
    return F.pad(image, padding, value=float(image.min())), F.pad(label, padding)


def _case(name: str, image: Tensor, label: Tensor, number: int | None) -> Attention:
    index = number if image.ndim == 4 else None
    truth = _at(label[0], index).numpy()
    picture = embed(scaled_picture(_at(image, index).numpy(), _limits(image)), _LONGEST)
    return Attention(name, number, *truth.shape, picture, outline_path(truth.astype(np.uint8)), {})


def _blended(image: Tensor, map_: Tensor, number: int | None) -> Picture:
    index = number if image.ndim == 4 else None
    background = scaled_picture(_at(image, index).numpy(), _limits(image))
    values = _at(map_, index).numpy()[..., None]
    colours = _COLOURS(values[..., 0])[..., :3]
    share = _STRENGTH * np.sqrt(values)  # weak attention is seen too
    return embed((1 - share) * background + share * colours, _LONGEST)


def _limits(image: Tensor) -> tuple[float, float]:
    return float(image.min()), float(image.max())


def _at(layer: Tensor, index: int | None) -> Tensor:
    return layer if index is None else layer[..., index, :, :]
