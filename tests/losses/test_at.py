"""AT: a loop of the formula, and values by hand."""

import pytest
import torch

from medkd.losses import ATLoss
from tests.losses.reference import norm, resized, sample


@pytest.mark.parametrize("p", [1, 2, 4])
def test_equals_the_loop(p):
    s, t = sample(2, 3, 2, 2), sample(2, 5, 4, 6, seed=1)
    total = 0.0
    for a, b in zip(resized(s, (4, 6)), t, strict=True):
        maps = [[sum(abs(v) ** p for v in f[:, i, j].tolist()) for i in range(4) for j in range(6)] for f in (a, b)]
        maps = [[v / norm(m) for v in m] for m in maps]
        total += sum((u - v) ** 2 for u, v in zip(*maps, strict=True))
    assert ATLoss(p)(s, t).item() == pytest.approx(total / 2, rel=1e-9)


def test_disjoint_maps_are_at_distance_two():
    s, t = torch.zeros(1, 1, 1, 2), torch.zeros(1, 3, 1, 2)
    s[..., 0], t[..., 1] = 1.0, -4.0
    assert ATLoss()(s, t).item() == pytest.approx(2.0)
    assert ATLoss()(torch.zeros_like(s), t).item() == pytest.approx(1.0)
    assert ATLoss()(torch.zeros_like(s), torch.zeros_like(t)).item() == 0


def test_the_distance_of_the_paper_is_the_root_and_has_a_gradient_at_zero():
    s, t = torch.zeros(2, 1, 1, 2), torch.zeros(2, 3, 1, 2)
    s[..., 0], t[0, :, :, 1], t[1, :, :, 0] = 1.0, -4.0, 3.0  # disjoint maps, and equal ones
    s.requires_grad_()
    loss = ATLoss(squared=False)(s, t)
    loss.backward()
    assert loss.item() == pytest.approx(2**0.5 / 2)
    assert s.grad.isfinite().all() and not s.grad[1].any()


def test_tiling_the_map_changes_nothing():
    s, t = sample(1, 2, 3, 4), sample(1, 4, 3, 4, seed=1)
    torch.testing.assert_close(ATLoss()(s.repeat(1, 1, 2, 2), t.repeat(1, 1, 2, 2)), ATLoss()(s, t))
