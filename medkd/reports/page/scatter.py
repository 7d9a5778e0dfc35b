"""Scatter plots: one dot per case, a method against the student alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from medkd.reports.tables import Experiment
from medkd.runs.results import has_patients

from .cases import mean_dice
from .scales import Scale, scale
from .strips import table_csv

__all__ = ["CasePlot", "Dot", "case_plots", "case_rows"]

SIDE = 300
_DOTS = 300  # dots of a plot


class Dot(NamedTuple):
    """The dot of a case or run."""

    x: float
    y: float
    text: str
    row: str = ""


class CasePlot(NamedTuple):
    """The plot of a row against the baseline."""

    row: str
    axis: Scale
    other: Scale
    """The vertical axis."""
    dots: list[Dot]
    caption: str
    csv: str = ""
    """All cases, also those that are not drawn."""


def _shared_seeds(table: pd.DataFrame, baseline: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the runs of seeds that both have, or all runs if they share none, as a teacher with other seeds."""
    seeds = set(table["seed"]) & set(baseline["seed"])
    if not seeds:
        return table, baseline
    return table[table["seed"].isin(seeds)], baseline[baseline["seed"].isin(seeds)]


def case_plots(experiment: Experiment, cases: Mapping[str, pd.DataFrame]) -> list[CasePlot]:
    """Return one scatter plot for each method that ended: a dot for each case that it shares with the baseline.

    A case is the mean over the seeds that both have. Cases without ground truth are left out.
    """
    baseline = cases.get(experiment.baseline)
    if baseline is None or not len(baseline):
        return []
    plots = []
    for row, table in cases.items():
        if row == experiment.baseline or not len(table):
            continue
        values = [mean_dice(runs) for runs in _shared_seeds(table, baseline)]
        pairs = pd.concat(values, axis=1, keys=("method", "baseline")).dropna()
        if len(pairs):
            plot = _case_plot(experiment.baseline, row, pairs)
            if has_patients(table):
                patient_of = table.groupby("case")["patient"].first()
                plot = plot._replace(caption=f"{plot.caption} {_count_patients(pairs, patient_of)}")
            plots.append(plot)
    return plots


def _case_plot(baseline: str, row: str, pairs: pd.DataFrame) -> CasePlot:
    axis, other = scale([0, 100], 40, SIDE - 10), scale([0, 100], SIDE - 36, 10)
    difference = pairs["method"] - pairs["baseline"]
    plotted = pairs
    if len(pairs) > _DOTS:  # evenly spread in the order of the difference: the largest loss and gain are among them
        order = difference.sort_values(kind="stable").index
        plotted = pairs.loc[order[np.linspace(0, len(order) - 1, _DOTS).round().astype(int)]]
    dots = [
        Dot(axis(before), other(after), f"{case}: {baseline} {before:.1f}, {row} {after:.1f} ({after - before:+.1f})")
        for case, after, before in zip(plotted.index, plotted["method"], plotted["baseline"], strict=True)
    ]
    better, worse = int((difference > 0).sum()), int((difference < 0).sum())
    caption = f"{better} of {len(pairs)} cases better, {worse} worse."
    if better:
        caption += f" Largest gain: {difference.idxmax()} ({difference.max():+.1f})."
    if worse:
        caption += f" Largest loss: {difference.idxmin()} ({difference.min():+.1f})."
    if len(plotted) < len(pairs):
        caption += f" {len(plotted)} dots are drawn, evenly spread in the order of the difference."
    return CasePlot(row, axis, other, dots, caption, table_csv(pairs.reset_index(names="case")))


def _count_patients(pairs: pd.DataFrame, patient_of: pd.Series) -> str:
    """Return how many patients are better and worse, by the mean over the cases of each."""
    difference = (pairs["method"] - pairs["baseline"]).groupby(patient_of.loc[pairs.index].to_numpy()).mean()
    better, worse = int((difference > 0).sum()), int((difference < 0).sum())
    return f"By the mean over the cases of a patient: {better} of {len(difference)} patients better, {worse} worse."


def case_rows(
    cases: Mapping[str, pd.DataFrame], most: int
) -> tuple[list[str], list[tuple[str, list[float | None]]], int]:
    """Return the Dice of each case in each row, the lowest mean over rows first.

    Args:
        cases: row -> metrics of its runs.
        most: number of cases at most.

    Returns:
        The titles of the rows; (case, Dice of each title); the number of all cases.
    """
    values = {row: mean_dice(table) for row, table in cases.items() if len(table)}
    if not values:
        return [], [], 0
    table = pd.concat(values, axis=1)
    table = table.loc[table.mean(axis=1).sort_values(kind="stable").index]
    rows = [
        (str(case), [None if np.isnan(value) else float(value) for value in line])
        for case, line in zip(table.index[:most], table.to_numpy()[:most], strict=True)
    ]
    return list(values), rows, len(table)
