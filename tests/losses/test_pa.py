"""PA: a loop of the formula, the grid and the detached norm."""

import pytest
import torch
from torch.nn import functional as F

from medkd.losses import PALoss
from tests.losses.reference import cosine, sample


def test_equals_the_loop():
    s, t = sample(2, 3, 4, 4), sample(2, 5, 8, 8, seed=1)
    total = 0.0
    for n in range(2):
        nodes = [F.max_pool2d(f[n : n + 1], f.shape[-1] // 2)[0].flatten(1).T.tolist() for f in (s, t)]
        total += sum(
            (cosine(nodes[0][i], nodes[0][j]) - cosine(nodes[1][i], nodes[1][j])) ** 2
            for i in range(4)
            for j in range(4)
        )
    assert PALoss(grid=2)(s, t).item() == pytest.approx(total / (2 * 16), rel=1e-9)


def test_an_axis_shorter_than_the_grid_stays():
    s, t = sample(1, 3, 2, 16), sample(1, 3, 2, 16, seed=1)
    pooled = [F.adaptive_max_pool2d(f, (2, 8)) for f in (s, t)]
    torch.testing.assert_close(PALoss()(s, t), PALoss()(*pooled))


def test_detached_norm_has_the_value_and_another_gradient():
    gradients, values = [], []
    for detach in (False, True):
        s = sample(1, 3, 8, 8).requires_grad_()
        value = PALoss(detach_norm=detach)(s, sample(1, 3, 8, 8, seed=1))
        value.backward()
        values.append(value.item())
        gradients.append(s.grad.flatten())
    assert values[0] == pytest.approx(values[1], rel=1e-10)
    # through the norm, only the part of the gradient across the vector remains
    assert gradients[1].norm() > 1.2 * gradients[0].norm()
