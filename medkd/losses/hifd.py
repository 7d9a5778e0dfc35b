"""Deeply supervised knowledge distillation (DSKD), which the HLFD paper calls HIFD: a reconstruction."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from monai.networks.layers.factories import Conv
from torch import Tensor, nn
from torch.nn.modules.loss import _Loss

from medkd.networks import Features

from ._common import (
    check_features,
    check_num_classes,
    check_positive,
    full_precision,
    last_channels,
    no_autocast,
    resize,
    smallest_size,
)
from .at import at_loss
from .kd import kd_loss

__all__ = ["HIFDLoss"]


class HIFDLoss(_Loss):
    r"""Teach every shallow stage of the student the teacher's predictions and deepest map, harder stages with more weight.

    value = sum_l w_l L_l over the student's stages except the bottleneck, with h_l a learnable 1x1 convolution and

    - L_l = T^2 KL(teacher logits \|\| up(h_l(stage_l))) + gamma \|\|A(stage_l) - A(teacher bottleneck)\|\|^2,
    - w_l = L_l / mean(L), without gradient ("adaptive"), or 1 ("uniform"),

    and A the importance map of `ATLoss`, with both maps at the smaller of their sizes.

    **A reconstruction.** The paper's abstract says that each shallow stage is supervised by the teacher's class predictions
    and feature maps, with weights from the losses. Its equations and code were not found, so the form, gamma and p are our
    choices, not established facts. What the HLFD paper ran under the name HIFD is the method ``hlfd_hifd``.

    Args:
        spatial_dims: 2 or 3.
        student_channels: channels of all the student's encoder taps, bottleneck included, fine to coarse.
        teacher_channels: likewise of the teacher, or those of its bottleneck alone. They serve a check only.
        num_classes: K of the teacher's logits.
        gamma: weight of the maps relative to the predictions (our choice).
        p: power of the importance map (HLFD's code: 4).
        temperature: T.
        weighting: "adaptive" or "uniform".

    Shape:
        student, teacher: `Features` with encoder taps, any sizes.

    Raises:
        ValueError: for fewer than two encoder taps, channels that do not fit, or an unknown weighting.

    Example:
        >>> encoder = (torch.rand(1, 3, 8, 8), torch.rand(1, 4, 4, 4))
        >>> features = Features(torch.rand(1, 2, 8, 8), encoder)
        >>> HIFDLoss(2, student_channels=(3, 4), teacher_channels=4, num_classes=2)(features, features).shape
        torch.Size([])

    Reference: Luo et al., Deeply-Supervised Knowledge Distillation, arXiv 2202.07846, cited as HIFD by HLFD (ISBI 2024).

    In a preset: ``hifd: {tap: features, weight: 1.0, loss: {_target_: medkd.losses.HIFDLoss, spatial_dims: 2, ...}}``
    """

    def __init__(
        self,
        spatial_dims: int,
        student_channels: Sequence[int],
        teacher_channels: Sequence[int] | int,
        num_classes: int,
        gamma: float = 1.0,
        p: float = 4,
        temperature: float = 4.0,
        weighting: str = "adaptive",
    ) -> None:
        super().__init__()
        if weighting not in ("adaptive", "uniform"):
            raise ValueError(f"HIFDLoss: weighting must be 'adaptive' or 'uniform', found {weighting!r}")
        if len(student_channels) < 2:
            raise ValueError(f"HIFDLoss: needs at least two encoder taps, found {len(student_channels)}")
        check_num_classes("HIFDLoss", num_classes)
        check_positive("HIFDLoss", temperature=temperature, p=p)
        self.student_channels, self.late_channels = tuple(student_channels), last_channels(teacher_channels)
        self.gamma, self.p, self.temperature, self.weighting = gamma, p, temperature, weighting
        self.num_classes = num_classes
        conv = Conv[Conv.CONV, spatial_dims]
        self.heads = nn.ModuleList(conv(channels, num_classes, kernel_size=1) for channels in student_channels[:-1])

    def forward(self, student: Features, teacher: Features, target: Tensor | None = None) -> Tensor:
        """Compute the loss on two `Features`; target is not used."""
        check_features("HIFDLoss", student, teacher, self.student_channels, self.late_channels, self.num_classes)
        with no_autocast(student.logits):
            late, logits = full_precision(teacher.encoder[-1].detach()), full_precision(teacher.logits.detach())
            stages = []
            for head, feature in zip(self.heads, student.encoder, strict=False):
                stage = full_precision(feature)
                size = smallest_size([stage, late])
                distance = at_loss(resize(stage, size), resize(late, size), self.p)
                predicted = resize(head(stage), logits.shape[2:])
                stages.append(kd_loss(predicted, logits, self.temperature) + self.gamma * distance)
            losses = torch.stack(stages)
            if self.weighting == "uniform":
                return losses.sum()
            mean = losses.detach().mean()
            return (losses * losses.detach() / torch.where(mean > 0, mean, 1.0)).sum()
