"""The language of taps: which of a network's maps a loss reads, written as one name."""

from __future__ import annotations

import math
import re

import torch
from torch import Tensor
from torch.nn import functional as F

from medkd.networks import Features

from ._common import resize, smallest_size

__all__ = ["tap_of", "tap_pair"]

_TAPS = (
    "logits, features, bottleneck, penultimate, penultimate/<n>, encoder.<i>, decoder.<i>, encoder/<n>, decoder/<n>, "
    "cat(<tap>, ...), cat(encoder.<i>:<j>)"
)
_STAGE = re.compile(r"(encoder|decoder)\.(-?\d+)")
_RANGE = re.compile(r"(encoder|decoder)\.(-?\d+):(-?\d+)")
_AT_RESOLUTION = re.compile(r"(encoder|decoder|penultimate)/(\d+)")


def tap_pair(student: Features, teacher: Features | None, tap: str) -> tuple:
    """The student's and the teacher's side of a tap: "a" is a of both, "a -> b" is a of the student, b of the teacher.

    The teacher's side is None without a teacher.
    """
    left, arrow, right = (part.strip() for part in tap.partition("->"))
    return tap_of(student, left), None if teacher is None else tap_of(teacher, right if arrow else left)


def tap_of(features: Features, tap: str) -> Tensor | Features:
    """The map, or the whole `Features`, that a tap's name means.

    - ``penultimate``: decoder[-1], or encoder[-1] of a network without decoder; ``bottleneck``: encoder[-1];
    - ``encoder/8``: the encoder stage at an eighth of the image's resolution, or the nearest to it, so that networks with
      other strides meet (``decoder/8`` likewise, of a network without decoder the encoder's);
    - ``penultimate/4``: that map average-pooled to a quarter of the image's resolution, where it is finer;
    - ``cat(encoder.0, encoder.1)``, ``cat(encoder.0:-1)``: maps, concatenated at the smallest size among them.

    Raises:
        ValueError: for a name that is not one of the taps, or a stage that the network does not have.
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
        role, index = getattr(features, match[1]), int(match[2])
        if not -len(role) <= index < len(role):
            raise ValueError(f"tap '{tap}': the network has {len(role)} {match[1]} taps")
        return role[index]
    if match := _AT_RESOLUTION.fullmatch(tap):
        return _at_resolution(features, match[1], int(match[2]), tap)
    if tap.startswith("cat(") and tap.endswith(")"):
        parts = [part for name in tap[4:-1].split(",") for part in _parts(features, name.strip())]
        return torch.cat([resize(part, smallest_size(parts)) for part in parts], dim=1)
    raise ValueError(f"unknown tap '{tap}', expected one of: {_TAPS}")


def _stages(features: Features, role: str, tap: str) -> tuple[Tensor, ...]:
    """The stages of a role; of a network without decoder, the encoder's."""
    stages = features.decoder if role == "decoder" and features.decoder else features.encoder
    if not stages:
        raise ValueError(f"tap '{tap}': the network has no encoder taps")
    return stages


def _parts(features: Features, name: str) -> list[Tensor]:
    if not (match := _RANGE.fullmatch(name)):
        return [tap_of(features, name)]
    parts = list(getattr(features, match[1])[int(match[2]) : int(match[3])])
    if not parts:
        raise ValueError(f"tap '{name}': the network has {len(getattr(features, match[1]))} {match[1]} taps")
    return parts


def _at_resolution(features: Features, role: str, fraction: int, tap: str) -> Tensor:
    image = features.logits.shape[2:]
    if fraction < 1:
        raise ValueError(f"tap '{tap}': expected a fraction of the image's resolution such as encoder/8")
    if role == "penultimate":
        feature = _stages(features, "decoder", tap)[-1]
        pool = F.adaptive_avg_pool2d if feature.ndim == 4 else F.adaptive_avg_pool3d
        coarse = zip(image, feature.shape[2:], strict=True)
        size = tuple(min(edge, max(1, whole // fraction)) for whole, edge in coarse)
        return feature if size == tuple(feature.shape[2:]) else pool(feature, size)
    # on a logarithmic scale, the finer of two that are equally near
    stages = _stages(features, role, tap)
    strides = [(math.prod(image) / math.prod(stage.shape[2:])) ** (1 / len(image)) for stage in stages]
    return min(
        zip(strides, stages, strict=True), key=lambda pair: (round(abs(math.log2(pair[0] / fraction)), 1), pair[0])
    )[1]
