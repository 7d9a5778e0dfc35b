"""KD on a feature map through a learnable head."""

from __future__ import annotations

from monai.networks.layers.factories import Conv
from torch import Tensor
from torch.nn.modules.loss import _Loss

from ._common import check_channels, check_num_classes, check_positive, full_precision, no_autocast, resize
from .kd import kd_loss

__all__ = ["HeadKDLoss"]


class HeadKDLoss(_Loss):
    r"""Teach a feature map of the student the teacher's class distribution, as a learnable 1x1 convolution h predicts it.

    .. math:: L = T^2 \; \mathrm{mean}_{n,i} \; KL(p_T(z^t) \,\|\, p_T(up(h(f^s))))

    Args:
        spatial_dims: 2 or 3.
        student_channels: channels Cs of the student's map.
        num_classes: K of the teacher's logits.
        temperature: T.

    Shape:
        student: features (N, Cs, *any); teacher: logits (N, K, *spatial). The head runs at the resolution of the map; its
        K channels are then resized to the logits.

    Raises:
        ValueError: when T is not positive, or channels, batch size or number of axes do not fit.

    Example:
        >>> import torch
        >>> loss = HeadKDLoss(spatial_dims=2, student_channels=4, num_classes=2)
        >>> loss(torch.rand(1, 4, 4, 4), torch.rand(1, 2, 16, 16)).shape
        torch.Size([])

    Reference: the prediction terms of the baselines in the code of Gorade et al., HLFD, ISBI 2024. Differs: their code
    creates the convolution at random in each call; here it is trained.

    In a preset: ``kd: {tap: bottleneck -> logits, weight: 0.1, loss: {_target_: medkd.losses.HeadKDLoss, ...}}``
    """

    def __init__(self, spatial_dims: int, student_channels: int, num_classes: int, temperature: float = 4.0) -> None:
        super().__init__()
        check_positive("HeadKDLoss", temperature=temperature)
        check_num_classes("HeadKDLoss", num_classes)
        self.spatial_dims, self.channels = spatial_dims, (student_channels, num_classes)
        self.temperature = temperature
        self.head = Conv[Conv.CONV, spatial_dims](student_channels, num_classes, kernel_size=1)

    def forward(self, student: Tensor, teacher: Tensor, target: Tensor | None = None) -> Tensor:
        """Compute the loss on a map of the student and the logits of the teacher; target is not used."""
        check_channels("HeadKDLoss", self.spatial_dims, self.channels, student, teacher)
        with no_autocast(student):
            predicted = resize(self.head(full_precision(student)), teacher.shape[2:])
            return kd_loss(predicted, full_precision(teacher.detach()), self.temperature)
