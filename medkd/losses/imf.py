"""Intermediate feature distiller (IMF), which the HLFD paper calls IFD: a reconstruction."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from monai.losses import DiceCELoss
from monai.networks.layers.factories import Conv
from monai.networks.layers.utils import get_norm_layer
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.loss import _Loss

from medkd.networks import Features

from ._common import (
    adaptive_avg_pool,
    check_features,
    check_num_classes,
    check_positive,
    full_precision,
    last_channels,
    no_autocast,
    resize,
)
from .kd import kd_loss

__all__ = ["IMFLoss"]

# The finest resolution of a branch, relative to the teacher's deepest map: a branch has as many channels as that map,
# so that a finer one would need much memory.
_FINEST = 2


class IMFLoss(_Loss):
    r"""Teach a branch on each stage of the student the teacher's deepest map, and all branches together its predictions.

    With branch_j = depthwise 3x3, 1x1 to the teacher's channels, norm, ReLU; head_j a 1x1 convolution to the K classes, all
    learnable, and the attentive logit z~ = sum_j softmax_j(v)_{jk} up(head_j(branch_j(stage_j)))_k, v learnable (J x K):

    value = [task(z~, target)] + alpha T^2 KL(teacher logits \|\| z~) + beta sum_j mean (branch_j(stage_j) - up(late))^2

    The supervised term in brackets is computed where there is a target.

    **A reconstruction.** Of the paper, the layers of a branch, the K weights of a branch in the merge, and a grid search for
    alpha and beta over 10, 20, 30, ... are known. Its equations and code were not found. The form for segmentation, the
    weights 1 and 1, and the resolution of the branches (at most twice that of the teacher's deepest map an axis; finer
    stages are average-pooled) are our choices, not established facts. What the HLFD paper ran under the name IFD is the
    method ``hlfd_ifd``.

    Args:
        spatial_dims: 2 or 3.
        student_channels: channels of all the student's encoder taps, bottleneck included, fine to coarse.
        teacher_channels: likewise of the teacher, or those of its bottleneck alone.
        num_classes: K of the logits.
        alpha: weight of the prediction term (our choice).
        beta: weight of the feature term (our choice).
        temperature: T.
        task: the supervised loss of z~. None: MONAI's cross-entropy plus Dice on softmax.
        norm: norm of the branches, "batch", or "instance" and the like for batches of 1 or 2 in 3-D.

    Shape:
        student, teacher: `Features` with encoder taps, any sizes; target: (N, 1, *spatial) integer labels, or None.

    Raises:
        ValueError: when T is not positive, or channels, batch size, number of axes or classes do not fit.

    Example:
        >>> encoder = (torch.rand(1, 3, 8, 8), torch.rand(1, 4, 4, 4))
        >>> features = Features(torch.rand(1, 2, 8, 8), encoder)
        >>> IMFLoss(2, student_channels=(3, 4), teacher_channels=4, num_classes=2)(features, features).shape
        torch.Size([])

    Reference: Kim, Lee and Woo, IMF: Integrating Matched Features Using Attentive Logit in Knowledge Distillation, IJCAI
    2023, written for image classes.

    In a preset: ``imf: {tap: features, weight: 1.0, loss: {_target_: medkd.losses.IMFLoss, spatial_dims: 2, ...}}``
    """

    def __init__(
        self,
        spatial_dims: int,
        student_channels: Sequence[int],
        teacher_channels: Sequence[int] | int,
        num_classes: int,
        alpha: float = 1.0,
        beta: float = 1.0,
        temperature: float = 4.0,
        task: Callable[[Tensor, Tensor], Tensor] | None = None,
        norm: str = "batch",
    ) -> None:
        super().__init__()
        check_num_classes("IMFLoss", num_classes)
        check_positive("IMFLoss", temperature=temperature)
        self.student_channels, self.late_channels = tuple(student_channels), last_channels(teacher_channels)
        self.num_classes, self.alpha, self.beta, self.temperature = num_classes, alpha, beta, temperature
        self.task = DiceCELoss(softmax=True, to_onehot_y=True) if task is None else task
        conv = Conv[Conv.CONV, spatial_dims]
        late = self.late_channels
        self.branches = nn.ModuleList(
            nn.Sequential(
                conv(width, width, kernel_size=3, padding=1, groups=width, bias=False),
                conv(width, late, kernel_size=1, bias=False),
                get_norm_layer(norm, spatial_dims, late),
                nn.ReLU(inplace=True),
            )
            for width in student_channels
        )
        self.heads = nn.ModuleList(conv(late, num_classes, kernel_size=1) for _ in student_channels)
        self.attention = nn.Parameter(torch.zeros(len(student_channels), num_classes))
        self.components = dict.fromkeys(("task", "prediction", "features"), torch.zeros(()))

    def forward(self, student: Features, teacher: Features, target: Tensor | None = None) -> Tensor:
        """Compute the loss; ``components`` keeps the unweighted terms of the last call, detached."""
        check_features("IMFLoss", student, teacher, self.student_channels, self.late_channels, self.num_classes)
        with no_autocast(student.logits):
            late, logits = full_precision(teacher.encoder[-1].detach()), full_precision(teacher.logits.detach())
            maps = [
                branch(self._pool(stage, late)) for branch, stage in zip(self.branches, student.encoder, strict=True)
            ]
            distances = [F.mse_loss(h, resize(late, h.shape[2:])) for h in maps]
            merged = self.attentive_logit(maps, logits.shape[2:])
            prediction, features = kd_loss(merged, logits, self.temperature), torch.stack(distances).sum()
            task = merged.new_zeros(()) if target is None else self.task(merged, target)
        terms = {"task": task, "prediction": prediction, "features": features}
        self.components = {name: term.detach() for name, term in terms.items()}
        return task + self.alpha * prediction + self.beta * features

    def attentive_logit(self, maps: Sequence[Tensor], size: Sequence[int]) -> Tensor:
        """Return z~ (N, K, *size) of the maps of the branches."""
        weights = torch.softmax(self.attention, dim=0)
        predictions = []
        for weight, head, h in zip(weights, self.heads, maps, strict=True):
            # weighted before the resizing, which is linear: the K channels are still at low resolution
            predictions.append(resize(head(h) * weight.reshape(1, -1, *[1] * (h.ndim - 2)), size))
        return torch.stack(predictions).sum(dim=0)

    def _pool(self, stage: Tensor, late: Tensor) -> Tensor:
        """Average-pool a stage to at most twice the size of the teacher's deepest map an axis."""
        stage = full_precision(stage)
        size = tuple(min(edge, _FINEST * deep) for edge, deep in zip(stage.shape[2:], late.shape[2:], strict=True))
        return stage if size == tuple(stage.shape[2:]) else adaptive_avg_pool(stage, size)
