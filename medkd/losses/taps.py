"""Names of taps: which of a network's maps a loss reads."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import torch
from torch import Tensor

from medkd.networks import Features

from ._common import adaptive_avg_pool, resize, smallest_size

__all__ = ["equal_stages", "name_pairs", "reads_equal_stages", "tap_of", "tap_pair"]

_TAPS = (
    "logits, features, bottleneck, penultimate, penultimate/<n>, encoder.<i>, decoder.<i>, encoder/<n>, decoder/<n>, "
    "cat(<tap>, ...), cat(encoder.<i>:<j>); in --method_args::tap also equal"
)
# in the place of a tap: all pairs of encoder stages of equal resolution
_EQUAL = "equal"
_STAGE = re.compile(r"(encoder|decoder)\.(-?\d+)")
_RANGE = re.compile(r"(encoder|decoder)\.(-?\d+):(-?\d+)")
_AT_RESOLUTION = re.compile(r"(encoder|decoder|penultimate)/(\d+)")


def tap_pair(
    student: Features, teacher: Features | None, tap: str
) -> tuple[Tensor | Features, Tensor | Features | None]:
    """Return the student's and the teacher's map of a tap.

    Args:
        student: the student's maps.
        teacher: the teacher's maps; None gives None in return.
        tap: "a" for the same tap of both networks, or "a -> b" for tap a of the student and tap b of the teacher.

    Example:
        >>> features = Features(torch.rand(1, 2, 8, 8), (torch.rand(1, 4, 4, 4),))
        >>> [map_.shape[1] for map_ in tap_pair(features, features, "bottleneck -> logits")]
        [4, 2]
    """
    student_tap, arrow, teacher_tap = (name.strip() for name in tap.partition("->"))
    student_map = tap_of(student, student_tap)
    return student_map, None if teacher is None else tap_of(teacher, teacher_tap if arrow else student_tap)


def tap_of(features: Features, tap: str) -> Tensor | Features:
    """Return the map, or the whole `Features`, that the name of a tap means.

    - ``logits``, ``encoder.<i>``, ``decoder.<i>``: as in `Features`; ``features``: all of them;
    - ``penultimate``: decoder[-1], or encoder[-1] of a network without decoder; ``bottleneck``: encoder[-1];
    - ``encoder/8``: the encoder stage closest to an eighth of the image's resolution, so that networks with other strides
      can be paired (``decoder/8`` likewise; of a network without decoder, the encoder's);
    - ``penultimate/4``: that map average-pooled to a quarter of the image's resolution, where it is finer;
    - ``cat(encoder.0, encoder.1)``, ``cat(encoder.0:-1)``: maps, concatenated at the smallest size among them.

    Raises:
        ValueError: for an unknown tap, or a stage that the network does not have.

    Example:
        >>> features = Features(torch.rand(1, 2, 8, 8), (torch.rand(1, 3, 8, 8), torch.rand(1, 4, 4, 4)))
        >>> tap_of(features, "cat(encoder.0:2)").shape
        torch.Size([1, 7, 4, 4])
    """
    if tap == "features":
        return features
    if tap == "logits":
        return features.logits
    if tap == "bottleneck":
        return _stages(features, "encoder", tap)[-1]
    if tap == "penultimate":
        return _stages(features, "decoder", tap)[-1]
    if match := _STAGE.fullmatch(tap):
        stages: tuple[Tensor, ...] = getattr(features, match[1])
        if not -len(stages) <= (index := int(match[2])) < len(stages):
            raise ValueError(f"tap '{tap}': the network has {len(stages)} {match[1]} taps")
        return stages[index]
    if match := _AT_RESOLUTION.fullmatch(tap):
        return _at_resolution(features, match[1], int(match[2]), tap)
    if tap.startswith("cat(") and tap.endswith(")"):
        maps = [map_ for name in tap[4:-1].split(",") for map_ in _maps(features, name.strip())]
        return torch.cat([resize(map_, smallest_size(maps)) for map_ in maps], dim=1)
    raise ValueError(f"unknown tap '{tap}', expected one of: {_TAPS}")


def equal_stages(student: Features, teacher: Features) -> list[tuple[int, int]]:
    """Return the pairs of encoder stages that have the same resolution relative to the logits, fine to coarse.

    Each stage belongs to one pair: of several stages of one resolution, the first ones are paired, then the second ones.

    Args:
        student: the student's maps, or their shapes.
        teacher: likewise of the teacher, of an image of any size.

    Example:
        >>> def maps(*edges):
        ...     return Features(torch.rand(1, 2, 16, 16), tuple(torch.rand(1, 3, edge, edge) for edge in edges))
        >>> equal_stages(maps(8, 4, 2), maps(16, 8, 4))
        [(0, 1), (1, 2)]
    """
    unpaired = [_strides(teacher, stage) for stage in teacher.encoder]
    pairs = []
    for index, stage in enumerate(student.encoder):
        if (strides := _strides(student, stage)) in unpaired:
            pairs.append((index, position := unpaired.index(strides)))
            unpaired[position] = ()
    return pairs


def reads_equal_stages(tap: str | Sequence[str]) -> bool:
    """Return whether a tap, or one of a list of taps, is ``equal``: all pairs of encoder stages of equal resolution.

    Example:
        >>> reads_equal_stages(["equal", "logits"]), reads_equal_stages("encoder/4")
        (True, False)
    """
    return _EQUAL in ([tap] if isinstance(tap, str) else tap)


def name_pairs(tap: str | Sequence[str], pairs: Sequence[tuple[int, int]]) -> list[str]:
    """Return taps with ``equal`` replaced by one tap for each pair of stages.

    Args:
        tap: a tap or a list of taps.
        pairs: from `equal_stages`.

    Example:
        >>> name_pairs(["equal", "penultimate"], [(0, 1), (1, 2)])
        ['encoder.0 -> encoder.1', 'encoder.1 -> encoder.2', 'penultimate']
    """
    made = [f"encoder.{i} -> encoder.{j}" for i, j in pairs]
    return [part for name in ([tap] if isinstance(tap, str) else tap) for part in (made if name == _EQUAL else [name])]


def _strides(features: Features, stage: Tensor) -> tuple[float, ...]:
    """Return by how much a stage is coarser than the logits, axis by axis."""
    edges = zip(features.logits.shape[2:], stage.shape[2:], strict=True)
    return tuple(round(image / edge, 2) for image, edge in edges)


def _stages(features: Features, role: str, tap: str) -> tuple[Tensor, ...]:
    """Return the stages of the encoder or the decoder; of a network without decoder, those of the encoder."""
    stages = features.decoder if role == "decoder" and features.decoder else features.encoder
    if not stages:
        raise ValueError(f"tap '{tap}': the network has no encoder taps")
    return stages


def _maps(features: Features, name: str) -> list[Tensor]:
    """Return the maps of a name within ``cat(...)``: one tap, or a range of stages."""
    if not (match := _RANGE.fullmatch(name)):
        map_ = tap_of(features, name)
        if not isinstance(map_, Tensor):
            raise ValueError(f"tap 'cat({name})': found {name}, expected single maps")
        return [map_]
    stages: tuple[Tensor, ...] = getattr(features, match[1])
    maps = list(stages[int(match[2]) : int(match[3])])
    if not maps:
        raise ValueError(f"tap '{name}': the network has {len(stages)} {match[1]} taps")
    return maps


def _at_resolution(features: Features, role: str, fraction: int, tap: str) -> Tensor:
    """Return the map of a role at a fraction of the image's resolution."""
    image = features.logits.shape[2:]
    if fraction < 1:
        raise ValueError(f"tap '{tap}': expected a fraction of the image's resolution such as encoder/8")
    if role == "penultimate":
        feature = _stages(features, "decoder", tap)[-1]
        coarse = zip(image, feature.shape[2:], strict=True)
        size = tuple(min(edge, max(1, whole // fraction)) for whole, edge in coarse)
        return feature if size == tuple(feature.shape[2:]) else adaptive_avg_pool(feature, size)
    # the closest on a logarithmic scale; the finer of two that are equally close
    stages = _stages(features, role, tap)
    strides = [(math.prod(image) / math.prod(stage.shape[2:])) ** (1 / len(image)) for stage in stages]
    return min(
        zip(strides, stages, strict=True), key=lambda pair: (round(abs(math.log2(pair[0] / fraction)), 1), pair[0])
    )[1]
