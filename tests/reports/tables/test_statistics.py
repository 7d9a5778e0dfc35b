"""Paired differences, tests over cases, gaps and adjusted p values by hand."""

import math

import pandas as pd
import pytest
from scipy.stats import wilcoxon

from medkd.reports.tables.statistics import adjusted, gap_closed, paired_by_patient, paired_by_seed


def rows(values, seed=0, metric="hd95"):
    names = [*"abcd"][: len(values)]
    return pd.DataFrame({"seed": seed, "case": names, "patient": names, metric: values})


def test_what_one_of_both_has_no_value_of_is_no_pair():
    nan = float("nan")
    baseline = pd.concat([rows([1, 2, nan, 9]), rows([3, 4, 5, nan], 1)])
    method = pd.concat([rows([2, nan, 7, 10]), rows([5, 6, nan, 8], 1)])
    # seed 0: a +1, d +1; seed 1: a +2, b +2
    assert paired_by_seed(method, baseline, "hd95").to_dict() == {0: 1.0, 1: 2.0}
    p, number = paired_by_patient(method, baseline, "hd95")
    assert number == 3 and p == pytest.approx(wilcoxon([1.5, 2.0, 1.0]).pvalue)


def test_a_case_counts_as_the_mean_of_its_seeds_when_they_are_unequal():
    baseline = pd.concat([rows([0, 0, 0, 0], metric="dice"), rows([0, 0], 1, "dice"), rows([0], 2, "dice")])
    method = pd.concat([rows([2, -3, 4, 5], metric="dice"), rows([2, -3], 1, "dice"), rows([2], 2, "dice")])
    # case a has three seeds, b two, c and d one: sums would rank a before b, c and d
    p, number = paired_by_patient(method, baseline, "dice")
    assert number == 4 and p == pytest.approx(wilcoxon([2, -3, 4, 5]).pvalue)
    assert p != pytest.approx(wilcoxon([6, -6, 4, 5]).pvalue)


def test_a_patient_counts_once_however_many_cases_it_has():
    # nine cases of patient x are one finding: by case p would be 0.05, by patient nothing can be said
    cases = pd.DataFrame({"seed": 0, "case": [*"abcdefghijk"], "patient": [*"xxxxxxxxx", "y", "z"], "dice": 0.5})
    gains = [0.1, 0.11, 0.12, 0.13, 0.14, 0.15, 0.16, 0.17, 0.18, -0.2, 0.3]
    method = cases.assign(dice=cases["dice"] + gains)
    assert paired_by_seed(method, cases, "dice").to_dict() == {0: pytest.approx((0.14 - 0.2 + 0.3) / 3)}
    p, number = paired_by_patient(method, cases, "dice")
    assert number == 3 and p == pytest.approx(wilcoxon([0.14, -0.2, 0.3]).pvalue)
    by_case, number = paired_by_patient(
        method.assign(patient=method["case"]), cases.assign(patient=cases["case"]), "dice"
    )
    assert number == 11 and by_case < 0.1 < p
    # a case without a value in one of both is no pair; its patient has the others
    method.loc[0, "dice"] = float("nan")
    assert paired_by_seed(method, cases, "dice")[0] == pytest.approx((0.145 - 0.2 + 0.3) / 3)


def test_gaps_and_adjusted_p_values_by_hand():
    assert gap_closed(0.6, 0.5, 0.9) == pytest.approx(0.25)
    assert math.isnan(gap_closed(0.6, 0.5, 0.5))  # no gap
    # Benjamini and Hochberg by hand: 0.01 * 3 / 1, then 0.03 * 3 / 2 and 0.04 * 3 / 3, the smaller of which counts for both
    assert adjusted([0.01, float("nan"), 0.04, 0.03])[::2] == pytest.approx([0.03, 0.04])
    same = rows([0.1, 0.2, 0.3], metric="dice")
    assert paired_by_patient(same, same, "dice") == (1.0, 3)
    assert math.isnan(paired_by_patient(same[:1], same[:1], "dice")[0])
