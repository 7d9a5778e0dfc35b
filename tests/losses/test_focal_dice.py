"""The task loss of EMKD and HLFD."""

import torch

from medkd.losses import FocalDiceLoss


def test_value_by_hand():
    # probabilities 1/2 everywhere, two positions, one of them foreground
    logits, target = torch.zeros(1, 2, 1, 2), torch.tensor([[[[0, 1]]]])
    focal = 0.25 * torch.log(torch.tensor(2.0))  # (1 - 1/2)^2 * -ln(1/2)
    dice = 1 - (2 * 0.5 + 1) / (1 + 1 + 1)
    torch.testing.assert_close(FocalDiceLoss()(logits, target), 0.5 * focal + 0.5 * dice)
