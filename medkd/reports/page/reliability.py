"""Reliability diagrams: how often a probability is right, of each row that measured its calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from medkd.runs.folder import RunFolder

from .runs import RunFacts
from .scales import Scale, scale
from .scatter import SIDE, Dot
from .strips import table_csv

__all__ = ["ReliabilityLine", "ReliabilityPlot", "reliability_plots"]

_BINS = ("voxels", "probability", "frequency")


class ReliabilityLine(NamedTuple):
    """The line of a row."""

    row: str
    points: str
    """Points of an SVG polyline: x,y pairs."""
    dots: list[Dot]
    """One for each bin with voxels."""


class ReliabilityPlot(NamedTuple):
    """The diagram of one class."""

    name: str
    x: Scale
    y: Scale
    lines: list[ReliabilityLine]
    csv: str


def reliability_plots(runs: Sequence[RunFacts]) -> list[ReliabilityPlot]:
    """Return one diagram for each class that a run has measured; a row is the sum of its seeds' voxels.

    Args:
        runs: of one task. Those without ``calibration.json`` are left out.
    """
    rows: dict[str, dict[str, list[Mapping[str, Any]]]] = {}  # class -> row -> bins of each run
    for run in runs:
        for name, bins in (RunFolder(run.folder).read_calibration() or {}).items():
            rows.setdefault(name, {}).setdefault(run.row, []).append(bins)
    x, y = scale([0, 1], 40, SIDE - 10), scale([0, 1], SIDE - 36, 10)
    return [
        ReliabilityPlot(name, x, y, [_line(row, of_row, x, y) for row, of_row in of_class.items()], _csv(of_class))
        for name, of_class in rows.items()
    ]


def _line(row: str, runs: Sequence[Mapping[str, Any]], x: Scale, y: Scale) -> ReliabilityLine:
    dots = []
    for voxels, probability, frequency in _pool(runs):
        text = f"{row}: probability {probability:.3f}, frequency {frequency:.3f}, {voxels:,.0f} voxels"
        dots.append(Dot(x(probability), y(frequency), text, row))
    return ReliabilityLine(row, " ".join(f"{dot.x:.1f},{dot.y:.1f}" for dot in dots), dots)


def _csv(rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    lines = [(row, *point) for row, runs in rows.items() for point in _pool(runs)]
    return table_csv(pd.DataFrame(lines, columns=["row", *_BINS]))


def _pool(runs: Sequence[Mapping[str, Any]]) -> list[tuple[float, float, float]]:
    """Return voxels, mean probability and frequency of each bin with voxels, over runs with equally many bins."""
    bins = len(runs[0]["voxels"])
    tables = [np.array([run[name] for name in _BINS], dtype=float) for run in runs if len(run["voxels"]) == bins]
    voxels = sum(table[0] for table in tables)
    sums = [sum(np.nan_to_num(table[i]) * table[0] for table in tables) for i in (1, 2)]
    return [(n, p / n, f / n) for n, p, f in zip(voxels, *sums, strict=True) if n]
