"""The table of an experiment in long form: methods, tasks, published values, and holes for missing runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from medkd.runs.results import (
    collapsed_runs,
    distance_unit,
    has_patients,
    read_rows,
    still_rising_runs,
    training_minutes,
)

from .bootstrap import Interval, interval, resample, share_interval
from .published import Published
from .statistics import LEAST_SEEDS, adjusted, differences, gap_closed, gaps, paired_by_patient

__all__ = ["ON_REQUEST", "PERCENT", "Experiment", "results"]

# metrics that runs have on request (`--metrics`), or where components were removed: shown where a run has them
ON_REQUEST = ("nsd", "ece", "lesion_sensitivity", "lesion_precision", "dice_raw")
PERCENT = ("dice", "iou", *ON_REQUEST)
_COMPARED = (
    *("difference", "difference_std", "difference_low", "difference_high", "p", "p_adjusted"),
    *("gap_closed", "gap_closed_low", "gap_closed_high"),
)


@dataclass
class Experiment:
    """The runs behind each cell of the tables, whether they have ended or not."""

    title: str
    runs: Mapping[str, Mapping[str, Mapping[int, Path]]]
    """Task -> row -> seed -> output folder."""
    metrics: Sequence[str]
    baseline: str
    teacher: str | None = None
    """Title of the teacher's row."""
    published: Published | None = None
    data: Mapping[str, Path] = field(default_factory=dict)
    """Task -> prepared data set."""
    kinds: Mapping[str, str] = field(default_factory=dict)
    """Task -> name of its bundle, under which its published values are listed."""
    trust_record: bool = False
    """Whether the records of the runs are executed as their configurations, see `medkd.runs.load_parser`."""


def results(experiment: Experiment) -> pd.DataFrame:
    """Compute the results of an experiment: one row for each task, row of the plan, class and metric.

    Columns: ``task, row, class, metric, published, reference, unit, seeds, planned, collapsed, still_rising, cases``,
    ``cases_least, minutes, mean, std`` and those of the comparison with the baseline, see `_COMPARED`. The metrics in
    `PERCENT` are in percent.

    Metrics on request, see `ON_REQUEST`, follow those of the experiment where a run has them.

    - ``mean`` is the mean over runs of their means over cases. ``std`` is the sample deviation over the runs, never over
      cases. Only runs that have ended count.
    - ``seeds`` counts the runs that have ended, ``planned`` all runs, ``collapsed`` those that predict nothing, which are
      part of the mean, ``still_rising`` those whose validation was still rising at the end of the training.
    - ``cases`` is the number of cases with a value in the run that has most of them, ``cases_least`` in the run with fewest.
    - ``minutes`` is the mean duration of a training, of the runs that recorded it.
    - ``difference`` is to the baseline, paired by seed and case. The teacher has other seeds than the students: it is taken
      as it is, and compared with each student. ``difference_low`` and ``difference_high`` are the 95 % interval by bootstrap
      over seeds and patients, see `medkd.reports.tables.bootstrap`.
    - ``p`` is of a Wilcoxon test paired by case, from `LEAST_SEEDS` seeds on, ``p_adjusted`` by false discovery rate over the
      methods of the task.
    - ``gap_closed`` and its interval are given where the interval of the gap between teacher and baseline is above zero.
    - Where several cases are of one patient, there are ``patients``, ``mean_over_patients`` and ``std_over_patients`` too:
      the value of a patient is the mean over its cases, and the deviation is over the runs again. Differences, p and
      ``gap_closed`` are then of patients in the place of cases.

    A cell without a finished run has a row with NaN: it is shown as a hole, and not left out.
    """
    rows = [cell for task in experiment.runs for cell in _cells(experiment, task)]
    table = pd.DataFrame(rows)
    for _, group in table.groupby(["task", "class", "metric"], sort=False):
        table.loc[group.index, "p_adjusted"] = adjusted(group["p"].tolist())
    return table


def _cells(experiment: Experiment, task: str) -> list[dict[str, Any]]:
    cases = read_rows(experiment.runs[task])
    on_request = [metric for metric in ON_REQUEST if any(metric in table for table in cases.values())]
    metrics = list(dict.fromkeys((*experiment.metrics, *on_request)))
    cases = {
        row: table.assign(**{metric: float("nan") for metric in on_request if metric not in table})
        for row, table in cases.items()
    }
    classes = list(dict.fromkeys(name for table in cases.values() for name in table["class"])) or [""]
    return [
        _cell(experiment, task, row, metric, {title: t[t["class"] == name] for title, t in cases.items()}, name)
        for name in classes
        for row in experiment.runs[task]
        for metric in metrics
    ]


