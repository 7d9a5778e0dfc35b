"""Cases of a task, slice by slice: image, outlines of the ground truth and of each row's prediction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from medkd.io import PICTURES, image_files, read_stored_picture
from medkd.runs.errors import one_line_errors
from medkd.runs.rebuild import load_parser
from medkd.runs.results import trained_run
from medkd.visuals import scale_to_unit

from .pictures import Outline, Picture, embed, outline_path, outlines
from .predictions import predictions
from .runs import RunFacts
from .volumes import Box, Geometry, geometry, target_box, volume_texts

__all__ = ["Data", "ShownCase", "ShownSlice", "choose_cases", "mean_dice", "open_data", "shown_cases"]


@dataclass(frozen=True)
class Data:
    """The test cases of a task, preprocessed as in its runs."""

    entries: Mapping[str, Mapping[str, Any]]
    """Case -> entry of the data list."""
    preprocessing: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    channels: Sequence[str] = ()
    """Names of the channels, which are shown one by one; empty where an image is one picture."""
    window: tuple[float, float] | None = None
    """Intensities that are shown, as the networks see them."""

    def picture(self, case: str, image: Any, shape: tuple[int, ...]) -> np.ndarray:
        """Return the image to show: a picture file at its own resolution, else the input of the network."""
        file = Path(image_files(self.entries[case]["image"])[0])
        if len(shape) == 2 and np.asarray(image).shape[1:] != shape and file.suffix.lower() in PICTURES:
            original = read_stored_picture(file)
            if original.shape[1:] == shape:
                return original if self.window is None or original.dtype == np.uint8 else original.clip(*self.window)
        return np.asarray(image)

    def read(self, case: str) -> tuple[Any, np.ndarray]:
        """Return image (C, *spatial) and ground truth (*spatial); their pixel sizes may differ, their extent does not."""
        item = self.preprocessing(self.entries[case])
        return item["image"], np.asarray(item["label"])[0]


@dataclass
class ShownSlice:
    """A slice of a volume, or a picture, with outlines in pixels of the ground truth."""

    number: int | None
    images: list[Picture]
    """One of each channel, or one alone."""
    truth: list[Outline]
    predictions: dict[str, list[Outline]] = field(default_factory=dict)
    """Row -> outlines."""
    errors: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Row -> paths around what is missed, and around what is extra."""


@dataclass
class ShownCase:
    """A case with its slices."""

    name: str
    rank: str
    """"worst", "median" or "best", or an empty text for further bad ones."""
    dice: dict[str, float]
    """Row -> Dice of the shown run, mean over classes, in percent."""
    height: int
    width: int
    slices: list[ShownSlice]
    first: int
    """Index of the slice that the page shows first: the one with most ground truth."""
    total: int
    """Slices of the volume, 1 for a picture."""
    channels: Sequence[str]
    """Names of the channels that are shown one by one; empty for one image."""
    boxes: tuple[Box, Box]
    """The whole picture, and the part around the target."""
    grid: Geometry | None
    """Of a volume."""
    facts: list[str]
    """Voxel size, shown intensities and volume of the ground truth."""
    volumes: dict[str, str]
    """Row -> volume of its prediction."""


def open_data(runs: Sequence[RunFacts]) -> Data:
    """Open the test data by the configuration of the first run that has one.

    Raises:
        ValueError: if no run has a configuration, or the data set no longer exists.
    """
    recorded = [run for run in runs if run.config]
    if not recorded:
        raise ValueError("no run left its configuration")
    trained = trained_run(recorded[0].folder)
    parser = load_parser(trained, recorded[0].trust_record)
    # the teacher's label maps, where the data set has no labels
    parser["validate::reference"] = f"$data.reference_folder({str(trained.path)!r})"
    try:
        entries = parser.get_parsed_content("test::data")
        preprocessing = parser.get_parsed_content("validate::preprocessing")
    except Exception as error:  # MONAI wraps whatever error a configuration causes
        raise ValueError(one_line_errors(error) or f"{type(error).__name__}: {error}") from error
    names, window = (parser.get_parsed_content(name) if name in parser.get() else () for name in ("channels", "window"))
    limits = (float(np.min(window)), float(np.max(window))) if window else None
    by_case = {str(entry["case"]): entry for entry in entries}
    return Data(by_case, preprocessing, names if len(names) > 1 else (), limits)


def mean_dice(table: pd.DataFrame) -> pd.Series:
    """Return the Dice of each case in percent, mean over classes and runs, without cases that have no ground truth."""
    if not len(table):
        return pd.Series(dtype=float)
    return 100 * table.groupby("case")["dice"].mean().dropna()


