"""Ground truth and prediction over the image: the worst, the median and the best case of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from ._evaluated import EvaluatedCase, Preprocessing, Runs, read_case, read_metrics
from ._panels import add_class_legend, outline_classes, save_figure, scale_to_unit, show_picture

__all__ = ["pick_cases", "plot_runs"]


def pick_cases(table: pd.DataFrame) -> dict[str, str]:
    """Pick the worst, the median and the best case by mean Dice over classes.

    Args:
        table: metrics of a run. Cases without ground truth are left out.

    Returns:
        ``{"worst": case, "median": case, "best": case}``. With fewer than three cases one case can appear twice. Empty if
        no case has ground truth.

    Example:
        >>> pick_cases(pd.DataFrame({"case": ["a", "b", "c"], "dice": [0.9, 0.1, 0.5]}))
        {'worst': 'b', 'median': 'c', 'best': 'a'}
    """
    scores = table.groupby("case")["dice"].mean().dropna().sort_values(kind="stable")
    if scores.empty:
        return {}
    ranks = {"worst": 0, "median": len(scores) // 2, "best": len(scores) - 1}
    return {name: str(scores.index[rank]) for name, rank in ranks.items()}


def plot_runs(
    runs: Runs, data: Sequence[Mapping[str, Any]], preprocessing: Preprocessing, output_dir: str | Path
) -> list[Path]:
    """Write one PNG each for the worst, the median and the best case of the last run, with all runs side by side.

    Volumes show the slice with most foreground in the ground truth. Each class is outlined in its colour: the ground
    truth by dashes on white, the prediction by a solid line.

    Args:
        runs: title -> output folder of an evaluated run (``metrics.csv`` and ``predictions/``).
        data: entries with "image", "label" and "case".
        preprocessing: of the evaluation: from an entry to "image" and "label", (C, *spatial), as the network sees
            them.
        output_dir: folder of the pictures.

    Returns:
        The files; none if no case has ground truth.
    """
    metrics = read_metrics(runs)
    entries = {str(entry["case"]): entry for entry in data}
    files = []
    last = list(metrics.values())[-1]
    for rank, case in pick_cases(last).items():
        if case not in entries:
            raise ValueError(f"run {list(runs)[-1]}: metrics.csv has the case {case!r}, which is not in the data")
        evaluated = read_case(runs, metrics, entries[case], preprocessing)
        files.append(save_figure(_arrange(evaluated, rank, last), Path(output_dir) / f"{rank}_{case}.png"))
    return files


def _arrange(case: EvaluatedCase, rank: str, metrics: pd.DataFrame) -> Figure:
    # a Figure without pyplot leaves no global state behind
    columns = len(case.predictions) + 1
    height, width = case.truth.shape
    figure = Figure(figsize=(3.2 * columns, 3.2 * height / width + 0.9), layout="constrained")
    row = figure.subplots(1, columns, squeeze=False)[0]
    background = scale_to_unit(case.image)
    panels = [(case.words.truth, None), *case.predictions.items()]
    for axes, (name, layer) in zip(row, panels, strict=True):
        title = name if layer is None else f"{name} {case.words.dice} {case.dice[name]:.3f}".strip()
        # the network's input can be resized; the outlines have the size of the ground truth
        show_picture(axes, background, title, (height, width))
        outline_classes(axes, case.truth, is_truth=True)
        if layer is not None:
            outline_classes(axes, layer)
    figure.suptitle(
        f"{rank} case by {case.words.dice}: {case.title}   (dashed: {case.words.truth}, solid: prediction)",
        fontsize=10,
        parse_math=False,
    )
    add_class_legend(figure, metrics)
    return figure