def _cell(
    experiment: Experiment, task: str, row: str, metric: str, cases: Mapping[str, pd.DataFrame], class_name: str
) -> dict[str, Any]:
    """Return one row of the results. ``cases``: row -> cases of this class."""
    if lacking := [title for title, table in cases.items() if len(table) and metric not in table]:
        raise ValueError(
            f"{task}, {lacking[0]}: no column {metric} in metrics.csv, expected the metrics of `medkd evaluate`"
        )
    of_row, scale = cases[row], 100.0 if metric in PERCENT else 1.0
    counts = of_row.groupby("seed")[metric].count() if len(of_row) else pd.Series(dtype=int)
    cell: dict[str, Any] = {
        "task": task,
        "row": row,
        "class": class_name,
        "metric": metric,
        "published": "",
        "reference": _reference(cases),
        "unit": distance_unit(experiment.runs[task]) if metric == "hd95" else "",
        "seeds": of_row["seed"].nunique(),
        "planned": len(experiment.runs[task][row]),
        "collapsed": len(collapsed_runs(of_row)),
        "still_rising": len(still_rising_runs(experiment.runs[task][row])),
        "cases": int(counts.max()) if len(of_row) else 0,
        "cases_least": int(counts.min()) if len(of_row) else 0,
        "minutes": np.mean(minutes) if (minutes := training_minutes(experiment.runs[task][row])) else float("nan"),
    }
    if experiment.published is not None:
        cell["published"] = experiment.published.text(experiment.kinds.get(task, task), row, metric)
    nan = float("nan")
    cell |= dict.fromkeys(("mean", "std", *_COMPARED), nan)
    means = {title: table.groupby("seed")[metric].mean() for title, table in cases.items() if len(table)}
    if row in means:
        cell |= {"mean": scale * means[row].mean(), "std": scale * means[row].std(ddof=1)}
    if any(map(has_patients, cases.values())):
        means = {title: _over_patients(cases[title], metric) for title in means}
        cell |= {"patients": 0, "mean_over_patients": nan, "std_over_patients": nan}
        if row in means:
            cell["patients"] = of_row.dropna(subset=metric)["patient"].nunique()
            cell |= {
                "mean_over_patients": scale * means[row].mean(),
                "std_over_patients": scale * means[row].std(ddof=1),
            }
    if row in means and row != experiment.baseline and experiment.baseline in means:
        cell |= _compare(experiment, row, metric, cases, scale)
    return cell


def _reference(cases: Mapping[str, pd.DataFrame]) -> str:
    """Return "teacher" where runs were measured by a teacher's label maps, an empty text where by labels.

    Raises:
        ValueError: for runs of both kinds.
    """
    kinds = {title: "reference" in table for title, table in cases.items() if len(table)}
    if len({*kinds.values()}) > 1:
        agreeing = next(title for title, is_agreement in kinds.items() if is_agreement)
        raise ValueError(f"{agreeing}: found agreement with a teacher, expected metrics by labels as of the other runs")
    return "teacher" if any(kinds.values()) else ""


def _over_patients(cases: pd.DataFrame, metric: str) -> pd.Series:
    """Return seed -> mean over patients, each of them the mean over its cases."""
    return cases.groupby(["seed", "patient"])[metric].mean().groupby("seed").mean()


def _compare(
    experiment: Experiment, row: str, metric: str, cases: Mapping[str, pd.DataFrame], scale: float
) -> dict[str, float]:
    """Compare a row with the baseline."""
    baseline, teacher = cases[experiment.baseline], cases.get(experiment.teacher or "")
    gap = None if teacher is None or not len(teacher) else gaps(teacher, baseline, metric)
    if row == experiment.teacher:
        # its ± would be of the students' seeds
        return {} if gap is None else _difference(gap, scale) | {"difference_std": float("nan")}
    gains = differences(cases[row], baseline, metric)
    comparison = _difference(gains, scale)
    if len(gains) >= LEAST_SEEDS:
        comparison["p"] = paired_by_patient(cases[row], baseline, metric)[0]
    if metric in ("dice", "iou") and gap is not None:
        comparison |= _gap_closed(gains, gap)
    return comparison


def _difference(gains: pd.DataFrame, scale: float) -> dict[str, float]:
    """Return mean, deviation over seeds and interval of the differences of (seeds, patients)."""
    of_seed, limits = gains.mean(axis="columns"), interval(resample(gains.to_numpy())[0])
    if scale != 1:  # shares cannot differ by more than one
        limits = Interval(*np.clip(limits, -1, 1))
    return {
        "difference": scale * of_seed.mean(),
        "difference_std": scale * of_seed.std(ddof=1),
        "difference_low": scale * limits.low,
        "difference_high": scale * limits.high,
    }


def _gap_closed(gains: pd.DataFrame, gap: pd.DataFrame) -> dict[str, float]:
    """Return the share of the gap that gains close, with its interval; nothing where the gap does not exceed its noise."""
    seeds = [seed for seed in gains.index if seed in gap.index]
    patients = gains.columns.union(gap.columns)
    pairs = [table.reindex(index=seeds, columns=patients) for table in (gains, gap)]
    parts, wholes = resample(*(pair.to_numpy() for pair in pairs))
    if not interval(wholes).is_above_zero:
        return {}
    gain, whole = (float(pair.mean(axis="columns").mean()) for pair in pairs)
    low, high = share_interval(parts, wholes)
    return {"gap_closed": gap_closed(gain, 0.0, whole), "gap_closed_low": low, "gap_closed_high": high}
