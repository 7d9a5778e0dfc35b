"""The questions that the trainer, the cache and the reports ask of a teacher."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from torch import Tensor, nn

from medkd.correction import TeacherTeam, TeamOutputs
from medkd.networks import Features, FeatureTaps

__all__ = ["NetworkTeacher", "Teacher"]


class Teacher(Protocol):
    """A module that the trainer asks for guidance: a single network, a team, or cached outputs of one of these."""

    @property
    def reads(self) -> str:
        """The key of the batch whose tensor the teacher is called with."""

    @property
    def team(self) -> TeacherTeam | None:
        """The team whose correction is applied; None if nothing is corrected."""

    def __call__(self, image: Tensor, target: Tensor, labelled: Tensor | None = None) -> Features:
        """Return the guidance for one batch.

        Args:
            image: tensor (N, C, *spatial) under the key `reads`.
            target: (N, 1, *spatial) integer labels.
            labelled: (L,) int64 indices of the images that have labels; None: all have. The target of any other image is a
                placeholder.
        """

    def outputs(self, image: Tensor) -> TeamOutputs:
        """Return the uncorrected outputs for the tensor (N, C, *spatial) under the key `reads`."""

    def start_epoch(self) -> None:
        """Reset what must depend on the batches of one epoch alone, as an exact resume needs it."""

    def eval(self) -> Any:
        """Switch to evaluation mode: the method of `torch.nn.Module`."""

    def requires_grad_(self, requires_grad: bool = ...) -> Any:
        """Switch gradients on or off: the method of `torch.nn.Module`."""


class NetworkTeacher(Teacher, Protocol):
    """A teacher that runs networks, whose outputs can be cached."""

    @property
    def taps(self) -> FeatureTaps:
        """T, tapped."""

    @property
    def networks(self) -> Sequence[nn.Module]:
        """Every network whose weights decide the outputs, T first."""

    @property
    def output_channels(self) -> dict[str, int]:
        """Channels of each of the `TeamOutputs` that the teacher gives, in order."""

    def logits_from(self, outputs: TeamOutputs, target: Tensor, labelled: Tensor | None = None) -> Tensor:
        """Return the logits (N, K, *spatial) that the student learns, for outputs and labels (N, 1, *spatial).

        Args:
            outputs: of the networks.
            target: labels.
            labelled: as in the call.
        """
