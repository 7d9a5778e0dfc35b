"""Intervals by bootstrap: their coverage on simulated runs, what widens them, and what has none."""

import math

import numpy as np
import pytest
from scipy.stats import t

from medkd.reports.tables.bootstrap import interval, resample, share_interval


def simulate(generator, seeds, patients, of_seed, of_patient, noise):
    """Differences whose true mean is 1."""
    parts = [
        generator.normal(0, deviation, shape)
        for deviation, shape in ((of_seed, (seeds, 1)), (of_patient, (1, patients)), (noise, (seeds, patients)))
    ]
    return 1 + parts[0] + parts[1] + parts[2]


@pytest.mark.parametrize("case", [(2, 40, 1, 2, 1), (3, 40, 1, 1, 2), (5, 40, 2, 1, 1), (5, 6, 0.2, 2, 1)])
def test_the_interval_holds_the_truth_about_as_often_as_it_says(case):
    generator = np.random.default_rng(0)
    limits = [interval(resample(simulate(generator, *case))[0]) for _ in range(300)]
    assert 0.92 <= np.mean([low <= 1 <= high for low, high in limits]) <= 0.995


def test_seeds_alone_give_the_interval_of_student_and_cases_add_to_it():
    seeds = np.array([1.0, 2.0, 4.0, 3.0, 2.5, 1.5, 3.5, 2.2])
    limits = interval(resample(np.repeat(seeds[:, None], 50, axis=1))[0])
    assert limits == pytest.approx(t.interval(0.95, 7, seeds.mean(), seeds.std(ddof=1) / math.sqrt(8)), abs=0.1)
    spread = np.linspace(-8, 8, 50)
    wider = interval(resample(seeds[:, None] + spread)[0])
    assert wider.low < limits.low - 0.5 and wider.high > limits.high + 0.5
    # many cases do not make few seeds sure: the same seeds with twenty times the cases
    many = interval(resample(np.repeat(seeds[:, None], 1000, axis=1))[0])
    assert many == pytest.approx(limits, abs=1e-9)


def test_one_seed_or_one_patient_has_no_interval_and_the_rest_is_reproducible():
    values = np.random.default_rng(1).normal(size=(4, 9))
    for few in (values[:1], values[:, :1]):
        assert np.isnan(interval(resample(few)[0])).all() and not interval(resample(few)[0]).is_above_zero
    assert interval(resample(values)[0]) == interval(resample(values.copy())[0])
    assert interval(resample(values + 5)[0]).is_above_zero
    # a value that one run has not, and a patient whom no run has
    holes = values.copy()
    holes[0, 0] = np.nan
    nobody = np.concatenate([holes, np.full((4, 1), np.nan)], axis=1)
    assert np.isfinite(interval(resample(holes)[0])).all() and np.isfinite(interval(resample(nobody)[0])).all()


def test_the_share_of_a_gap_is_resampled_together_with_the_gap():
    generator = np.random.default_rng(2)
    gap = simulate(generator, 5, 60, 0.1, 0.2, 0.05)
    # exactly half of whatever the gap of a seed and patient is: nothing is unsure about the share
    assert share_interval(*resample(gap / 2, gap)) == pytest.approx((0.5, 0.5))
    noisy = share_interval(*resample(gap / 2 + simulate(generator, 5, 60, 0.2, 0, 0) - 1, gap))
    assert noisy.low < 0.45 and noisy.high > 0.55
    assert share_interval(np.array([1.0, 1.0]), np.array([0.0, 0.0])) == (math.inf, math.inf)


def test_seeds_and_patients_are_drawn_independently():
    # with the same draws for both, the effects of this table would cancel out in each replicate
    effects = np.arange(5.0) - 2
    spread = [resample(table)[0].std() for table in (effects[:, None] - effects, effects[:, None] + effects)]
    assert spread[0] == pytest.approx(spread[1], rel=0.1) and spread[0] > 0.5


def test_an_outlying_patient_lengthens_the_interval_on_its_side():
    table = np.zeros((3, 6))
    table[:, 0] = 12.0
    low, high = interval(resample(table)[0])
    assert high - table.mean() > 1.5 * (table.mean() - low) > 0
