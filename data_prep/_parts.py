"""The parts of a split: none may be empty, and one without a target cannot choose a model."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from medkd.data import SPLITS

__all__ = ["check_parts", "warn_without_target"]


def check_parts(source: Path, parts: Mapping[str, Sequence[Any]], drawn: str) -> None:
    """Raise ValueError when a part has no case; ``drawn`` says how the split came about."""
    if empty := [part for part in SPLITS if not parts[part]]:
        raise ValueError(
            f"source {source}: no usable case for {' and '.join(empty)} ({drawn}), expected one at least; "
            "nothing was written."
        )


def warn_without_target(folder: Path, validation: Sequence[Mapping[str, Any]], labels: Mapping[str, str]) -> None:
    """Warn of classes that no validation case has: training would go on for long without a score to choose a model by."""
    classes = [value for value in labels if value != "0"]
    lacking = [labels[value] for value in classes if not any(_has(folder, entry, value) for entry in validation)]
    if lacking:
        names = ", ".join(lacking)
        warnings.warn(
            f"no validation case has {names}: the best model could not be chosen by it; split otherwise", stacklevel=3
        )


def _has(folder: Path, entry: Mapping[str, Any], value: str) -> bool:
    if "slices_with" in entry:
        return bool(entry["slices_with"].get(value, True))  # masks that were read without a class do not lack it
    with Image.open(folder / entry["label"]) as mask:
        return int(value) in mask.tobytes()
