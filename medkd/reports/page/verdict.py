"""The verdict on a method: a sentence, three figures and how sure it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from medkd.reports.tables import Cost
from medkd.reports.tables.statistics import LEAST_SEEDS
from medkd.runs.errors import counted

from .strips import signed_interval

__all__ = ["Figure", "Verdict", "verdict"]

_SAME = 0.05  # two speeds that differ by less are called the same: measurements vary


class Figure(NamedTuple):
    """A large number with what it is and where it comes from."""

    value: str
    label: str
    detail: str


class Verdict(NamedTuple):
    """What the first screen says of a method."""

    row: str
    sentence: str
    sureness: str
    """"sure", "preliminary" or "open"."""
    reasons: list[str]
    figures: list[Figure]


def verdict(
    row: str, cells: Mapping[str, pd.Series], teacher: str | None, baseline: str, costs: Mapping[str, Cost], score: str
) -> Verdict:
    """Return the verdict on a row.

    Args:
        row: title of the method.
        cells: row -> line of `medkd.reports.tables.results` of one class and metric, in percent.
        teacher: title of the teacher's row.
        baseline: title of the row of the student alone.
        costs: row -> cost of its network.
        score: what the metric is called.
    """
    cell = cells[row]
    sentence, sureness = _judge(row, cell, baseline, score)
    figures = [_kept(row, cells, teacher, baseline, score), *_cost_figures(costs.get(row), costs.get(teacher or ""))]
    return Verdict(row, sentence, sureness, _reasons(cell), figures)


def _judge(row: str, cell: pd.Series, baseline: str, score: str) -> tuple[str, str]:
    """Return the sentence, and how sure it is."""
    if not cell["seeds"]:
        return f"No run of {row} has ended: there is no result yet.", "open"
    if pd.isna(cell["difference"]):
        reason = "no seed has run with both" if baseline else "no student alone is among the runs"
        return f"{row} is compared with nothing: {reason}.", "open"
    size = f"{abs(cell['difference']):.1f} points of {score}"
    low, high = cell["difference_low"], cell["difference_high"]
    if pd.isna(low):
        word = "above" if cell["difference"] > 0 else "below"
        return f"{row} is {size} {word} {baseline}, but one seed cannot tell whether that is chance.", "open"
    sureness = "sure" if cell["seeds"] >= LEAST_SEEDS else "preliminary"
    if low > 0:
        return f"{row} helps: {size} above {baseline}.", sureness
    if high < 0:
        return f"{row} harms: {size} below {baseline}.", sureness
    points = signed_interval(cell["difference"], low, high)
    return f"Whether {row} helps is open: {points} points of {score} against {baseline}.", "open"


def _reasons(cell: pd.Series) -> list[str]:
    """Return what the verdict rests on, and what speaks against trusting it."""
    seeds, cases = int(cell["seeds"]), int(cell["cases"])
    patients = "" if pd.isna(cell.get("patients")) else f" of {counted(int(cell['patients']), 'patient')}"
    reasons = [f"{counted(seeds, 'seed')}, {counted(cases, 'case')}{patients}"]
    if not pd.isna(cell["difference_low"]):
        reasons.append(
            f"95 % interval {cell['difference_low']:+.1f} to {cell['difference_high']:+.1f}".replace("-", "−")
        )
    if seeds < LEAST_SEEDS:
        reasons.append(f"fewer than {LEAST_SEEDS} seeds: other seeds may say otherwise")
    for name, words in (("collapsed", "collapsed"), ("still_rising", "still improving at the last epoch")):
        if cell[name]:
            reasons.append(f"{cell[name]:.0f} of {seeds} runs {words}")
    if cell["planned"] > seeds:
        reasons.append(f"{cell['planned'] - seeds:.0f} planned run(s) did not end")
    return reasons


def _kept(row: str, cells: Mapping[str, pd.Series], teacher: str | None, baseline: str, score: str) -> Figure:
    """Return the share of the teacher's score that a row keeps."""
    mean, others = (
        cells[row]["mean"],
        {name: cells[name]["mean"] for name in (teacher or "", baseline) if name in cells},
    )
    if pd.isna(mean):
        return Figure("–", f"{score} kept", "no run ended")
    alone = "" if pd.isna(others.get(baseline, float("nan"))) else f"{baseline} {others[baseline]:.1f} %"
    top = others.get(teacher or "", float("nan"))
    if pd.isna(top) or not top > 0:
        return Figure(f"{mean:.1f} %", score, alone or "no teacher among the runs")
    detail = f"{mean:.1f} %, the teacher {top:.1f} %"
    return Figure(
        f"{mean / top:.0%}".replace("%", " %"),
        f"of the teacher's {score} kept",
        f"{detail}; {alone}" if alone else detail,
    )


def _cost_figures(cost: Cost | None, teacher: Cost | None) -> list[Figure]:
    """Return parameters and speed, as a ratio to the teacher where it was measured too."""
    if cost is None:
        return [Figure("–", name, "the network could not be measured") for name in ("parameters", "speed")]
    parameters, time = f"{cost.parameters:,}", f"{cost.milliseconds:.1f} ms"
    if teacher is None:
        return [Figure(parameters, "parameters", ""), Figure(time, "per slice", "measured here")]
    size, speed = teacher.parameters / cost.parameters, teacher.milliseconds / cost.milliseconds
    times = f"{time} against {teacher.milliseconds:.1f} ms per slice, measured here"
    return [
        _ratio(
            size, 0.0, ("fewer", "more", "the teacher's"), "parameters", f"{parameters} against {teacher.parameters:,}"
        ),
        _ratio(speed, _SAME, ("faster", "slower", "the teacher's speed"), "", times),
    ]


def _ratio(ratio: float, tolerance: float, words: tuple[str, str, str], noun: str, detail: str) -> Figure:
    """Return a ratio above one with the word for its direction; 1× within the tolerance."""
    is_same = abs(ratio - 1) <= tolerance
    value, word = ("1×", words[2]) if is_same else (f"{max(ratio, 1 / ratio):.1f}×", words[ratio < 1])
    return Figure(value, f"{word} {noun}".strip(), detail)