def choose_cases(scores: pd.Series, data: Data, count: int) -> dict[str, str]:
    """Return cases with their ranks: the worst ones, the median and the best.

    Args:
        scores: case -> Dice.
        data: the test cases.
        count: number of cases at most; those beyond worst, median and best are further bad ones.
    """
    ordered = [str(case) for case in scores.sort_values(kind="stable").index if str(case) in data.entries]
    if not ordered or count < 1:
        return {}
    ends = {ordered[-1]: "best", ordered[len(ordered) // 2]: "median", ordered[0]: "worst"}
    kept = list(reversed(ends))[:count]
    others = [case for case in ordered if case not in ends][: count - len(kept)]
    return {case: ends.get(case, "") for case in ordered if case in kept or case in others}


def shown_cases(
    data: Data,
    ranks: Mapping[str, str],
    shown_runs: Mapping[str, RunFacts],
    tables: Mapping[str, pd.DataFrame],
    slices: int,
) -> tuple[list[ShownCase], list[str]]:
    """Return cases with the predictions of the shown runs, and sentences about missing predictions.

    Args:
        data: the test cases.
        ranks: case -> rank, in the order of the page.
        shown_runs: row -> run.
        tables: row -> metrics of that run.
        slices: number of slices of a volume at most.
    """
    labels: dict[str, dict[str, np.ndarray]] = {}
    sentences = []
    for row, run in shown_runs.items():
        try:
            labels[row], sentence = predictions(run.folder, [data.entries[name] for name in ranks], run.trust_record)
        except Exception as error:  # one run's missing model must not remove the others from the page
            sentence = f"no predictions: {one_line_errors(error) or error}"
        if sentence:
            sentences.append(f"{run.name}: {sentence}.")
    scores = {row: mean_dice(table) for row, table in tables.items()}
    cases = []
    for name, rank in ranks.items():
        layers = {row: of_row[name] for row, of_row in labels.items() if name in of_row}
        dice = {row: float(of_row[name]) for row, of_row in scores.items() if name in of_row.index}
        image, truth = data.read(name)
        shown = data.picture(name, image, truth.shape)
        case = _case(name, rank, shown, truth, layers, dice, slices, data.channels)
        grid = geometry(image, truth.shape)
        if grid is not None:
            case.volumes = volume_texts(tables, name)
            case.facts = _facts(grid, data.window, case.volumes.pop("", ""))
        case.grid, case.boxes = grid, target_box([truth, *(x for x in layers.values() if x.shape == truth.shape)], grid)
        cases.append(case)
    return cases, sentences


def _case(
    name: str,
    rank: str,
    image: np.ndarray,
    truth: np.ndarray,
    layers: Mapping[str, np.ndarray],
    dice: dict[str, float],
    count: int,
    channels: Sequence[str],
) -> ShownCase:
    fitting = {row: layer for row, layer in layers.items() if layer.shape == truth.shape}
    images = np.split(image, len(channels)) if channels else [image]
    if truth.ndim == 2:
        numbers: list[int | None] = [None]
        first, total = 0, 1
    else:
        numbers, first = _slices(truth, list(fitting.values()), count)
        total = truth.shape[0]
    height, width = truth.shape[-2:]
    slices = [
        ShownSlice(
            number,
            [embed(scale_to_unit(_at(one, number), (float(one.min()), float(one.max())))) for one in images],
            outlines(_at(truth, number)),
            {row: outlines(_at(layer, number)) for row, layer in fitting.items()},
            {row: _errors(_at(truth, number), _at(layer, number)) for row, layer in fitting.items()},
        )
        for number in numbers
    ]
    return ShownCase(
        name, rank, dice, height, width, slices, first, total, channels, target_box([truth], None), None, [], {}
    )


def _facts(grid: Geometry, window: tuple[float, float] | None, volume: str) -> list[str]:
    shown = "" if window is None else f"window {window[0]:g} to {window[1]:g}".replace("-", "−")
    return [text for text in (f"voxels {grid.text}", shown, volume and f"ground truth {volume}") if text]


def _errors(truth: np.ndarray, layer: np.ndarray) -> tuple[str, str]:
    """Return the paths around pixels of a class that the prediction has not, and around those that it has wrongly."""
    return outline_path((truth > 0) & (layer != truth)), outline_path((layer > 0) & (layer != truth))


def _at(layer: np.ndarray, number: int | None) -> np.ndarray:
    return layer if number is None else layer[..., number, :, :]


def _slices(truth: np.ndarray, layers: Sequence[np.ndarray], count: int) -> tuple[list[int | None], int]:
    """Return slices spread over those with ground truth or prediction, and the index of the one with most ground truth."""
    holding = np.flatnonzero(np.any([(layer > 0).any(axis=(1, 2)) for layer in (truth, *layers)], axis=0))
    if not len(holding):
        holding = np.arange(truth.shape[0])
    fullest = int((truth > 0).sum(axis=(1, 2)).argmax()) if (truth > 0).any() else int(holding[len(holding) // 2])
    indices = np.unique(np.linspace(0, len(holding) - 1, min(count, len(holding))).round().astype(int))
    chosen = [int(number) for number in holding[indices]]
    if fullest not in chosen:
        nearest = min(range(len(chosen)), key=lambda index: abs(chosen[index] - fullest))
        chosen[nearest] = fullest
    return list(chosen), chosen.index(fullest)
