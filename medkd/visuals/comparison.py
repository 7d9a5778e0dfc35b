"""Several runs on several cases in one figure: a row a case, a column a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ._cases import Case, Preprocessing, Runs, read_case, read_tables
from ._drawing import PREDICTION, TRUTH, mark, outline, scaled, show, write

__all__ = ["comparison_figure", "plot_comparison", "pick_quantiles"]


def pick_quantiles(table: pd.DataFrame, count: int = 4) -> dict[str, str]:
    """``{case: "quantile 0.33"}``, from the worst to the best by mean Dice over classes, evenly spread in rank.

    Cases without ground truth are left out; with fewer than ``count`` cases, all are taken. A single one is the median.
    """
    scores = table.groupby("case")["dice"].mean().dropna().sort_values(kind="stable")
    count = min(count, len(scores))
    quantiles = np.linspace(0, 1, count) if count > 1 else np.full(count, 0.5)
    places = (quantiles * (len(scores) - 1)).round().astype(int)
    return {str(scores.index[rank]): f"quantile {q:.2f}" for rank, q in zip(places, quantiles, strict=True)}


def plot_comparison(
    runs: Runs,
    data: Sequence[Mapping[str, Any]],
    preprocessing: Preprocessing,
    path: str | Path,
    cases: Sequence[str] | None = None,
    count: int = 4,
) -> Path:
    """Writes `comparison_figure`; its arguments, and the file. Returns the path."""
    return write(comparison_figure(runs, data, preprocessing, cases, count), path)


def comparison_figure(
    runs: Runs,
    data: Sequence[Mapping[str, Any]],
    preprocessing: Preprocessing,
    cases: Sequence[str] | None = None,
    count: int = 4,
) -> Figure:
    """Image, truth and each run's prediction with its Dice, as in Fig. 3 of PLC-KD (Wang et al., MICCAI 2024).

    Volumes show the slice with most foreground in the truth; the Dice is the whole volume's. Green is the truth's outline,
    red the prediction's.

    Args:
        runs, data, preprocessing: as those of `plot_runs`.
        cases: what to show; None picks from the worst to the best of the last run (`pick_quantiles`), so that no row is
            chosen by eye.
        count: how many are picked.

    Raises:
        ValueError: when there is no case with ground truth and none is named, or a case is not in the data.
    """
    if count < 1:
        raise ValueError(f"plot_comparison: count {count} found, expected 1 or more")
    tables = read_tables(runs)
    last = list(tables)[-1]
    words = pick_quantiles(tables[last], count) if cases is None else dict.fromkeys(map(str, cases), "")
    if not words:
        raise ValueError(f"plot_comparison: no case to show: none is named, none in {runs[last]} has ground truth")
    entries = {str(entry["case"]): entry for entry in data}
    for case in words:
        if case not in entries:
            raise ValueError(f"plot_comparison: case {case} is not in the data ({len(entries)} cases)")
        for title, table in tables.items():
            if case not in set(table["case"]):
                raise ValueError(f"plot_comparison: case {case} is not among those of run {title}: {runs[title]}")
    found = [(word, read_case(runs, tables, entries[case], preprocessing)) for case, word in words.items()]
    how = "" if cases is not None else f"; rows: quantiles of Dice{f' of {last}' if last else ''}"
    return _table(found, f"green: truth, red: prediction{how}")


def _table(rows: Sequence[tuple[str, Case]], title: str) -> Figure:
    columns = len(rows[0][1].layers) + 2
    shapes = [case.truth.shape[0] / case.truth.shape[1] for _, case in rows]
    figure = Figure(figsize=(2.4 * columns + 0.4, 2.4 * sum(shapes) + 0.25 * len(rows) + 0.5), layout="constrained")
    axes = figure.subplots(len(rows), columns, squeeze=False, height_ratios=shapes)
    for place, (row, (word, case)) in enumerate(zip(axes, rows, strict=True)):
        background, size = scaled(case.image), case.truth.shape
        panels = [("image", None), ("truth", None), *case.layers.items()]
        for axis, (name, layer) in zip(row, panels, strict=True):
            show(axis, background, "" if place else name, size)
            if layer is not None:
                # filled: of an outline alone one cannot tell the inside from the outside
                mark(axis, {PREDICTION: layer > 0}, alpha=0.25)
                outline(axis, layer > 0, PREDICTION)
                axis.set_xlabel(f"Dice {case.dice[name]:.3f}", fontsize=9)
            if axis is not row[0]:
                outline(axis, case.truth > 0, TRUTH)
        row[0].set_ylabel("\n".join(filter(None, [case.place, word])), fontsize=9)
    figure.suptitle(title, fontsize=10)
    return figure
