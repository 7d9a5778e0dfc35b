"""A single network as a teacher."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from monai.utils.enums import CommonKeys
from torch import Tensor, nn

from medkd.correction import TeamOutputs
from medkd.networks import Features, FeatureTaps

from .protocol import Teacher

__all__ = ["SingleTeacher", "as_teacher", "frozen"]

Module = TypeVar("Module", bound="nn.Module | Teacher")


class SingleTeacher(nn.Module):
    """A tapped network as a `NetworkTeacher`: it sees the image, and no label corrects its logits.

    Args:
        taps: the tapped network.

    Example:
        >>> import torch
        >>> from medkd.networks import UNet
        >>> teacher = SingleTeacher(FeatureTaps(UNet(2, 1, 2, width=2).eval()))
        >>> teacher(torch.rand(1, 1, 32, 32), torch.zeros(1, 1, 32, 32)).logits.shape
        torch.Size([1, 2, 32, 32])
    """

    reads: str = CommonKeys.IMAGE
    team: None = None

    def __init__(self, taps: FeatureTaps) -> None:
        super().__init__()
        self.taps = taps

    def forward(self, image: Tensor, target: Tensor, labelled: Tensor | None = None) -> Features:
        """Return the features of an image (N, C, *spatial); the labels are not used."""
        return self.taps(image)

    def outputs(self, image: Tensor) -> TeamOutputs:
        """Return the logits of an image (N, C, *spatial)."""
        return TeamOutputs(self.taps(image).logits)

    def logits_from(self, outputs: TeamOutputs, target: Tensor, labelled: Tensor | None = None) -> Tensor:
        """Return the logits (N, K, *spatial) of the outputs; the labels are not used."""
        return outputs.teacher

    def start_epoch(self) -> None:
        """Do nothing: a network has no memory."""

    @property
    def networks(self) -> Sequence[nn.Module]:
        """The network alone."""
        return [self.taps.network]

    @property
    def output_channels(self) -> dict[str, int]:
        """The number of classes, under "teacher"."""
        return {"teacher": self.taps.shapes.logits.shape[1]}


def as_teacher(teacher: FeatureTaps | Teacher) -> Teacher:
    """Return the teacher itself, or a tapped network as a `SingleTeacher`."""
    return SingleTeacher(teacher) if isinstance(teacher, FeatureTaps) else teacher


def frozen(module: Module) -> Module:
    """Return the module in evaluation mode, its parameters without gradient.

    Example:
        >>> frozen(nn.Linear(1, 1)).weight.requires_grad
        False
    """
    module.eval()
    module.requires_grad_(False)
    return module
