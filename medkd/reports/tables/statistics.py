"""Whether a method differs from the student alone: paired by seed, and paired by case."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control, wilcoxon

__all__ = ["adjusted", "gap_closed", "paired_by_case", "paired_by_seed"]


def _differences(method: pd.DataFrame, baseline: pd.DataFrame, metric: str) -> pd.Series:
    """(seed, case) -> difference, where both have a value: of a case that one of them missed there is no HD95."""
    values = [table.groupby(["seed", "case"])[metric].mean() for table in (method, baseline)]
    return (values[0] - values[1]).dropna()


def paired_by_seed(method: pd.DataFrame, baseline: pd.DataFrame, metric: str) -> pd.Series:
    """Mean differences over the cases that both have a value of, one a seed that both have.

    Args:
        method, baseline: rows of one class with "seed", "case" and the metric, from `read_cases`.
    """
    return _differences(method, baseline, metric).groupby("seed").mean()


def paired_by_case(method: pd.DataFrame, baseline: pd.DataFrame, metric: str) -> tuple[float, int]:
    """Two-sided Wilcoxon signed-rank test over cases, each case being its mean difference over the seeds.

    It tells whether these networks differ on other cases, not whether other seeds would; both tables have many cases and
    few seeds, so the deviation over seeds stands beside it.

    Returns:
        The p value and the number of cases; 1 where no case differs, NaN for fewer than two cases.
    """
    difference = _differences(method, baseline, metric).groupby("case").mean()
    if len(difference) < 2:
        return float("nan"), len(difference)
    if not difference.any():
        return 1.0, len(difference)
    return float(wilcoxon(difference).pvalue), len(difference)


def adjusted(p_values: Sequence[float]) -> list[float]:
    """Benjamini and Hochberg's false discovery rate over the comparisons of a task; NaN stays NaN."""
    values = np.asarray(p_values, dtype=float)
    known = ~np.isnan(values)
    if known.any():
        values[known] = false_discovery_control(values[known], method="bh")
    return values.tolist()


def gap_closed(method: float, student: float, teacher: float) -> float:
    """Share of the way from the student alone to the teacher, 1 for a method as good as the teacher.

    NaN where the teacher is not better than the student: there is no gap.
    """
    return (method - student) / (teacher - student) if teacher > student else float("nan")
