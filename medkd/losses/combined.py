"""A task loss plus named, weighted distillation terms, each reading its own tap."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.loss import _Loss

from medkd.networks import Features

from ._common import full_precision, no_autocast, resize, smallest_size

__all__ = ["CombinedLoss", "tap_of"]

_TAPS = "logits, penultimate, bottleneck, encoder.<i>, decoder.<i>, features, cat(<tap>, <tap>, ...)"
_STAGE = re.compile(r"(encoder|decoder)\.(\d+)")


def tap_of(features: Features, tap: str) -> Tensor | Features:
    """The map, or the whole `Features`, that a tap's name means.

    Raises:
        ValueError: for a name that is not one of the taps, or a stage that the network does not have.
    """
    if tap == "features":
        return features
    if tap == "logits":
        return features.logits
    if tap in ("penultimate", "bottleneck"):
        role = features.decoder if tap == "penultimate" and features.decoder else features.encoder
        if not role:
            raise ValueError(f"tap '{tap}': the network has no encoder taps")
        return role[-1]
    if tap.startswith("cat(") and tap.endswith(")"):
        parts = [tap_of(features, name.strip()) for name in tap[4:-1].split(",")]
        return torch.cat([resize(part, smallest_size(parts)) for part in parts], dim=1)
    if match := _STAGE.fullmatch(tap):
        role, index = getattr(features, match[1]), int(match[2])
        if index >= len(role):
            raise ValueError(f"tap '{tap}': the network has {len(role)} {match[1]} taps")
        return role[index]
    raise ValueError(f"unknown tap '{tap}', expected one of: {_TAPS}")


class CombinedLoss(_Loss):
    """task(student logits, target) + sum of weight * loss(student tap, teacher tap, target).

    Args:
        task: the supervised loss on logits and integer labels, computed in float32.
        terms: name -> ``{loss, weight, tap}``. ``tap`` is a name or a list of names, whose values are summed before
            they are weighted. ``penultimate`` is decoder[-1], or encoder[-1] of a network without decoder;
            ``cat(encoder.0, encoder.1)`` concatenates maps resized to the smallest.

    Shape:
        student, teacher: `Features` (teacher None when no term needs one); target: (N, 1, *spatial) integer labels.

    ``values`` holds "task" and every term of the last call as they enter the total (weighted, detached): they sum to it.
    ``components`` holds the parts that single losses keep of themselves, such as "hlfd/ufd", unweighted. Both stay
    tensors: reading them is the caller's decision, since it waits for a GPU.
    """

    def __init__(self, task: Callable[[Tensor, Tensor], Tensor], terms: Mapping[str, Mapping]) -> None:
        super().__init__()
        for name, term in terms.items():
            if set(term) != {"loss", "weight", "tap"}:
                raise ValueError(f"CombinedLoss: term '{name}' has {sorted(term)}, expected loss, tap, weight")
        self.task = task
        self.losses = nn.ModuleDict({name: term["loss"] for name, term in terms.items()})
        self.weights = {name: float(term["weight"]) for name, term in terms.items()}
        self.taps = {name: _as_tuple(term["tap"]) for name, term in terms.items()}
        self.values: dict[str, Tensor] = {}

    def forward(self, student: Features, teacher: Features | None = None, target: Tensor | None = None) -> Tensor:
        with no_autocast(student.logits):
            weighted = {"task": self.task(full_precision(student.logits), target)}
            for name, loss in self.losses.items():
                pairs = (
                    (tap_of(student, tap), None if teacher is None else tap_of(teacher, tap)) for tap in self.taps[name]
                )
                weighted[name] = self.weights[name] * sum(loss(*pair, target) for pair in pairs)
        self.values = {name: value.detach() for name, value in weighted.items()}
        return torch.stack(list(weighted.values())).sum()

    @property
    def components(self) -> dict[str, Tensor]:
        """Parts that single losses keep of their last value: "<term>/<part>"."""
        return {
            f"{name}/{part}": value
            for name, loss in self.losses.items()
            for part, value in getattr(loss, "components", {}).items()
        }


def _as_tuple(tap: str | Sequence[str]) -> tuple[str, ...]:
    return (tap,) if isinstance(tap, str) else tuple(tap)
