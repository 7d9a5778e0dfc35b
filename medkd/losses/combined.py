"""A task loss plus named, weighted distillation terms, each of which reads a tap."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.loss import _Loss

from medkd.networks import Features
from medkd.parallel import weight_among_processes

from ._common import full_precision, no_autocast
from .self_optimizing import SelfOptimizing
from .taps import tap_pair

__all__ = ["CombinedLoss"]

_TASK = "task"


class CombinedLoss(_Loss):
    """Compute task(student logits, target) + sum of weight * loss(student tap, teacher tap, target).

    Args:
        task: the supervised loss on logits and integer labels, computed in float32.
        terms: name -> ``{loss, weight, tap}``, and optionally ``ramp``. ``tap`` is a name (see `medkd.losses.taps`) or a
            list of names, whose values are summed before they are weighted. ``ramp: [a, b]``: the weight is 0 up to
            epoch a, increases linearly, and is full from epoch b on; the trainer applies it. An entry
            ``task: {weight, ramp}`` does the same to the supervised loss.

    Attributes:
        values: "task" and every term of the last call, weighted and detached; their sum is the total.
        components: values that single losses report of themselves, such as "hlfd/ufd", unweighted. Both hold tensors:
            reading a number waits for a GPU, which is the caller's decision.

    Shape:
        student, teacher: `Features` (teacher None when no term needs one); target: (N, 1, *spatial) integer labels;
        labelled: (L,) int64 indices of the images that have labels; None: all have.

    Of a batch with unlabelled images, the task loss is the mean over the labelled images of all processes, and 0 where there
    are none. Every term is the mean over all images. On unlabelled images, the target that terms read is the class that the
    teacher's logits decide for. A loss with the class attribute ``reads_labelled = True`` is called with ``labelled`` too.

    Raises:
        ValueError: for a term with other keys, an invalid ramp, or unlabelled images without a teacher.

    Example:
        >>> from medkd.losses import KDLoss
        >>> terms = {"kd": {"loss": KDLoss(), "weight": 2.0, "tap": "logits"}}
        >>> loss = CombinedLoss(lambda logits, target: logits.mean(), terms)
        >>> loss(Features(torch.ones(1, 2, 4, 4)), Features(torch.zeros(1, 2, 4, 4)))
        tensor(1.)
    """

    def __init__(self, task: Callable[..., Tensor], terms: Mapping[str, Mapping]) -> None:
        super().__init__()
        for name, term in terms.items():
            expected = {"weight"} if name == _TASK else {"loss", "weight", "tap"}
            if set(term) - {"ramp"} != expected:
                keys = ", ".join(sorted(expected))
                raise ValueError(f"CombinedLoss: term '{name}' has {sorted(term)}, expected {keys} (and ramp)")
        distilled = {name: term for name, term in terms.items() if name != _TASK}
        self.task = task
        self.losses = nn.ModuleDict({name: term["loss"] for name, term in distilled.items()})
        self.taps = {name: _as_tuple(term["tap"]) for name, term in distilled.items()}
        self.weights = {_TASK: 1.0, **{name: float(term["weight"]) for name, term in terms.items()}}
        self.ramps = {name: _ramp(name, term["ramp"]) for name, term in terms.items() if "ramp" in term}
        self.values: dict[str, Tensor] = {}

    def forward(
        self,
        student: Features,
        teacher: Features | None = None,
        target: Tensor | None = None,
        labelled: Tensor | None = None,
    ) -> Tensor:
        """Return the total on two `Features`, labels (N, 1, *spatial) and the indices (L,) of the labelled images."""
        with no_autocast(student.logits):
            weighted = {_TASK: self.weights[_TASK] * self._supervised(full_precision(student.logits), target, labelled)}
            if labelled is not None:
                target = _with_teacher_classes(teacher, target, labelled)
            for name, loss in self.losses.items():
                pairs = (tap_pair(student, teacher, tap) for tap in self.taps[name])
                extra = {"labelled": labelled} if getattr(loss, "reads_labelled", False) else {}
                weighted[name] = self.weights[name] * sum(loss(*pair, target, **extra) for pair in pairs)
        self.values = {name: value.detach() for name, value in weighted.items()}
        return torch.stack(list(weighted.values())).sum()

    def _supervised(self, logits: Tensor, target: Tensor | None, labelled: Tensor | None) -> Tensor:
        """Return the task loss of the labelled images; among several processes, their mean is that over all labelled images."""
        if labelled is None or target is None:
            return self.task(logits, target)
        weight = weight_among_processes(len(labelled), logits)
        if len(labelled) == 0:
            return logits.flatten()[:0].sum()  # 0, with a gradient of zeros for each process to share
        return weight * self.task(logits.index_select(0, labelled), target.index_select(0, labelled))

    @property
    def teaches_logits(self) -> bool:
        """Return whether a term reads the student's logits: those on feature maps alone leave its last layer as it is."""
        weighed = {tap for name, taps in self.taps.items() if self.weights[name] for tap in taps}
        return any(tap.partition("->")[0].strip() == "logits" for tap in weighed)

    @property
    def components(self) -> dict[str, Tensor]:
        """Return the unweighted values that single losses report of their last call, named "<term>/<component>"."""
        return {
            f"{name}/{component}": value
            for name, loss in self.losses.items()
            for component, value in getattr(loss, "components", {}).items()
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


def _with_teacher_classes(teacher: Features | None, target: Tensor | None, labelled: Tensor) -> Tensor:
    """Return the labels (N, 1, *spatial), and on unlabelled images the classes that the teacher's logits decide for."""
    if teacher is None or target is None:
        raise ValueError("CombinedLoss: found unlabelled images without a teacher, expected one: nothing teaches them")
    classes = teacher.logits.detach().argmax(dim=1, keepdim=True).to(target.dtype)
    return classes.index_copy(0, labelled, target.index_select(0, labelled))


def _as_tuple(tap: str | Sequence[str]) -> tuple[str, ...]:
    """Return one tap or a list of taps as a tuple."""
    return (tap,) if isinstance(tap, str) else tuple(tap)


def _ramp(name: str, ramp: Sequence[int]) -> tuple[int, int]:
    """Return the ramp of a term as two epochs; raise ValueError unless 0 <= first <= last."""
    start, end = ramp
    if not 0 <= start <= end:
        raise ValueError(f"CombinedLoss: term '{name}': ramp {list(ramp)} found, expected epochs 0 <= first <= last")
    return start, end
