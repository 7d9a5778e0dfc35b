"""The table of an experiment in long form: methods, tasks, published values, and holes for missing runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from medkd.runs.results import collapsed_runs, has_patients, read_rows

from .published import Published
from .statistics import adjusted, gap_closed, paired_by_patient, paired_by_seed

__all__ = ["ON_REQUEST", "PERCENT", "Experiment", "results"]

# metrics that runs have on request (`--metrics`), or where components were removed: shown where a run has them
ON_REQUEST = ("nsd", "ece", "lesion_sensitivity", "lesion_precision", "dice_raw")
PERCENT = ("dice", "iou", *ON_REQUEST)


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

    Columns: ``task, row, class, metric, published, mean, std, seeds, planned, collapsed, cases, cases_least, difference,
    difference_std, p, p_adjusted, gap_closed``. The metrics in `PERCENT` are in percent.

    Metrics on request, see `ON_REQUEST`, follow those of the experiment where a run has them.

    - ``mean`` is the mean over runs of their means over cases. ``std`` is the sample deviation over the runs, never over
      cases. Only runs that have ended count.
    - ``seeds`` counts the runs that have ended, ``planned`` all runs, ``collapsed`` those that predict nothing, which are
      part of the mean.
    - ``cases`` is the number of cases with a value in the run that has most of them, ``cases_least`` in the run with fewest.
    - ``difference`` is to the baseline, paired by seed and case. The teacher has other seeds than the students: its
      difference is between the means.
    - ``p`` is of a Wilcoxon test paired by case, ``p_adjusted`` by false discovery rate over the methods of the task.
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
        "seeds": of_row["seed"].nunique(),
        "planned": len(experiment.runs[task][row]),
        "collapsed": len(collapsed_runs(of_row)),
        "cases": int(counts.max()) if len(of_row) else 0,
        "cases_least": int(counts.min()) if len(of_row) else 0,
    }
    if experiment.published is not None:
        cell["published"] = experiment.published.text(experiment.kinds.get(task, task), row, metric)
    nan = float("nan")
    cell |= dict.fromkeys(("mean", "std", "difference", "difference_std", "p", "p_adjusted", "gap_closed"), nan)
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
        cell |= _compare(experiment, row, metric, cases, means, scale)
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
    experiment: Experiment,
    row: str,
    metric: str,
    cases: Mapping[str, pd.DataFrame],
    means: Mapping[str, pd.Series],
    scale: float,
) -> dict[str, float]:
    """Compare a row with the baseline. ``means``: row -> seed -> mean over cases, or over patients."""
    baseline, teacher = experiment.baseline, experiment.teacher
    if row == teacher:
        return {"difference": scale * (means[row].mean() - means[baseline].mean())}
    pairs = paired_by_seed(cases[row], cases[baseline], metric)
    comparison = {"difference": scale * pairs.mean(), "difference_std": scale * pairs.std(ddof=1)}
    comparison["p"] = paired_by_patient(cases[row], cases[baseline], metric)[0]
    if metric in ("dice", "iou") and teacher is not None and teacher in means and len(pairs):
        student = float(means[baseline][list(pairs.index)].mean())
        comparison["gap_closed"] = gap_closed(student + pairs.mean(), student, float(means[teacher].mean()))
    return comparison
