"""The task loss on auxiliary (deep-supervision) logits."""

import pytest
import torch

from medkd.losses import DeepSupervisionLoss
from medkd.networks import Features


def test_value_is_the_mean_over_resized_maps():
    logits, target = torch.zeros(1, 2, 4, 4), torch.zeros(1, 1, 4, 4)
    maps = (torch.full((1, 2, 4, 4), 3.0), torch.full((1, 2, 2, 2), 5.0))
    loss = DeepSupervisionLoss(lambda z, y: z.mean() + 0 * y.mean())
    assert loss(Features(logits, maps=maps), None, target).item() == pytest.approx(4.0)
    assert loss(Features(logits), None, target).item() == 0


def test_a_missing_target_is_refused():
    with pytest.raises(ValueError, match="DeepSupervisionLoss: needs a target, found None"):
        DeepSupervisionLoss(lambda z, y: z.mean())(Features(torch.zeros(1, 2, 4, 4)))
