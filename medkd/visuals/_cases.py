"""One case of several evaluated runs, read back from their output folders."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nib
import numpy as np
import pandas as pd
from PIL import Image

from medkd.runs.folder import RunFolder

from ._drawing import cut, fullest_slice, place

Runs = Mapping[str, str | Path]
Preprocessing = Callable[[Mapping[str, Any]], Mapping[str, Any]]


class Case(NamedTuple):
    """A picture, or the slice of a volume with most foreground in the truth."""

    place: str  # name, and slice of a volume
    image: np.ndarray  # (C, rows, columns), as the network sees it
    truth: np.ndarray  # (rows, columns), of which there may be others than the image has
    layers: dict[str, np.ndarray]  # title of a run -> its prediction, of the truth's size
    dice: dict[str, float]  # title of a run -> mean over classes


def read_tables(runs: Runs) -> dict[str, pd.DataFrame]:
    """The metrics of each run.

    Raises:
        ValueError: when runs are no titles with folders.
        FileNotFoundError: for a folder without results.
    """
    if not isinstance(runs, Mapping) or not runs:
        raise ValueError(f"runs: found {runs!r}, expected titles and folders such as {{'student': 'FOLDER'}}")
    for title, folder in runs.items():
        run = RunFolder(folder)
        for file in (run.metrics, run.predictions):
            if not file.exists():
                raise FileNotFoundError(
                    f"run {title}: no {file.name} in {folder}, expected the folder of a finished run"
                )
    return {title: RunFolder(folder).require_metrics() for title, folder in runs.items()}


def read_case(
    runs: Runs, tables: Mapping[str, pd.DataFrame], entry: Mapping[str, Any], preprocessing: Preprocessing
) -> Case:
    """Image and truth of an entry of the data, with what each run made of it."""
    case, item = str(entry["case"]), preprocessing(entry)
    image, truth = np.asarray(item["image"]), np.asarray(item["label"])[0]
    index = fullest_slice(truth > 0)
    layers = {title: cut(_prediction(RunFolder(folder).predictions, case), index) for title, folder in runs.items()}
    dice = {title: table.loc[table["case"] == case, "dice"].mean() for title, table in tables.items()}
    return Case(place(case, index), cut(image, index), cut(truth, index), layers, dice)


def _prediction(folder: Path, case: str) -> np.ndarray:
    volume = folder / f"{case}.nii.gz"
    if volume.is_file():
        return np.asarray(nib.load(volume).dataobj)
    return np.asarray(Image.open(folder / f"{case}.png"))
