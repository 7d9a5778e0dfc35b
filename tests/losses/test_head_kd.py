"""KD through a head: a loop of the formula in float64, a value by hand, and what it refuses."""

import math

import pytest
import torch
from torch.nn import functional as F

from medkd.losses import HeadKDLoss
from tests.losses.reference import kl, sample, softmax


def build(dims=2, channels=3, classes=4, **options):
    torch.manual_seed(0)
    return HeadKDLoss(dims, channels, classes, **options).double()


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_loop(temperature):
    loss, s, t = build(temperature=temperature), sample(2, 3, 2, 3), sample(2, 4, 4, 6, seed=1)
    weight, bias = loss.head.weight.flatten(1).tolist(), loss.head.bias.tolist()
    low = torch.empty(2, 4, 2, 3, dtype=torch.float64)
    for n in range(2):
        for i in range(2):
            for j in range(3):
                pixel = s[n, :, i, j].tolist()
                rows = zip(weight, bias, strict=True)
                low[n, :, i, j] = torch.tensor([sum(a * x for a, x in zip(w, pixel, strict=True)) + b for w, b in rows])
    z = F.interpolate(low, size=(4, 6), mode="bilinear", align_corners=False)
    total = 0.0
    for n in range(2):
        for i in range(4):
            for j in range(6):
                total += kl(*(softmax((x[n, :, i, j] / temperature).tolist()) for x in (t, z)))
    assert loss(s, t).item() == pytest.approx(temperature**2 * total / 48, rel=1e-9)


def test_by_hand():
    # the head doubles its one channel into class 0: student (3/4, 1/4) at T = 2, teacher even
    loss = build(2, 1, 2, temperature=2.0)
    loss.head.weight.data.copy_(torch.tensor([2.0, 0.0]).reshape(2, 1, 1, 1))
    loss.head.bias.data.zero_()
    s = torch.full((2, 1, 1, 1), math.log(3.0), dtype=torch.float64)
    expected = 4 * (0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25))
    assert loss(s, torch.zeros(2, 2, 4, 4, dtype=torch.float64)).item() == pytest.approx(expected, rel=1e-9)


def test_head_learns_and_the_teacher_gets_no_gradient():
    loss, s, t = build(), sample(1, 3, 2, 2).requires_grad_(), sample(1, 4, 4, 4, seed=1).requires_grad_()
    first = loss(s, t)
    assert first == loss(s, t, torch.zeros(1, 1, 4, 4))  # the same head at every call; no target
    first.backward()
    assert t.grad is None and s.grad.abs().sum() > 0
    assert loss.head.weight.shape == (4, 3, 1, 1)
    assert all(p.grad.abs().sum() > 0 for p in loss.parameters()) and len(list(loss.parameters())) == 2


def test_depth_one_in_3d_equals_2d():
    flat, deep = build(), build(3)
    for a, b in zip(flat.parameters(), deep.parameters(), strict=True):
        b.data.copy_(a.data.reshape(b.shape))
    s, t = sample(2, 3, 3, 4), sample(2, 4, 6, 8, seed=1)
    torch.testing.assert_close(deep(s[:, :, None], t[:, :, None]), flat(s, t))


def test_errors_name_both_shapes():
    loss = build()
    message = r"HeadKDLoss: student \(1, {0}, 2, 2\) and teacher \(1, {1}, 4, 4\) must have 3 and 4 channels"
    for channels in ((2, 4), (3, 3)):
        with pytest.raises(ValueError, match=message.format(*channels)):
            loss(sample(1, channels[0], 2, 2), sample(1, channels[1], 4, 4))
    for other in (sample(2, 4, 4, 4), sample(1, 4, 4, 4, 4)):
        with pytest.raises(ValueError, match="HeadKDLoss: student .* and teacher .* the same batch size and number of"):
            loss(sample(1, 3, 2, 2), other)
    with pytest.raises(ValueError, match="HeadKDLoss: temperature must be positive, found 0"):
        build(temperature=0)
