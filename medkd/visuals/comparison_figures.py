"""Predictions of several runs on several cases in one figure: one row per case, one column per run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ._evaluated import EvaluatedCase, Preprocessing, Runs, read_case, read_metrics, truth_words
from ._panels import add_class_legend, fill_classes, outline_classes, save_figure, scale_to_unit, show_picture

__all__ = ["comparison_figure", "pick_quantiles", "plot_comparison"]


def pick_quantiles(table: pd.DataFrame, count: int = 4) -> dict[str, str]:
    """Pick cases from the worst to the best, evenly spaced in the ranking by mean Dice over classes.

    Args:
        table: metrics of a run. Cases without ground truth are left out.
        count: number of cases; all cases if there are fewer. One case is the median.

    Returns:
        Case -> its rank in words.

    Example:
        >>> pick_quantiles(pd.DataFrame({"case": ["a", "b", "c"], "dice": [0.9, 0.1, 0.5]}), 2)
        {'b': 'quantile 0.00', 'a': 'quantile 1.00'}
    """
    scores = table.groupby("case")["dice"].mean().dropna().sort_values(kind="stable")
    count = min(count, len(scores))
    quantiles = np.linspace(0, 1, count) if count > 1 else np.full(count, 0.5)
    ranks = (quantiles * (len(scores) - 1)).round().astype(int)
    return {str(scores.index[rank]): f"quantile {q:.2f}" for rank, q in zip(ranks, quantiles, strict=True)}


def plot_comparison(
    runs: Runs,
    data: Sequence[Mapping[str, Any]],
    preprocessing: Preprocessing,
    path: str | Path,
    cases: Sequence[str] | None = None,
    count: int = 4,
) -> Path:
    """Write `comparison_figure` to a file and return its path; the other arguments are those of the figure."""
    return save_figure(comparison_figure(runs, data, preprocessing, cases, count), path)


def comparison_figure(
    runs: Runs,
    data: Sequence[Mapping[str, Any]],
    preprocessing: Preprocessing,
    cases: Sequence[str] | None = None,
    count: int = 4,
) -> Figure:
    """Return a figure of image, ground truth and the prediction of each run with its Dice.

    The layout is that of Fig. 3 of PLC-KD (Wang et al., MICCAI 2024). Volumes show the slice with most foreground in the
    ground truth; their Dice is of the whole volume. Each class has its colour: the ground
    truth dashes on white, the prediction a solid line.

    Args:
        runs: title -> output folder, see `plot_runs`.
        data: entries of the data list, see `plot_runs`.
        preprocessing: see `plot_runs`.
        cases: names of cases. None: picked from the worst to the best of the last run by `pick_quantiles`, so that nobody
            chooses the rows by eye.
        count: number of picked cases.

    Raises:
        ValueError: if no case is named and none has ground truth, or a named case is not in the data or in a run.
    """
    if count < 1:
        raise ValueError(f"comparison_figure: count: found {count}, expected 1 or more")
    metrics = read_metrics(runs)
    last = list(metrics)[-1]
    ranks = pick_quantiles(metrics[last], count) if cases is None else dict.fromkeys(map(str, cases), "")
    if not ranks:
        raise ValueError(
            f"comparison_figure: no case to show: none is named, and none in {runs[last]} has ground truth"
        )
    entries = {str(entry["case"]): entry for entry in data}
    for case in ranks:
        if case not in entries:
            raise ValueError(f"comparison_figure: case {case} is not in the data ({len(entries)} cases)")
        for title, table in metrics.items():
            if case not in set(table["case"]):
                raise ValueError(f"comparison_figure: case {case} is not in the results of run {title}: {runs[title]}")
    rows = [(rank, read_case(runs, metrics, entries[case], preprocessing)) for case, rank in ranks.items()]
    words = truth_words(metrics)
    choice = "" if cases is not None else f"; rows: quantiles of {words.dice}{f' of {last}' if last else ''}"
    return _arrange(rows, f"dashed: {words.truth}, solid: prediction{choice}", metrics[last])


def _arrange(rows: Sequence[tuple[str, EvaluatedCase]], title: str, metrics: pd.DataFrame) -> Figure:
    columns = len(rows[0][1].predictions) + 2
    shapes = [case.truth.shape[0] / case.truth.shape[1] for _, case in rows]
    figure = Figure(figsize=(2.4 * columns + 0.4, 2.4 * sum(shapes) + 0.25 * len(rows) + 0.5), layout="constrained")
    grid = figure.subplots(len(rows), columns, squeeze=False, height_ratios=shapes)
    for number, (row, (rank, case)) in enumerate(zip(grid, rows, strict=True)):
        background, size = scale_to_unit(case.image), case.truth.shape
        panels = [("image", None), (case.words.truth, None), *case.predictions.items()]
        for axes, (name, layer) in zip(row, panels, strict=True):
            show_picture(axes, background, "" if number else name, (size[0], size[1]))
            if layer is not None:
                # an outline alone does not tell which side is inside
                fill_classes(axes, layer, alpha=0.25)
                outline_classes(axes, layer)
                axes.set_xlabel(f"{case.words.dice} {case.dice[name]:.3f}", fontsize=9)
            if axes is not row[0]:
                outline_classes(axes, case.truth, is_truth=True)
        row[0].set_ylabel("\n".join(filter(None, [case.title, rank])), fontsize=9, parse_math=False)
    figure.suptitle(title, fontsize=10, parse_math=False)
    add_class_legend(figure, metrics)
    return figure
