"""IFVD: a loop of the formula, and its invariance to scale."""

import pytest
import torch

from medkd.losses import IFVDLoss
from tests.losses.reference import cosine, labels, region_means, resized, sample


@pytest.mark.parametrize("classes", [2, 3])
def test_equals_the_loop(classes):
    s, t, y = sample(2, 3, 4, 4), sample(2, 5, 8, 8, seed=1), labels(2, 1, 8, 8, classes=classes)
    total = 0.0
    for n, f_s in enumerate(resized(s, (8, 8))):
        means = [region_means(f, y[n, 0], classes) for f in (f_s, t[n])]
        for i in range(8):
            for j in range(8):
                k = int(y[n, 0, i, j])
                pair = [cosine(f[:, i, j].tolist(), r[k]) for f, r in zip((f_s, t[n]), means, strict=True)]
                total += (pair[0] - pair[1]) ** 2
    assert IFVDLoss(classes)(s, t, y).item() == pytest.approx(total / 128, rel=1e-9)


def test_scale_of_a_map_changes_nothing():
    s, t, y = sample(1, 3, 4, 4), sample(1, 3, 4, 4, seed=1), labels(1, 1, 4, 4)
    torch.testing.assert_close(IFVDLoss()(7 * s, t, y), IFVDLoss()(s, t, y))
