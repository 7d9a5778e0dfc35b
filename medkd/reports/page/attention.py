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
from medkd.runs.rebuild import load_parser
from medkd.runs.results import trained_run
from medkd.visuals import first_and_last, grad_cam, mid_target_slice, scale_to_unit

from .cases import Data
from .pictures import Outline, Picture, embed, outlines
from .runs import RunFacts

__all__ = ["Attention", "attention"]

_COLOURS = matplotlib.colormaps["plasma"]
_STRENGTH = 0.6  # of the map's colours over the image, where the map is 1
_LONGEST = 256


@dataclass
class Attention:
    """A case with its Grad-CAM maps."""

    name: str
    number: int | None
    """Slice of the volume; None for a picture."""
    height: int
    width: int
    image: Picture
    truth: list[Outline]
    maps: dict[str, list[tuple[str, str, Picture, bool]]]
    """Row -> (first or last, name of the layer, picture, whether the map is 0 everywhere)."""


def attention(
    data: Data, names: Sequence[str], shown_runs: Mapping[str, RunFacts], class_index: int = 1
) -> tuple[list[Attention], list[str]]:
    """Return cases with their maps, and sentences about missing maps.

    Args:
        data: the test cases.
        names: cases; those without ground truth are left out.
        shown_runs: row -> run of the network.
        class_index: channel of the logits.
    """
    cases: list[Attention] = []
    sentences = []
    inputs: dict[str, _Input] = {}
    size: tuple[int, ...] = ()
    for row, run in shown_runs.items():
        try:
            trained = trained_run(run.folder)
            parser = load_parser(trained, run.trust_record)
            parser["device"] = "cpu"
            run_size = tuple(parser.get_parsed_content("image_size"))
            if not inputs:
                size, inputs = run_size, _inputs(parser, data, names)
                cases = [_case(name, item) for name, item in inputs.items()]
            if run_size != size:  # maps side by side must show the same picture
                raise ValueError(f"--image_size: found {run_size}, expected {size} as in the other maps")
            network = load_weights(parser.get_parsed_content("network_def"), trained.path).eval()
            layers = first_and_last(network)
            for case in cases:
                item = inputs[case.name]
                maps = grad_cam(network, item.image, layers, class_index)
                case.maps[row] = [
                    (word, layer, _blended(item, maps[layer]), not bool(_at(maps[layer], item.slice_index).any()))
                    for word, layer in zip(("first", "last"), layers, strict=True)
                ]
        except Exception as error:  # one network without maps must not remove the others from the page
            sentences.append(f"{run.name}: no Grad-CAM: {one_line_errors(error) or error}.")
    return cases, sentences


class _Input(NamedTuple):
    """The input of a network for a case."""

    image: Tensor
    label: Tensor
    slice_index: int | None
    """Slice of this image that is shown; None for a picture."""
    number: int | None
    """The same slice, numbered as in the volume."""


def _inputs(parser: ConfigParser, data: Data, names: Sequence[str]) -> dict[str, _Input]:
    """Return the inputs of the cases that hold a target."""
    size = tuple(parser.get_parsed_content("image_size"))
    config = parser.config
    has_spacing = len(size) == 3 and isinstance(config, dict) and "spacing" in config
    spacing = parser.get_parsed_content("spacing") if has_spacing else None
    read = ((name, *data.read(name)) for name in names)
    return {name: _input(image, truth, size, spacing) for name, image, truth in read if (truth > 0).any()}


def _input(image: Any, truth: np.ndarray, size: tuple[int, ...], spacing: Sequence[float] | None) -> _Input:
    """Return a whole picture as it is resized for the network; of a volume a window of the network's size at the target."""
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
    index = mid_target_slice(within[0]) or 0
    number = int((low[0] + index + 0.5) * truth.shape[0] / plain.shape[1])
    return _Input(window, within, index, min(number, truth.shape[0] - 1))


def _respaced(image: Any, spacing: Sequence[float] | None) -> Tensor:
    """Resample a volume to the spacing of the network, as `VolumeInferer` does."""
    plain = torch.as_tensor(np.asarray(image)).float()
    if spacing is None or not isinstance(image, MetaTensor):
        return plain
    image_spacing = image.affine[:3, :3].norm(dim=0).tolist()
    size = [
        max(1, round(n * mm / target)) for n, mm, target in zip(plain.shape[1:], image_spacing, spacing, strict=True)
    ]
    return F.interpolate(plain[None], size, mode="trilinear")[0]


def _window(image: Tensor, label: Tensor, size: Sequence[int]) -> tuple[Tensor, Tensor, list[int]]:
    """Crop a window of the network's size at the middle of the target; return where it begins too. Small images are padded."""
    middle = [int(indices.float().mean()) for indices in (label[0] > 0).nonzero(as_tuple=True)]
    low = [max(0, min(at - edge // 2, n - edge)) for at, edge, n in zip(middle, size, label.shape[1:], strict=True)]
    window = (slice(None), *(slice(at, at + edge) for at, edge in zip(low, size, strict=True)))
    image, label = image[window], label[window]
    missing = [edge - n for edge, n in zip(size, label.shape[1:], strict=True)]
    padding = [amount for at_end in missing[::-1] for amount in (0, at_end)]
    return F.pad(image, padding, value=float(image.min())), F.pad(label, padding), low


def _case(name: str, item: _Input) -> Attention:
    truth = _at(item.label[0], item.slice_index).numpy()
    picture = embed(scale_to_unit(_at(item.image, item.slice_index).numpy(), _limits(item.image)), _LONGEST)
    height, width = truth.shape
    return Attention(name, item.number, height, width, picture, outlines(truth.astype(np.uint8)), {})


def _blended(item: _Input, map_: Tensor) -> Picture:
    shown = scale_to_unit(_at(item.image, item.slice_index).numpy(), _limits(item.image))
    background = shown.mean(axis=-1, keepdims=True)  # grey: the colours are the map's alone
    values = _at(map_, item.slice_index).numpy()[..., None]
    colours = _COLOURS(values[..., 0])[..., :3]
    share = _STRENGTH * np.sqrt(values)  # the square root keeps weak attention visible
    return embed((1 - share) * background + share * colours, _LONGEST)


def _limits(image: Tensor) -> tuple[float, float]:
    return float(image.min()), float(image.max())


def _at(layer: Tensor, index: int | None) -> Tensor:
    return layer if index is None else layer[..., index, :, :]
