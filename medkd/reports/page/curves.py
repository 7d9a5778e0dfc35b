"""Training curves from the TensorBoard events of runs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from medkd.runs.errors import rounded

from .runs import RunFacts
from .scales import Scale, scale
from .strips import table_csv

__all__ = ["Line", "Panel", "curves", "read_scalars"]

_POINTS = 150  # of a line in the page
_DASHES = ("", "7 3", "2 3", "9 3 2 3", "14 4", "9 3 2 3 2 3")
_MARKED = 12  # lines of so few points have a dot at each: one alone could not be seen otherwise
WIDTH, HEIGHT = 420, 240


class Line(NamedTuple):
    """The curve of one run."""

    name: str
    row: str
    dash: str
    """SVG dash pattern; rows with the same method, hence the same colour, have different ones."""
    points: str
    """Points of an SVG polyline: x,y pairs."""
    dots: list[tuple[float, float]]
    """Points of a line that has few of them."""
    last: str
    """Value of the last epoch."""


class Panel(NamedTuple):
    """One quantity over epochs."""

    title: str
    x: Scale
    y: Scale
    lines: list[Line]
    unit: str
    """Title of the vertical axis."""
    csv: str


def read_scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Read the scalars of all event files of a run: tag -> (epoch, value). A repeated epoch has its last value."""
    values: dict[str, dict[int, float]] = {}
    for file in sorted(Path(folder).glob("events.out.tfevents.*")):
        events = EventAccumulator(str(file), size_guidance={"scalars": 0})
        events.Reload()
        for tag in events.Tags()["scalars"]:
            values.setdefault(tag, {}).update({event.step: event.value for event in events.Scalars(tag)})
    return {tag: sorted(of_tag.items()) for tag, of_tag in values.items()}


def curves(runs: Sequence[RunFacts]) -> tuple[list[Panel], list[Line], list[str]]:
    """Build the curves of total loss, validation in percent and each term of the loss.

    Returns:
        The panels, one line per row for the legend, and the names of runs without events.
    """
    scalars = {run: read_scalars(run.folder) for run in runs}
    without = [run.name for run, tags in scalars.items() if not tags]
    dashes = _dashes(runs)

    def panel(title: str, tag: str, unit: str, factor: float = 1.0) -> Panel:
        values = {run: [(x, factor * y) for x, y in tags[tag]] for run, tags in scalars.items() if tag in tags}
        return _panel(title, unit, values, dashes)

    panels = [panel("Loss", "loss", "loss")]
    validations = {
        "Dice, mean over classes": "val_mean_dice",
        "agreement with the teacher (Dice)": "val_agreement_dice",
    }
    panels += [panel(f"Validation: {name}", tag, "Dice, %", 100) for name, tag in validations.items()]
    terms = sorted({tag for tags in scalars.values() for tag in tags if tag.startswith("loss/")}, key=_task_first)
    panels += [panel(f"Term of the loss: {term.removeprefix('loss/')}", term, "loss") for term in terms]
    first = {line.row: line for one in reversed(panels) for line in reversed(one.lines)}
    legend = [first[row] for row in dict.fromkeys(run.row for run in runs) if row in first]
    return [one for one in panels if one.lines], legend, without


def _dashes(runs: Sequence[RunFacts]) -> dict[str, str]:
    """Return the dash pattern of each row: rows of one method are numbered."""
    rows = {run.row: run.method or run.row for run in runs}
    numbers: Counter[str] = Counter()
    dashes = {}
    for row, method in rows.items():
        dashes[row] = _DASHES[numbers[method] % len(_DASHES)]
        numbers[method] += 1
    return dashes


def _task_first(tag: str) -> tuple[bool, str]:
    return tag != "loss/task", tag


def _panel(
    title: str, unit: str, values: Mapping[RunFacts, list[tuple[int, float]]], dashes: Mapping[str, str]
) -> Panel:
    finite = {run: [(x, y) for x, y in points if math.isfinite(y)] for run, points in values.items()}
    finite = {run: points for run, points in finite.items() if points}
    steps = [x for points in finite.values() for x, _ in points]
    heights = [y for points in finite.values() for _, y in points]
    x = scale(steps, 52, WIDTH - 10, whole=True)
    y = scale(heights, HEIGHT - 42, 10)
    lines = [_line(run, points, x, y, dashes[run.row]) for run, points in finite.items()]
    rows = [(run.row, run.seed, *point) for run, points in finite.items() for point in points]
    return Panel(title, x, y, lines, unit, table_csv(pd.DataFrame(rows, columns=["row", "seed", "epoch", "value"])))


def _line(run: RunFacts, points: list[tuple[int, float]], x: Scale, y: Scale, dash: str) -> Line:
    stride = max(1, math.ceil(len(points) / _POINTS))
    kept = [*points[::stride], points[-1]] if points[-1] not in points[::stride] else points[::stride]
    places = [(x(step), y(value)) for step, value in kept]
    polyline = " ".join(f"{left:.1f},{top:.1f}" for left, top in places)
    dots = places if len(places) <= _MARKED else []
    return Line(run.name, run.row, dash, polyline, dots, rounded(points[-1][1]))
