"""KD: values by hand, a loop reference in float64, and what it must survive."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from medkd.losses import KDLoss
from tests.losses.reference import sample, wave


def reference(student, teacher, temperature):
    """The definition, position by position, in Python floats."""
    n, k, *_ = student.shape
    s, t = (x.double().reshape(n, k, -1) for x in (student, teacher))
    total = 0.0
    for image in range(n):
        for position in range(s.shape[2]):
            p, q = ([math.exp(x / temperature) for x in y[image, :, position].tolist()] for y in (t, s))
            p, q = [x / sum(p) for x in p], [x / sum(q) for x in q]
            total += sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    return temperature**2 * total / (n * s.shape[2])


def test_value_by_hand():
    # teacher (3/4, 1/4), student (1/2, 1/2): KL = 3/4 ln(3/2) + 1/4 ln(1/2)
    teacher = torch.tensor([math.log(3.0), 0.0]).reshape(1, 2, 1, 1)
    student = torch.zeros(1, 2, 1, 1)
    expected = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    assert KDLoss(temperature=1.0)(student, teacher).item() == pytest.approx(expected, rel=1e-6)
    # logits twice as far apart at T = 2 are the same distributions: only T^2 = 4 remains
    assert KDLoss(temperature=2.0)(student, 2 * teacher).item() == pytest.approx(4 * expected, rel=1e-6)


def test_direction_is_teacher_to_student():
    teacher = torch.tensor([2.0, 0.0]).reshape(1, 2, 1, 1)
    student = torch.tensor([0.0, 0.0]).reshape(1, 2, 1, 1)
    assert KDLoss(1.0)(student, teacher) != KDLoss(1.0)(teacher, student)
    p = torch.softmax(teacher.flatten(), 0)
    assert KDLoss(1.0)(student, teacher).item() == pytest.approx((p * (p / 0.5).log()).sum().item(), rel=1e-6)


@settings(max_examples=30, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 3), st.integers(2, 4), st.integers(1, 5), st.integers(1, 4)),
    temperature=st.sampled_from([0.5, 1.0, 4.0]),
    seed=st.integers(0, 99),
)
def test_loop_reference(shape, temperature, seed):
    generator = torch.Generator().manual_seed(seed)
    student, teacher = (torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(2))
    value = KDLoss(temperature)(student, teacher)
    assert value.dtype == torch.float64
    assert value.item() == pytest.approx(reference(student, teacher, temperature), rel=1e-10, abs=1e-12)


def test_shift_of_all_logits_changes_nothing():
    student, teacher = torch.randn(2, 3, 4, 5), torch.randn(2, 3, 4, 5)
    torch.testing.assert_close(KDLoss()(student + 7, teacher - 3), KDLoss()(student, teacher), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("temperature", [0, -1.0])
def test_temperature_must_be_positive(temperature):
    with pytest.raises(ValueError, match="KDLoss: temperature must be positive"):
        KDLoss(temperature)


def test_one_channel_is_refused():
    with pytest.raises(ValueError, match=r"KDLoss: logits \(1, 1, 4, 4\) have one channel"):
        KDLoss()(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4))


def test_shapes_must_be_equal():
    message = r"KDLoss: student \(1, 2, 4, 4\) and teacher \(1, 2, 4, 5\) must have the same shape"
    with pytest.raises(ValueError, match=message):
        KDLoss()(torch.zeros(1, 2, 4, 4), torch.zeros(1, 2, 4, 5))


# mdistiller/distillers/KD.py of github.com/sunshangquan/logit-standardization-KD at f6e5aa5, on waves of seeds 0 and 1
@pytest.mark.parametrize(
    ("classes", "temperature", "expected"),
    [
        (4, 2.0, 0.7264413803890741),
        (4, 4.0, 0.7455145837345103),
        (3, 2.0, 0.6457593606640559),
        (3, 4.0, 0.6580041219893358),
    ],
)
def test_standardize_equals_the_authors_code(classes, temperature, expected):
    student, teacher = wave(2, classes, 5, 4), wave(2, classes, 5, 4, seed=1)
    assert KDLoss(temperature, standardize=True)(student, teacher).item() == pytest.approx(expected, rel=1e-12)


def test_standardize_teaches_no_scale():
    student, teacher = sample(2, 3, 4, 5), sample(2, 3, 4, 5, seed=1)
    loss = KDLoss(standardize=True)
    torch.testing.assert_close(loss(5 * student + 1, teacher / 3 - 2), loss(student, teacher), rtol=1e-5, atol=0)


def test_standardize_is_refused_for_two_classes():
    message = "KDLoss: standardize: found 2 classes, expected 3 or more: .* without a gradient"
    with pytest.raises(ValueError, match=message):
        KDLoss(standardize=True, num_classes=2)
    with pytest.raises(ValueError, match=message):
        KDLoss(standardize=True)(torch.zeros(1, 2, 4, 4), torch.zeros(1, 2, 4, 4))
    KDLoss(num_classes=2)
