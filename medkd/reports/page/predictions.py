"""Predictions of a run for some cases: the stored ones, or new ones by its own configuration."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from medkd.configs.plain import as_literal
from medkd.io import read_prediction
from medkd.networks import load_weights
from medkd.runs.folder import RunFolder
from medkd.runs.rebuild import load_parser

__all__ = ["predictions"]


def predictions(
    folder: Path, entries: Sequence[Mapping[str, Any]], trust_record: bool = False
) -> tuple[dict[str, np.ndarray], str]:
    """Return the predictions of a run, and compute those that it did not store.

    Args:
        folder: of a run that has ended.
        entries: of the data list, one for each case.
        trust_record: see `medkd.runs.load_parser`.

    Returns:
        Case -> labels (*spatial), and a sentence about computed predictions, or an empty text.

    Raises:
        FileNotFoundError: if predictions are missing, and the model or its data too.
        ValueError: if the model does not fit its configuration.
    """
    run = RunFolder(folder)
    num_classes = run.require_metrics()["class"].nunique() + 1
    labels: dict[str, np.ndarray] = {}
    missing = []
    for entry in entries:
        if (prediction := read_prediction(run.predictions, str(entry["case"]), num_classes)) is None:
            missing.append(entry)
        else:
            labels[str(entry["case"])] = prediction
    if not missing:
        return labels, ""
    start = time.monotonic()
    with TemporaryDirectory() as temporary:
        _predict(Path(folder), missing, Path(temporary), trust_record)
        for entry in missing:
            prediction = read_prediction(RunFolder(temporary).predictions, str(entry["case"]), num_classes)
            if prediction is None:
                raise FileNotFoundError(f"run {folder}: no prediction of case {entry['case']}")
            labels[str(entry["case"])] = prediction
    seconds = time.monotonic() - start
    return labels, f"{len(missing)} prediction(s) were not stored and computed from model.pt in {seconds:.0f} s"


def _predict(folder: Path, entries: Sequence[Mapping[str, Any]], output_dir: Path, trust_record: bool) -> None:
    """Repeat the test of the run on some cases, without its handlers."""
    parser = load_parser(RunFolder(folder), trust_record)
    parser["output_dir"] = str(output_dir)
    parser["test"]["data"] = [as_literal(dict(entry)) for entry in entries]
    parser["test"]["handlers"] = []
    load_weights(parser.get_parsed_content("network"), folder)
    parser.get_parsed_content("test::evaluator").run()
