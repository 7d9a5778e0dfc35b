"""DIST: a loop of the formula, the authors' values, what it ignores, and two classes."""

import pytest
import torch

from medkd.losses import DISTLoss
from tests.losses.reference import cosine, sample, softmax, wave


def centred(values):
    return [value - sum(values) / len(values) for value in values]


def test_equals_the_loop():
    s, t, temperature = sample(2, 3, 3, 4), sample(2, 3, 3, 4, seed=1), 2.0
    rows = [
        [softmax((z[n, :, i, j] / temperature).tolist()) for n in range(2) for i in range(3) for j in range(4)]
        for z in (s, t)
    ]
    inter = 1 - sum(cosine(centred(p), centred(q)) for p, q in zip(*rows, strict=True)) / 24
    columns = [list(zip(*r, strict=True)) for r in rows]
    intra = 1 - sum(cosine(centred(p), centred(q)) for p, q in zip(*columns, strict=True)) / 3
    value = DISTLoss(3, beta=1.5, gamma=0.5, temperature=temperature)(s, t)
    assert value.item() == pytest.approx(4 * (1.5 * inter + 0.5 * intra), rel=1e-6)


# DIST of github.com/hunto/DIST_KD at 2418f18, segmentation/losses/dist_kd.py, on waves of seeds 0 and 1
@pytest.mark.parametrize(
    ("shape", "beta", "gamma", "expected"),
    [
        ((2, 4, 5, 4), 1.0, 1.0, 1.7950687807940282),
        ((2, 4, 5, 4), 2.0, 0.5, 2.26681535419829),
        ((2, 3, 5, 4), 1.0, 0.0, 1.0235479444648),
        ((2, 3, 5, 4), 0.0, 1.0, 0.969267889823394),
        ((2, 2, 5, 4), 0.0, 1.0, 0.9044099233624798),
        ((2, 3, 3, 4, 5), 1.0, 1.0, 1.861736932991601),
    ],
)
def test_equals_the_authors_code(shape, beta, gamma, expected):
    value = DISTLoss(shape[1], beta, gamma)(wave(*shape), wave(*shape, seed=1))
    assert value.item() == pytest.approx(expected, rel=1e-12)


def test_a_linear_function_of_the_teachers_probabilities_costs_nothing():
    teacher = torch.softmax(sample(2, 3, 4, 5), dim=1)
    student = 0.5 * teacher + 0.5 / 3  # still distributions
    assert DISTLoss(3)(student.log(), teacher.log()).item() == pytest.approx(0, abs=1e-5)


def test_two_classes_have_no_inter_class_term():
    with pytest.raises(ValueError, match="DISTLoss: beta: found 1.0 with 2 classes, expected 0: .* no gradient"):
        DISTLoss(2)
    student = sample(2, 2, 4, 5).requires_grad_()
    DISTLoss(2, beta=0)(student, sample(2, 2, 4, 5, seed=1)).backward()
    assert student.grad.abs().max() > 1e-4


def test_other_classes_are_refused():
    with pytest.raises(ValueError, match=r"DISTLoss: logits \(1, 3, 4, 4\), expected 4 classes"):
        DISTLoss(4)(torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4))
    with pytest.raises(ValueError, match="DISTLoss: num_classes 1 found"):
        DISTLoss(1)
