"""Hints (FitNet)."""

from __future__ import annotations

from monai.networks.layers.factories import Conv
from torch import Tensor
from torch.nn.modules.loss import _Loss

from ._common import check_channels, full_precision, no_autocast, resize

__all__ = ["FitNetLoss"]


class FitNetLoss(_Loss):
    r"""Teach the student features from which a learnable linear map predicts the teacher's features.

    .. math:: L = \mathrm{mean} (r(f^s) - f^t)^2, \quad r: \text{1x1 convolution without bias}

    The value grows with the square of the teacher's activations, so one weight does not suit every tap.

    Args:
        spatial_dims: 2 or 3.
        student_channels: channels Cs of the student's map.
        teacher_channels: channels Ct of the teacher's map.

    Shape:
        student (N, Cs, *spatial), teacher (N, Ct, *spatial). Where sizes differ, the student is resized first.

    Raises:
        ValueError: when channels, batch size or number of axes do not fit.

    Example:
        >>> import torch
        >>> loss = FitNetLoss(spatial_dims=2, student_channels=4, teacher_channels=6)
        >>> loss(torch.rand(1, 4, 8, 8), torch.rand(1, 6, 8, 8)).shape
        torch.Size([])

    Reference: Romero et al., FitNets, ICLR 2015. Differs: the hint is trained jointly with the task, as segmentation
    codes do; the original trains it first. RepDistiller's regressor has a norm and a ReLU; CIRKD's, followed here, has
    neither.

    In a preset: ``hint: {tap: penultimate, weight: 10.0, loss: {_target_: medkd.losses.FitNetLoss, spatial_dims: 2, ...}}``
    """

    def __init__(self, spatial_dims: int, student_channels: int, teacher_channels: int) -> None:
        super().__init__()
        self.spatial_dims = spatial_dims
        self.channels = (student_channels, teacher_channels)
        self.regressor = Conv[Conv.CONV, spatial_dims](student_channels, teacher_channels, kernel_size=1, bias=False)

    def forward(self, student: Tensor, teacher: Tensor, target: Tensor | None = None) -> Tensor:
        """Compute the loss on two maps with the channels of the constructor; target is not used."""
        check_channels("FitNetLoss", self.spatial_dims, self.channels, student, teacher)
        with no_autocast(student):
            f_s = resize(full_precision(student), teacher.shape[2:])
            # mse_loss would keep both maps for the backward, not their difference
            return (self.regressor(f_s) - full_precision(teacher.detach())).square().mean()
