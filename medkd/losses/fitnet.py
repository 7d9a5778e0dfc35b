"""FitNet hints."""

from __future__ import annotations

from monai.networks.layers.factories import Conv
from torch import Tensor
from torch.nn import functional as F
from torch.nn.modules.loss import _Loss

from ._common import check_channels, full_precision, no_autocast, resize

__all__ = ["FitNetLoss"]


class FitNetLoss(_Loss):
    r"""A learnable linear map of the student's features equals the teacher's.

    .. math:: L = \mathrm{mean} (r(f^s) - f^t)^2, \quad r: \text{1x1 convolution without bias}

    The value grows with the square of the teacher's activations: one weight does not suit every tap.

    Args:
        spatial_dims: 2 or 3.
        student_channels, teacher_channels: of the tapped maps.

    Shape:
        student (N, Cs, *spatial), teacher (N, Ct, *spatial); where sizes differ the student is resized first.

    Raises:
        ValueError: when channels, batch size or number of axes do not fit.

    Reference: Romero et al., FitNets, ICLR 2015. Differs: trained jointly with the task, as segmentation codes do; the
    original trains the hint first. RepDistiller's regressor has norm and ReLU, CIRKD's (followed here) has not.

    In a preset: ``hint: {tap: penultimate, weight: 10.0, loss: {_target_: medkd.losses.FitNetLoss, spatial_dims: 2, ...}}``
    """

    def __init__(self, spatial_dims: int, student_channels: int, teacher_channels: int) -> None:
        super().__init__()
        self.spatial_dims = spatial_dims
        self.channels = (student_channels, teacher_channels)
        self.regressor = Conv[Conv.CONV, spatial_dims](student_channels, teacher_channels, kernel_size=1, bias=False)

    def forward(self, student: Tensor, teacher: Tensor, target: Tensor | None = None) -> Tensor:
        """Maps of the channels given to the constructor; target is not used."""
        check_channels("FitNetLoss", self.spatial_dims, self.channels, student, teacher)
        with no_autocast(student):
            f_s = resize(full_precision(student), teacher.shape[2:])
            return F.mse_loss(self.regressor(f_s), full_precision(teacher.detach()))
