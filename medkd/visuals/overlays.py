"""Truth and prediction over the image: the worst, the median and the best case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from ._cases import Case, Preprocessing, Runs, read_case, read_tables
from ._drawing import PREDICTION, TRUTH, outlines, scaled, show, write

__all__ = ["plot_runs", "pick_cases"]


def pick_cases(table: pd.DataFrame) -> dict[str, str]:
    """``{"worst": case, "median": case, "best": case}`` by mean Dice over classes; cases without ground truth left out.

    With fewer than three cases the same case may stand for two.
    """
    scores = table.groupby("case")["dice"].mean().dropna().sort_values(kind="stable")
    if scores.empty:
        return {}
    places = {"worst": 0, "median": len(scores) // 2, "best": len(scores) - 1}
    return {word: str(scores.index[place]) for word, place in places.items()}


def plot_runs(
    runs: Runs, data: Sequence[Mapping[str, Any]], preprocessing: Preprocessing, output_dir: str | Path
) -> list[Path]:
    """One PNG each for the worst, median and best case of the last run, with all runs side by side.

    Volumes show the slice with most foreground in the truth. Green are the truth's outlines, red the prediction's, one a class.

    Args:
        runs: title -> output folder of an evaluated run (``metrics.csv`` and ``predictions/``).
        data: entries with "image", "label", "case".
        preprocessing: the evaluation's: from an entry to "image" and "label" (1 or 3, *spatial) as the network sees them.
        output_dir: for the pictures.

    Returns:
        The files written, none when no case has ground truth.
    """
    tables = read_tables(runs)
    entries = {str(entry["case"]): entry for entry in data}
    written = []
    for word, case in pick_cases(list(tables.values())[-1]).items():
        found = read_case(runs, tables, entries[case], preprocessing)
        written.append(write(_panels(found, word), Path(output_dir) / f"{word}_{case}.png"))
    return written


def _panels(case: Case, word: str) -> Figure:
    """The bare image with the truth, then one panel a run. Figure, not pyplot: nothing global is left behind."""
    columns = len(case.layers) + 1
    height, width = case.truth.shape
    figure = Figure(figsize=(3.2 * columns, 3.2 * height / width + 0.9), layout="constrained")
    axes = figure.subplots(1, columns, squeeze=False)[0]
    background = scaled(case.image)
    for axis, (name, layer) in zip(axes, [("truth", None), *case.layers.items()], strict=True):
        title = name if layer is None else f"{name} Dice {case.dice[name]:.3f}".strip()
        # size: the network's input may be resized, the outlines have the size of the truth
        show(axis, background, title, (height, width))
        outlines(axis, case.truth, TRUTH)
        if layer is not None:
            outlines(axis, layer, PREDICTION)
    figure.suptitle(f"{word} case by Dice: {case.place}   (green: truth, red: prediction)", fontsize=10)
    return figure
