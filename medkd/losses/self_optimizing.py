"""The interface of losses that train a part of themselves."""

from __future__ import annotations

from torch import Tensor
from torch.nn.modules.loss import _Loss

__all__ = ["SelfOptimizing"]


class SelfOptimizing(_Loss):
    """A loss whose parameters are trained by an optimizer of its own.

    The student's optimizer leaves these parameters alone. The trainer calls `step` after each step of the student.

    Attributes:
        components: name -> value of the last `step`, detached.
    """

    components: dict[str, Tensor]

    def step(self) -> None:
        """Take one step of this loss's optimizer, on the maps of the last training forward."""
        raise NotImplementedError
