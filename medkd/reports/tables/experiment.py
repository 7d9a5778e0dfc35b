"""The table of an experiment: rows of methods, tasks beside the published figures, and the holes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from medkd.runs.results import collapsed_runs, read_cases

from .published import Published
from .statistics import adjusted, gap_closed, paired_by_case, paired_by_seed

__all__ = ["Experiment", "results"]


@dataclass
class Experiment:
    """What is to be reported: the runs behind each cell, whether they ended or not."""

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
    """Task -> name of its bundle, by which published figures are found."""


def results(experiment: Experiment) -> pd.DataFrame:
    """One row a task, row, class and metric.

    Columns: ``task, row, class, metric, published, mean, std, seeds, planned, collapsed, cases, cases_least, difference,
    difference_std, p, p_adjusted, gap_closed``. ``mean`` is over the means over cases of the runs that ended, ``std`` the
    sample's deviation over these runs, never over cases. ``seeds`` counts the runs that ended, ``planned`` all;
    ``collapsed`` those of them that predict nothing (they are part of the mean). ``cases`` are those with a value in the run
    that has most of them, ``cases_least`` in the run that has fewest. ``difference`` is to the baseline, paired by seed and
    case; of the teacher, whose seeds are not the students', between the means. ``p`` is of a Wilcoxon test paired by case,
    ``p_adjusted`` by false discovery rate over the methods of the task. Dice and IoU are in percent.

    A cell without any finished run has a row with NaN: a hole is shown, not left out.
    """
    rows = [row for task in experiment.runs for row in _task(experiment, task)]
    table = pd.DataFrame(rows)
    for _, group in table.groupby(["task", "class", "metric"], sort=False):
        table.loc[group.index, "p_adjusted"] = adjusted(group["p"].tolist())
    return table


def _task(experiment: Experiment, task: str) -> list[dict]:
    cases = {row: read_cases(runs) for row, runs in experiment.runs[task].items()}
    classes = list(dict.fromkeys(name for table in cases.values() for name in table["class"])) or [""]
    return [
        _cell(experiment, task, row, metric, {title: t[t["class"] == name] for title, t in cases.items()}, name)
        for name in classes
        for row in experiment.runs[task]
        for metric in experiment.metrics
    ]


def _cell(
    experiment: Experiment, task: str, row: str, metric: str, cases: Mapping[str, pd.DataFrame], name: str
) -> dict:
    own, scale = cases[row], 100.0 if metric in ("dice", "iou") else 1.0
    counts = own.groupby("seed")[metric].count() if len(own) else pd.Series(dtype=int)
    cell = {
        "task": task,
        "row": row,
        "class": name,
        "metric": metric,
        "published": "",
        "seeds": own["seed"].nunique(),
        "planned": len(experiment.runs[task][row]),
        "collapsed": len(collapsed_runs(own)),
        "cases": int(counts.max()) if len(own) else 0,
        "cases_least": int(counts.min()) if len(own) else 0,
    }
    if experiment.published is not None:
        cell["published"] = experiment.published.text(experiment.kinds.get(task, task), row, metric)
    means = {title: table.groupby("seed")[metric].mean() for title, table in cases.items() if len(table)}
    nan = float("nan")
    cell |= dict.fromkeys(("mean", "std", "difference", "difference_std", "p", "p_adjusted", "gap_closed"), nan)
    if row in means:
        cell |= {"mean": scale * means[row].mean(), "std": scale * means[row].std(ddof=1)}
    if row in means and row != experiment.baseline and experiment.baseline in means:
        cell |= _compared(experiment, row, metric, cases, means, scale)
    return cell


def _compared(
    experiment: Experiment,
    row: str,
    metric: str,
    cases: Mapping[str, pd.DataFrame],
    means: Mapping[str, pd.Series],
    scale: float,
) -> dict[str, float]:
    """What a cell tells about its row and the baseline. ``means``: row -> seed -> mean over cases."""
    baseline, teacher = experiment.baseline, experiment.teacher
    if row == teacher:
        return {"difference": scale * (means[row].mean() - means[baseline].mean())}
    pairs = paired_by_seed(cases[row], cases[baseline], metric)
    found = {"difference": scale * pairs.mean(), "difference_std": scale * pairs.std(ddof=1)}
    found["p"] = paired_by_case(cases[row], cases[baseline], metric)[0]
    if metric in ("dice", "iou") and teacher in means and len(pairs):
        student = means[baseline][list(pairs.index)].mean()
        found["gap_closed"] = gap_closed(student + pairs.mean(), student, means[teacher].mean())
    return found
