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
