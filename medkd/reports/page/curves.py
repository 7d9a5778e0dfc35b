"""Training curves from the TensorBoard events of runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from .runs import RunFacts
from .scales import Scale, scale

__all__ = ["Line", "Panel", "curves", "read_scalars"]

_POINTS = 150  # of a line in the page
_DASHES = ("", "7 3", "2 3", "9 3 2 3", "14 4", "9 3 2 3 2 3")
WIDTH, HEIGHT = 420, 220


class Line(NamedTuple):
    """The curve of one run."""

    name: str
    row: str
    dash: str
    """SVG dash pattern; the seeds of a row have different ones."""
    points: str
    """Points of an SVG polyline: x,y pairs."""
    last: str
    """Value of the last epoch."""


class Panel(NamedTuple):
    """One quantity over epochs."""

    title: str
    x: Scale
    y: Scale
    lines: list[Line]


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
    """Build the curves of total loss, validation and each term of the loss.

    Returns:
        The panels, one line per run for the legend, and the names of runs without events.
    """
    scalars = {run: read_scalars(run.folder) for run in runs}
    without = [run.name for run, tags in scalars.items() if not tags]
    panels = [_panel("Loss", {run: tags["loss"] for run, tags in scalars.items() if "loss" in tags})]
    validations = {"mean Dice": "val_mean_dice", "agreement with the teacher (Dice)": "val_agreement_dice"}
    for name, tag in validations.items():
        panels.append(_panel(f"Validation: {name}", {run: tags[tag] for run, tags in scalars.items() if tag in tags}))
    terms = sorted({tag for tags in scalars.values() for tag in tags if tag.startswith("loss/")}, key=_task_first)
    for term in terms:
        of_term = {run: tags[term] for run, tags in scalars.items() if term in tags}
        panels.append(_panel(f"Term of the loss: {term.removeprefix('loss/')}", of_term))
    names = {line.name: line for panel in panels for line in panel.lines}
    legend = [names[run.name] for run in runs if run.name in names]
    return [panel for panel in panels if panel.lines], legend, without


def _task_first(tag: str) -> tuple[bool, str]:
    return tag != "loss/task", tag


def _panel(title: str, values: dict[RunFacts, list[tuple[int, float]]]) -> Panel:
    finite = {run: [(x, y) for x, y in points if math.isfinite(y)] for run, points in values.items()}
    finite = {run: points for run, points in finite.items() if points}
    steps = [x for points in finite.values() for x, _ in points]
    heights = [y for points in finite.values() for _, y in points]
    x = scale(steps, 46, WIDTH - 10, whole=True)
    y = scale(heights, HEIGHT - 30, 10)
    return Panel(title, x, y, [_line(run, points, x, y) for run, points in finite.items()])


def _line(run: RunFacts, points: list[tuple[int, float]], x: Scale, y: Scale) -> Line:
    stride = max(1, math.ceil(len(points) / _POINTS))
    kept = [*points[::stride], points[-1]] if points[-1] not in points[::stride] else points[::stride]
    polyline = " ".join(f"{x(step):.1f},{y(value):.1f}" for step, value in kept)
    return Line(run.name, run.row, _DASHES[run.seed % len(_DASHES)], polyline, f"{points[-1][1]:.3g}")
