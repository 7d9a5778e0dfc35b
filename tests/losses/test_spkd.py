"""SPKD: a loop of the formula, and the grid."""

import pytest
import torch
from torch.nn import functional as F

from medkd.losses import SPKDLoss
from tests.losses.reference import norm, sample


def test_equals_the_loop_over_samples():
    s, t = sample(3, 2, 2, 2), sample(3, 4, 3, 3, seed=1)
    grams = []
    for f in (s, t):
        rows = f.flatten(1).tolist()
        gram = [[sum(x * y for x, y in zip(a, b, strict=True)) for b in rows] for a in rows]
        grams.append([[v / norm(row) for v in row] for row in gram])
    total = sum((grams[0][i][j] - grams[1][i][j]) ** 2 for i in range(3) for j in range(3))
    assert SPKDLoss()(s, t).item() == pytest.approx(total / 9, rel=1e-10)


def test_grid_makes_cells_the_samples():
    s, t = sample(1, 2, 4, 4), sample(1, 3, 8, 8, seed=1)
    cells = [F.avg_pool2d(f, f.shape[-1] // 2)[0].flatten(1).T[:, :, None, None] for f in (s, t)]
    torch.testing.assert_close(SPKDLoss(grid=2)(s, t), SPKDLoss()(*cells))


def test_one_sample_is_refused_without_grid():
    with pytest.raises(ValueError, match=r"SPKDLoss: student \(1, 2, 4, 4\) and teacher \(1, 3, 4, 4\) are one sample"):
        SPKDLoss()(sample(1, 2, 4, 4), sample(1, 3, 4, 4))


def test_large_features_do_not_overflow_and_small_ones_keep_their_bits():
    s, t = (torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(seed)) - 0.4 for seed in (0, 1))
    expected = SPKDLoss()(s, t)
    rows = [f.flatten(1) for f in (s, t)]
    grams = [F.normalize(r @ r.T, dim=1, eps=1e-19) for r in rows]
    assert torch.equal(expected, (grams[1] - grams[0]).square().mean())  # what earlier versions computed
    for scale in (1e7, 1e12, 1e30):
        large = (s * scale).requires_grad_()
        value = SPKDLoss()(large, t * scale)
        value.backward()
        torch.testing.assert_close(value, expected, rtol=1e-5, atol=1e-8)
        assert torch.isfinite(large.grad).all()
