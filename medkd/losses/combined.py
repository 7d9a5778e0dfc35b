"""A task loss plus named, weighted distillation terms, each reading its own tap."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.loss import _Loss

from medkd.networks import Features

from ._common import full_precision, no_autocast
from .self_optimizing import SelfOptimizing
from .taps import tap_pair

__all__ = ["CombinedLoss"]

_TASK = "task"


class CombinedLoss(_Loss):
    """task(student logits, target) + sum of weight * loss(student tap, teacher tap, target).

    Args:
        task: the supervised loss on logits and integer labels, computed in float32.
        terms: name -> ``{loss, weight, tap}``, and optionally ``ramp``. ``tap`` is a name (see `medkd.losses.taps`) or a
            list of names, whose values are summed before they are weighted. ``ramp: [a, b]``: the weight is 0 up to
            epoch a, grows evenly, and is whole from epoch b on; the trainer sees to it. An entry ``task: {weight, ramp}``
            does so to the supervised loss.

    Shape:
        student, teacher: `Features` (teacher None when no term needs one); target: (N, 1, *spatial) integer labels.

    ``values`` holds "task" and every term of the last call as they enter the total (weighted, detached): they sum to it.
    ``components`` holds the parts that single losses keep of themselves, such as "hlfd/ufd", unweighted. Both stay
    tensors: reading them is the caller's decision, since it waits for a GPU.
    """

    def __init__(self, task: Callable[[Tensor, Tensor], Tensor], terms: Mapping[str, Mapping]) -> None:
        super().__init__()
        for name, term in terms.items():
            expected = {"weight"} if name == _TASK else {"loss", "weight", "tap"}
            if set(term) - {"ramp"} != expected:
                wanted = ", ".join(sorted(expected))
                raise ValueError(f"CombinedLoss: term '{name}' has {sorted(term)}, expected {wanted} (and ramp)")
        taught = {name: term for name, term in terms.items() if name != _TASK}
        self.task = task
        self.losses = nn.ModuleDict({name: term["loss"] for name, term in taught.items()})
        self.taps = {name: _as_tuple(term["tap"]) for name, term in taught.items()}
        self.weights = {_TASK: 1.0, **{name: float(term["weight"]) for name, term in terms.items()}}
        self.ramps = {name: _ramp(name, term["ramp"]) for name, term in terms.items() if "ramp" in term}
        self.values: dict[str, Tensor] = {}

    def forward(self, student: Features, teacher: Features | None = None, target: Tensor | None = None) -> Tensor:
        with no_autocast(student.logits):
            weighted = {_TASK: self.weights[_TASK] * self.task(full_precision(student.logits), target)}
            for name, loss in self.losses.items():
                pairs = (tap_pair(student, teacher, tap) for tap in self.taps[name])
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

    def adaptor_losses(self) -> list[nn.Module]:
        """Return the losses whose parameters the student's optimizer trains: all that are not `SelfOptimizing`."""
        return [loss for loss in self.losses.values() if not isinstance(loss, SelfOptimizing)]

    def adaptors(self) -> list[nn.Parameter]:
        """Return the parameters of the losses that the student's optimizer trains."""
        return [parameter for loss in self.adaptor_losses() for parameter in loss.parameters()]

    def step(self) -> None:
        """Let each `SelfOptimizing` loss take its step, after the step of the student."""
        for loss in self.losses.values():
            if isinstance(loss, SelfOptimizing):
                loss.step()


def _as_tuple(tap: str | Sequence[str]) -> tuple[str, ...]:
    return (tap,) if isinstance(tap, str) else tuple(tap)


def _ramp(name: str, ramp: Sequence[int]) -> tuple[int, int]:
    start, end = ramp
    if not 0 <= start <= end:
        raise ValueError(f"CombinedLoss: term '{name}': ramp {list(ramp)} found, expected epochs 0 <= first <= last")
    return start, end
