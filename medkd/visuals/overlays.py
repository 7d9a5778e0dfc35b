"""Truth and prediction over the image: the worst, the median and the best case."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from medkd.data.files import write_atomically

__all__ = ["draw_runs", "pick_cases"]

_TRUTH, _PREDICTION = "#22dd55", "#ff3344"


def pick_cases(table: pd.DataFrame) -> dict[str, str]:
    """``{"worst": case, "median": case, "best": case}`` by mean Dice over classes; cases without ground truth left out.

    With fewer than three cases the same case may stand for two.
    """
    scores = table.groupby("case")["dice"].mean().dropna().sort_values(kind="stable")
    if scores.empty:
        return {}
    places = {"worst": 0, "median": len(scores) // 2, "best": len(scores) - 1}
    return {word: str(scores.index[place]) for word, place in places.items()}


def draw_runs(
    runs: Mapping[str, str | Path],
    data: Sequence[Mapping[str, Any]],
    preprocessing: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    output_dir: str | Path,
) -> list[Path]:
    """One PNG each for the worst, median and best case of the last run, with all runs side by side.

    Volumes show the slice with most foreground in the truth. Green is the truth's outline, red the prediction's.

    Args:
        runs: title -> output folder of an evaluated run (``metrics.csv`` and ``predictions/``).
        data: entries with "image", "label", "case".
        preprocessing: the evaluation's: from an entry to "image" and "label" (1 or 3, *spatial) as the network sees them.
        output_dir: for the pictures.

    Returns:
        The files written, none when no case has ground truth.
    """
    tables = {title: pd.read_csv(Path(folder) / "metrics.csv", dtype={"case": str}) for title, folder in runs.items()}
    entries = {str(entry["case"]): entry for entry in data}
    written = []
    for word, case in pick_cases(list(tables.values())[-1]).items():
        item = preprocessing(entries[case])
        image, truth = np.asarray(item["image"]), np.asarray(item["label"])[0]
        layers = {title: _prediction(Path(folder) / "predictions", case) for title, folder in runs.items()}
        if truth.ndim == 3:
            shown = int((truth > 0).sum(axis=(1, 2)).argmax())
            image, truth = image[:, shown], truth[shown]
            layers = {title: layer[shown] for title, layer in layers.items()}
            place = f"{case}, slice {shown}"
        else:
            place = case
        dice = {title: table.loc[table["case"] == case, "dice"].mean() for title, table in tables.items()}
        figure = _panels(image, truth, layers, dice, f"{word} case by Dice: {place}")
        path = Path(output_dir) / f"{word}_{case}.png"
        write_atomically(path, lambda temporary, figure=figure: figure.savefig(temporary, dpi=110))
        written.append(path)
    return written


def _prediction(folder: Path, case: str) -> np.ndarray:
    volume = folder / f"{case}.nii.gz"
    if volume.is_file():
        return np.asarray(nib.load(volume).dataobj)
    return np.asarray(Image.open(folder / f"{case}.png"))


def _panels(
    image: np.ndarray, truth: np.ndarray, layers: Mapping[str, np.ndarray], dice: Mapping[str, float], title: str
) -> Figure:
    """The bare image with the truth, then one panel a run. Figure, not pyplot: nothing global is left behind."""
    columns = len(layers) + 1
    height, width = truth.shape
    figure = Figure(figsize=(3.2 * columns, 3.2 * height / width + 0.9), layout="constrained")
    axes = figure.subplots(1, columns, squeeze=False)[0]
    low, high = float(image.min()), float(image.max())
    background = np.moveaxis((image - low) / max(high - low, 1e-6), 0, -1)
    for axis, (name, layer) in zip(axes, [("truth", None), *layers.items()], strict=True):
        # extent: the network's input may be resized, the outlines have the size of the truth
        axis.imshow(background, cmap="gray", extent=(-0.5, width - 0.5, height - 0.5, -0.5))
        if (truth > 0).any():
            axis.contour(truth > 0, levels=[0.5], colors=_TRUTH, linewidths=1.2)
        if layer is not None and (layer > 0).any():
            axis.contour(layer > 0, levels=[0.5], colors=_PREDICTION, linewidths=1.2)
        axis.set_title(name if layer is None else f"{name} Dice {dice[name]:.3f}".strip(), fontsize=10)
        axis.set_axis_off()
    figure.suptitle(f"{title}   (green: truth, red: prediction)", fontsize=10)
    return figure
