"""RAD: a loop of the formula, and images of one region."""

import pytest
import torch
from torch.nn import functional as F

from medkd.losses import RADLoss
from tests.losses.reference import cosine, labels, region_means, sample


@pytest.mark.parametrize("classes", [2, 3])
def test_equals_the_loop(classes):
    s, t, y = sample(3, 4, 4, 4), sample(3, 6, 8, 8, seed=1), labels(3, 1, 8, 8, classes=classes)
    y[1] = 0  # one image of background alone: no pair
    total, pairs = 0.0, 0
    for n in range(3):
        small = F.interpolate(y[n : n + 1].double(), size=(4, 4), mode="nearest")[0, 0]
        means = [region_means(s[n], small, classes), region_means(t[n], y[n, 0], classes)]
        for k in range(classes):
            for other in range(k + 1, classes):
                if all(k in r and other in r for r in means):
                    total += (cosine(means[0][k], means[0][other]) - cosine(means[1][k], means[1][other])) ** 2
                    pairs += 1
    assert RADLoss(classes)(s, t, y).item() == pytest.approx(total / pairs, rel=1e-9)


@pytest.mark.parametrize("value", [0, 1])
def test_one_region_alone_is_zero_with_zero_gradient(value):
    s = sample(2, 3, 4, 4).requires_grad_()
    result = RADLoss()(s, sample(2, 3, 4, 4, seed=1), torch.full((2, 1, 4, 4), value))
    result.backward()
    assert result.item() == 0 and torch.equal(s.grad, torch.zeros_like(s))
