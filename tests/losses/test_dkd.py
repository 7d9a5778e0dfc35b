"""DKD: a loop of the formula, and its relation to KD."""

import pytest
import torch

from medkd.losses import DKDLoss, KDLoss
from tests.losses.reference import kl, labels, sample, softmax, wave


@pytest.mark.parametrize("classes", [3, 4])
def test_equals_the_loop(classes):
    s, t, y = sample(2, classes, 3, 4), sample(2, classes, 3, 4, seed=1), labels(2, 1, 3, 4, classes=classes)
    total, temperature = 0.0, 2.0
    for n in range(2):
        for i in range(3):
            for j in range(4):
                p, q = (softmax((z[n, :, i, j] / temperature).tolist()) for z in (t, s))
                k = int(y[n, 0, i, j])
                total += 1.5 * kl([p[k], 1 - p[k]], [q[k], 1 - q[k]])
                rest = [[v / (1 - r[k]) for c, v in enumerate(r) if c != k] for r in (p, q)]
                total += 3.0 * kl(*rest)
    value = DKDLoss(alpha=1.5, beta=3.0, temperature=temperature)(s, t, y)
    assert value.item() == pytest.approx(temperature**2 * total / 24, rel=1e-10)


def test_two_classes_are_alpha_times_kd_whatever_beta():
    s, t, y = sample(2, 2, 5, 4), sample(2, 2, 5, 4, seed=1), labels(2, 1, 5, 4)
    for beta in (0.0, 8.0):
        torch.testing.assert_close(DKDLoss(0.7, beta)(s, t, y), 0.7 * KDLoss()(s, t), rtol=1e-10, atol=0)


def test_kd_is_the_target_term_plus_the_weighted_rest():
    # one pixel: KD = TCKD + (1 - p_y) NCKD, so beta = 1 - p_y of the teacher gives KD
    s, t, y = sample(1, 4, 1, 1), sample(1, 4, 1, 1, seed=1), torch.tensor([[[[2]]]])
    p_y = torch.softmax(t, 1)[0, 2].item()
    torch.testing.assert_close(DKDLoss(1.0, 1 - p_y, 1.0)(s, t, y), KDLoss(1.0)(s, t), rtol=1e-10, atol=0)


# mdistiller/distillers/DKD.py of github.com/sunshangquan/logit-standardization-KD at f6e5aa5, alpha 1, beta 8, on waves
@pytest.mark.parametrize(
    ("classes", "temperature", "expected"),
    [
        (4, 2.0, 5.4158934046824285),
        (4, 4.0, 5.55903767191795),
        (3, 2.0, 3.6663336503388324),
        (3, 4.0, 3.8032858221049763),
    ],
)
def test_standardize_equals_the_authors_code(classes, temperature, expected):
    student, teacher = wave(2, classes, 5, 4), wave(2, classes, 5, 4, seed=1)
    target = (torch.arange(40) % classes).reshape(2, 1, 5, 4)
    value = DKDLoss(temperature=temperature, standardize=True)(student, teacher, target)
    assert value.item() == pytest.approx(expected, rel=1e-12)


def test_standardize_is_refused_for_two_classes():
    message = "DKDLoss: standardize: found 2 classes, expected 3 or more"
    with pytest.raises(ValueError, match=message):
        DKDLoss(beta=0, standardize=True, num_classes=2)
    with pytest.raises(ValueError, match=message):
        DKDLoss(standardize=True)(*torch.zeros(2, 1, 2, 4, 4), torch.zeros(1, 1, 4, 4))
