"""Whether a method differs from the student alone: differences paired by seed, by case and by patient."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

__all__ = ["LEAST_SEEDS", "adjusted", "differences", "gap_closed", "gaps", "paired_by_patient", "paired_by_seed"]

LEAST_SEEDS = 5  # for a p value over cases: it says nothing of seeds, and reads as if it did

# SciPy's statistics take a second to import: a plan is checked without them.


def differences(method: pd.DataFrame, baseline: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return the differences of a method to a baseline, paired by seed and case.

    The value of a patient is the mean over its cases where both have a value: a case that one missed has no HD95.

    Args:
        method: rows of one class with "seed", "case", "patient" and the metric, see `medkd.runs.results.read_rows`.
        baseline: the same of the runs that are compared to.
        metric: name of the column.

    Returns:
        One row for each seed that both have, one column for each patient.
    """
    values = [table.groupby(["seed", "patient", "case"])[metric].mean() for table in (method, baseline)]
    return (values[0] - values[1]).dropna().groupby(["seed", "patient"]).mean().unstack("patient")


def gaps(teacher: pd.DataFrame, baseline: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return the differences of a teacher to each run of a baseline, paired by case.

    A teacher has other seeds than the students. It is taken as it is: the mean over its runs is compared to each student.

    Args:
        teacher: as the method of `differences`.
        baseline: see `differences`.
        metric: name of the column.

    Returns:
        One row for each seed of the baseline, one column for each patient.
    """
    of_case = teacher.groupby(["patient", "case"], as_index=False)[metric].mean()
    seeds = pd.DataFrame({"seed": baseline["seed"].unique()})
    return differences(of_case.merge(seeds, how="cross"), baseline, metric)


def paired_by_seed(method: pd.DataFrame, baseline: pd.DataFrame, metric: str) -> pd.Series:
    """Return the mean difference over patients for each seed that both have.

    Args:
        method: rows of one class with "seed", "case", "patient" and the metric, see `medkd.runs.results.read_rows`.
        baseline: the same of the runs that are compared to.
        metric: name of the column. Cases without a value in one of both are left out.

    Example:
        >>> method = pd.DataFrame({"seed": [0, 0], "case": ["a", "b"], "patient": ["x", "y"], "dice": [0.5, 1.0]})
        >>> paired_by_seed(method, method.assign(dice=[0.25, 0.75]), "dice").to_dict()
        {0: 0.25}
    """
    return differences(method, baseline, metric).mean(axis="columns")


def paired_by_patient(method: pd.DataFrame, baseline: pd.DataFrame, metric: str) -> tuple[float, int]:
    """Test whether a method differs from a baseline: two-sided Wilcoxon signed-rank test over patients.

    The value of a patient is the mean over its cases, then over the seeds: cases of one patient are alike, and would count
    one finding several times. The test tells whether these networks differ on other patients, not whether other seeds would
    differ. Tables have many cases and few seeds, therefore they have no p value below `LEAST_SEEDS`, and the interval over
    seeds and patients beside it.

    Args:
        method: rows of one class with "seed", "case", "patient" and the metric, see `medkd.runs.results.read_rows`. Where
            patients are unknown, each case is its own.
        baseline: the same of the runs that are compared to.
        metric: name of the column. Cases without a value in one of both are left out.

    Returns:
        The p value, which is 1 if no patient differs and NaN for fewer than two patients, and the number of patients.
    """
    from scipy.stats import wilcoxon

    difference = differences(method, baseline, metric).mean()
    if len(difference) < 2:
        return float("nan"), len(difference)
    if not difference.any():
        return 1.0, len(difference)
    return float(wilcoxon(difference).pvalue), len(difference)


def adjusted(p_values: Sequence[float]) -> list[float]:
    """Adjust p values by Benjamini and Hochberg's false discovery rate; NaN stays NaN.

    Example:
        >>> adjusted([0.01, 0.5])
        [0.02, 0.5]
    """
    from scipy.stats import false_discovery_control

    values = np.asarray(p_values, dtype=float)
    is_number = ~np.isnan(values)
    if is_number.any():
        values[is_number] = false_discovery_control(values[is_number], method="bh")
    return [float(value) for value in values]


def gap_closed(method: float, student: float, teacher: float) -> float:
    """Return the share of the gap between student alone and teacher that a method closes.

    Returns:
        1 for a method as good as the teacher. NaN if the teacher is not better than the student: there is no gap.

    Example:
        >>> gap_closed(0.75, 0.5, 1.0)
        0.5
    """
    return (method - student) / (teacher - student) if teacher > student else float("nan")
