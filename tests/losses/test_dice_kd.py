"""The Dice semimetric loss: by hand, against the authors' code, and where it is least."""

import pytest
import torch

from medkd.losses import DiceKDLoss
from tests.losses.reference import sample, wave


def test_value_by_hand():
    # one image, two pixels: the student is certain, the teacher gives 3/4 and 1/4
    student, teacher = torch.tensor([[[50.0, 50.0], [0.0, 0.0]]]), torch.tensor([[[0.75] * 2, [0.25] * 2]]).log()
    # class 0: a = 2, b = 1.5, d = 0.5, overlap 1.5; class 1: a = 0, b = 0.5, d = 0.5, overlap 0
    expected = 1 - ((1.5 + 1) / (1.75 + 1) + (0 + 1) / (0.25 + 1)) / 2
    assert DiceKDLoss()(student[..., None], teacher[..., None]).item() == pytest.approx(expected, rel=1e-6)


# JDTLoss of github.com/zifuwanggg/JDTLosses at 68ce8ac, alpha = beta = 0.5, on waves of seeds 0 and 1: mIoUI and mIoUD
@pytest.mark.parametrize(
    ("shape", "smooth", "by_image", "by_batch"),
    [
        ((3, 2, 5, 4), 1.0, 0.3739623649891441, 0.397818637756924),
        ((3, 2, 5, 4), 1e-3, 0.41146001337109156, 0.4110924383450653),
        ((2, 4, 5, 4), 1.0, 0.42937590343078846, 0.46598616575949664),
        ((2, 3, 3, 4, 5), 1.0, 0.4798594320938059, 0.49092567925165825),
    ],
)
def test_equals_the_authors_code(shape, smooth, by_image, by_batch):
    student, teacher = wave(*shape), wave(*shape, seed=1)
    assert DiceKDLoss(smooth)(student, teacher).item() == pytest.approx(by_image, rel=1e-12)
    assert DiceKDLoss(smooth, batch=True)(student, teacher).item() == pytest.approx(by_batch, rel=1e-12)


def test_is_least_for_the_teachers_own_probabilities():
    teacher = sample(2, 2, 4, 5)
    assert DiceKDLoss()(teacher, teacher).item() == pytest.approx(0, abs=1e-12)
    assert DiceKDLoss()(3 * teacher, teacher) > 0.01  # more certain
    assert DiceKDLoss()(teacher / 3, teacher) > 0.01  # less certain


def test_temperature_softens_both_sides():
    student, teacher = sample(2, 3, 4, 5), sample(2, 3, 4, 5, seed=1)
    torch.testing.assert_close(
        DiceKDLoss(temperature=2.0)(student, teacher), DiceKDLoss()(student / 2, teacher / 2), rtol=1e-12, atol=0
    )


@pytest.mark.parametrize("argument", ["smooth", "temperature"])
def test_arguments_must_be_positive(argument):
    with pytest.raises(ValueError, match=f"DiceKDLoss: {argument} must be positive, found 0"):
        DiceKDLoss(**{argument: 0})
