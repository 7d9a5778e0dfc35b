"""One test case with the predictions of several evaluated runs, read from their output folders."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from medkd.io import read_prediction
from medkd.runs.folder import RunFolder

from ._panels import fullest_slice, slice_title, take_slice

Runs = Mapping[str, str | Path]
Preprocessing = Callable[[Mapping[str, Any]], Mapping[str, Any]]


class TruthWords(NamedTuple):
    """What figures call the label maps that a run is compared with, and the overlap with them."""

    truth: str
    dice: str


class EvaluatedCase(NamedTuple):
    """A picture, or the slice of a volume with most foreground in the ground truth."""

    title: str
    """Name of the case, and the slice of a volume."""
    image: np.ndarray
    """(C, rows, columns), as the network sees it."""
    truth: np.ndarray
    """(rows, columns) labels; their size may differ from the image's."""
    predictions: dict[str, np.ndarray]
    """Title of a run -> labels, of the ground truth's size."""
    dice: dict[str, float]
    """Title of a run -> mean over classes."""
    words: TruthWords
    """What the truth and the Dice are called."""


def truth_words(metrics: Mapping[str, pd.DataFrame]) -> TruthWords:
    """Return what the truth and the Dice of some runs are called: those of a data set without labels are a teacher's.

    Example:
        >>> truth_words({"student": pd.DataFrame({"dice": [1.0], "reference": ["teacher"]})}).truth
        "teacher's label map"
    """
    if any("reference" in table for table in metrics.values()):
        return TruthWords("teacher's label map", "agreement (Dice)")
    return TruthWords("ground truth", "Dice")


def read_metrics(runs: Runs) -> dict[str, pd.DataFrame]:
    """Read the metrics of each run.

    Raises:
        ValueError: if ``runs`` is not a dictionary of titles and folders, or for a damaged record of a run.
        FileNotFoundError: for a folder without metrics or predictions.
    """
    if not isinstance(runs, Mapping) or not runs:
        raise ValueError(f"--runs: found {runs!r}, expected titles and folders such as {{'student': 'FOLDER'}}")
    for title, folder in runs.items():
        run = RunFolder(folder)
        run.read_config()  # raises for a damaged record: what such a run predicted is in doubt
        for file in (run.metrics, run.predictions):
            if not file.exists():
                raise FileNotFoundError(
                    f"run {title}: no {file.name} in {folder}, expected the folder of a finished run"
                )
    return {title: RunFolder(folder).require_metrics() for title, folder in runs.items()}


def read_case(
    runs: Runs, metrics: Mapping[str, pd.DataFrame], entry: Mapping[str, Any], preprocessing: Preprocessing
) -> EvaluatedCase:
    """Read image and ground truth of an entry of the data list, and the prediction of each run."""
    case, item = str(entry["case"]), preprocessing(entry)
    image, truth = np.asarray(item["image"]), np.asarray(item["label"])[0]
    index = fullest_slice(truth > 0)
    labels = {title: _labels(Path(folder), case, metrics[title]) for title, folder in runs.items()}
    dice = {title: float(table.loc[table["case"] == case, "dice"].mean()) for title, table in metrics.items()}
    return EvaluatedCase(
        title=slice_title(case, index),
        image=take_slice(image, index),
        truth=take_slice(truth, index),
        predictions={title: take_slice(volume, index) for title, volume in labels.items()},
        dice=dice,
        words=truth_words(metrics),
    )


def _labels(run: Path, case: str, metrics: pd.DataFrame) -> np.ndarray:
    folder = RunFolder(run).predictions
    labels = read_prediction(folder, case, metrics["class"].nunique() + 1)
    if labels is None:
        raise FileNotFoundError(f"{folder}: found no prediction of case {case}")
    return labels
