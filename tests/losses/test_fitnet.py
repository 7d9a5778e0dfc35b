"""FitNet: values by hand, and the trained regressor."""

import pytest
import torch

from medkd.losses import FitNetLoss


def test_value_by_hand_and_learnable():
    loss = FitNetLoss(2, 2, 1)
    loss.regressor.weight.data.copy_(torch.tensor([2.0, -1.0]).reshape(1, 2, 1, 1))
    s = torch.tensor([3.0, 1.0]).reshape(1, 2, 1, 1).expand(1, 2, 2, 2)
    value = loss(s, torch.zeros(1, 1, 4, 4))
    assert value.item() == pytest.approx(25.0)
    value.backward()
    assert loss.regressor.weight.grad.flatten().tolist() == pytest.approx([2 * 5 * 3.0, 2 * 5 * 1.0])
    assert loss.regressor.bias is None


def test_channels_are_checked():
    with pytest.raises(ValueError, match=r"student \(1, 3, 2, 2\) and teacher \(1, 1, 2, 2\) must have 2 and 1"):
        FitNetLoss(2, 2, 1)(torch.zeros(1, 3, 2, 2), torch.zeros(1, 1, 2, 2))
