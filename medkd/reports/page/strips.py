"""Plots with one strip for each row: paired differences with intervals (a forest plot), and the runs of each row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from medkd.runs.escapes import escape_csv

from .scales import Scale, scale

__all__ = ["Strip", "StripPlot", "forest_plot", "run_plot", "signed_interval", "table_csv"]


class Strip(NamedTuple):
    """One row; places are shares of the axis, from 0 to 1."""

    row: str
    text: str
    """Numbers beside the strip."""
    mean: float
    low: float | None = None
    """Ends of the interval; None where there is none."""
    high: float | None = None
    dots: Sequence[tuple[float, str]] = ()
    """Place and name of each run."""


class StripPlot(NamedTuple):
    """A plot with a strip for each row."""

    name: str
    title: str
    axis: str
    """Title of the axis."""
    ticks: list[tuple[float, str]]
    zero: float | None
    """Place of no difference."""
    strips: list[Strip]
    csv: str


def forest_plot(table: pd.DataFrame, name: str, baseline: str, score: str) -> StripPlot | None:
    """Return the forest plot of a class; None without any difference.

    Args:
        table: rows of `medkd.reports.tables.results` of one task, class and metric, in percent.
        name: of the task and class.
        baseline: title of the row that differences are to.
        score: what the metric is called.
    """
    compared = table.dropna(subset="difference")
    if not len(compared):
        return None
    ends = compared[["difference", "difference_low", "difference_high"]]
    values = [0.0, *ends.to_numpy().ravel()]
    axis = scale([value for value in values if not pd.isna(value)], 0, 1, count=6)
    strips = [_difference_strip(cell, axis) for _, cell in compared.iterrows()]
    csv = table_csv(compared[["row", "seeds", "difference", "difference_low", "difference_high"]])
    title = f"{score} minus {baseline}, paired by seed and case: mean and 95 % interval"
    return StripPlot(f"difference {name}", title, f"{score} minus {baseline}, points", axis.ticks, axis(0), strips, csv)


def _difference_strip(cell: pd.Series, axis: Scale) -> Strip:
    mean, *ends = (float(cell[name]) for name in ("difference", "difference_low", "difference_high"))
    text = signed_interval(mean, *ends)
    low, high = (None if pd.isna(end) else axis(end) for end in ends)
    return Strip(str(cell["row"]), text, axis(mean), low, high)


def run_plot(cases: Mapping[str, pd.DataFrame], name: str, score: str) -> StripPlot | None:
    """Return the plot of all runs on one axis of Dice; None if no run has ended."""
    by_row = {row: 100 * t.groupby("seed")["dice"].mean().dropna() for row, t in cases.items() if len(t)}
    by_row = {row: of_row for row, of_row in by_row.items() if len(of_row)}
    values = [float(value) for of_row in by_row.values() for value in of_row]
    if not values:
        return None
    axis = scale(values, 0, 1, count=6, within=(0, 100))
    strips = [
        Strip(
            row,
            f"{of_row.mean():.1f}",
            axis(of_row.mean()),
            dots=[(axis(value), f"{row}, seed {seed}: {value:.2f}") for seed, value in of_row.items()],
        )
        for row, of_row in by_row.items()
    ]
    span = f"{score}, % (the axis shows {axis.low:g} to {axis.high:g}" + (", not 0)" if axis.low > 0 else ")")
    lines = [
        {"row": row, "seed": seed, "dice": value} for row, of_row in by_row.items() for seed, value in of_row.items()
    ]
    title = f"{score} of each run: a dot is a seed, the bar their mean"
    return StripPlot(
        f"runs {name}",
        title,
        span,
        axis.ticks,
        None,
        strips,
        table_csv(pd.DataFrame(lines)),
    )


def signed_interval(mean: float, low: float, high: float) -> str:
    """Return a difference with its interval.

    Example:
        >>> signed_interval(2.04, -1.0, 5.0)
        '+2.0 (−1.0 to +5.0)'
    """
    ends = "" if pd.isna(low) else f" ({low:+.1f} to {high:+.1f})"
    return f"{mean:+.1f}{ends}".replace("-", "−")


def table_csv(table: pd.DataFrame) -> str:
    """Return a table as the CSV that a button of the page saves; text that a spreadsheet takes for a formula is escaped."""
    return table.map(lambda cell: escape_csv(cell) if isinstance(cell, str) else cell).to_csv(index=False)
