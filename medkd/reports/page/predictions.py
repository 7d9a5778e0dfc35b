"""Predictions of a run for some cases: those that it kept, or computed anew by its own configuration."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image

from medkd.io import read_nifti
from medkd.networks import load_weights
from medkd.runs.folder import RunFolder

__all__ = ["predictions"]


def predictions(folder: Path, entries: Sequence[Mapping[str, Any]]) -> tuple[dict[str, np.ndarray], str]:
    """Case -> labels (*spatial), and a sentence where they had to be computed anew.

    Args:
        folder: of a run that ended.
        entries: of the data list, of the cases wanted.

    Raises:
        FileNotFoundError, ValueError: when predictions are missing, and the model or its data too.
    """
    kept = RunFolder(folder).predictions
    found = {str(entry["case"]): _read(kept, str(entry["case"])) for entry in entries}
    missing = [entry for entry in entries if found[str(entry["case"])] is None]
    if not missing:
        return found, ""
    begun = time.monotonic()
    with TemporaryDirectory() as temporary:
        _predict(Path(folder), missing, Path(temporary))
        for entry in missing:
            found[str(entry["case"])] = _read(RunFolder(temporary).predictions, str(entry["case"]))
    seconds = time.monotonic() - begun
    return found, f"{len(missing)} prediction(s) were not kept and computed anew from model.pt in {seconds:.0f} s"


def _read(folder: Path, case: str) -> np.ndarray | None:
    volume, picture = folder / f"{case}.nii.gz", folder / f"{case}.png"
    if volume.is_file():
        return np.asarray(read_nifti(volume)[0])
    return np.asarray(Image.open(picture)) if picture.is_file() else None


def _predict(folder: Path, entries: Sequence[Mapping[str, Any]], output_dir: Path) -> None:
    """The test of the run once more, on these cases alone and without its handlers."""
    parser = RunFolder(folder).load_parser()
    parser["output_dir"] = str(output_dir)
    parser["test"]["data"] = [dict(entry) for entry in entries]
    parser["test"]["handlers"] = []
    load_weights(parser.get_parsed_content("network"), folder)
    parser.get_parsed_content("test::evaluator").run()
