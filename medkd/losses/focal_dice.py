"""The task loss of EMKD and HLFD: half softmax focal loss, half Dice loss."""

from __future__ import annotations

from monai.losses import DiceLoss, FocalLoss
from torch import Tensor
from torch.nn.modules.loss import _Loss

__all__ = ["FocalDiceLoss"]


class FocalDiceLoss(_Loss):
    """Compute 0.5 * focal loss + 0.5 * Dice loss on softmax probabilities.

    The focal loss has gamma 2 and is a mean over images and positions. The Dice loss counts the foreground classes, pools
    the voxels of the whole batch, and has smooth 1. Both are MONAI's; its `DiceFocalLoss` keeps a sigmoid focal part.

    Shape:
        input: logits (N, K, *spatial); target: integer labels (N, 1, *spatial). Value: a scalar.

    Example:
        >>> import torch
        >>> logits = torch.tensor([40.0, -40.0]).reshape(1, 2, 1, 1).expand(1, 2, 4, 4)  # sure of background
        >>> FocalDiceLoss()(logits, torch.zeros(1, 1, 4, 4))
        tensor(0.)

    Reference: Qin et al., EMKD, TMI 2021, released code; HLFD's code has the same loss. Differs: the authors detach
    (1 - p)^2, so their gradient is smaller at the same value; this loss follows MONAI.
    """

    def __init__(self) -> None:
        super().__init__()
        self.focal = FocalLoss(use_softmax=True, to_onehot_y=True, gamma=2.0)
        self.dice = DiceLoss(
            softmax=True, to_onehot_y=True, include_background=False, batch=True, smooth_nr=1.0, smooth_dr=1.0
        )

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compute the loss on logits (N, K, *spatial) and labels (N, 1, *spatial)."""
        # MONAI averages the focal loss over the K channels as well, the reference over positions alone
        value: Tensor = 0.5 * input.shape[1] * self.focal(input, target) + 0.5 * self.dice(input, target)
        return value
