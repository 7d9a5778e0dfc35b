"""The task loss of EMKD and HLFD: half softmax focal loss, half Dice loss."""

from __future__ import annotations

from monai.losses import DiceLoss, FocalLoss
from torch import Tensor
from torch.nn.modules.loss import _Loss

__all__ = ["FocalDiceLoss"]


class FocalDiceLoss(_Loss):
    """0.5 * focal + 0.5 * Dice, on softmax probabilities.

    Focal: gamma 2, mean over images and positions. Dice: foreground classes, voxels of the whole batch together,
    smooth 1. Put together from MONAI's losses: its `DiceFocalLoss` keeps a sigmoid focal part.

    Shape:
        logits (N, K, *spatial), target (N, 1, *spatial) of integer labels; value: a scalar.

    Reference: Qin et al., EMKD, TMI 2021, released code, which HLFD takes over. Differs: the authors detach
    (1 - p)^2, so their gradient is smaller at the same value; this follows MONAI.
    """

    def __init__(self) -> None:
        super().__init__()
        self.focal = FocalLoss(use_softmax=True, to_onehot_y=True, gamma=2.0)
        self.dice = DiceLoss(
            softmax=True, to_onehot_y=True, include_background=False, batch=True, smooth_nr=1.0, smooth_dr=1.0
        )

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        # MONAI averages the focal loss over the K channels too, the reference over positions alone: hence times K
        return 0.5 * input.shape[1] * self.focal(input, target) + 0.5 * self.dice(input, target)
