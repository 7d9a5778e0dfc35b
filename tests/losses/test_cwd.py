"""CWD: a loop of the formula, and values by hand."""

import math

import pytest
import torch

from medkd.losses import CWDLoss
from tests.losses.reference import kl, sample, softmax


def test_equals_the_loop():
    s, t = sample(2, 3, 2, 3), sample(2, 3, 2, 3, seed=1)
    total = sum(
        kl(softmax((t[n, c] / 4).flatten().tolist()), softmax((s[n, c] / 4).flatten().tolist()))
        for n in range(2)
        for c in range(3)
    )
    assert CWDLoss()(s, t).item() == pytest.approx(16 * total / 6, rel=1e-10)


def test_value_by_hand():
    # teacher (3/4, 1/4) over two positions, student even; the second channel agrees
    t = torch.tensor([[[math.log(3.0), 0.0]], [[1.0, 1.0]]]).reshape(1, 2, 1, 2)
    s = torch.zeros(1, 2, 1, 2)
    expected = (0.75 * math.log(1.5) + 0.25 * math.log(0.5)) / 2
    assert CWDLoss(1.0)(s, t).item() == pytest.approx(expected, rel=1e-6)


def test_a_constant_added_to_a_channel_changes_nothing():
    s, t = sample(1, 2, 3, 3), sample(1, 2, 3, 3, seed=1)
    shifted = s + torch.tensor([5.0, -2.0]).reshape(1, 2, 1, 1)
    torch.testing.assert_close(CWDLoss()(shifted, t), CWDLoss()(s, t))
