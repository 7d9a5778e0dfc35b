"""What the soft-label correction of PLC-KD did in a run: its report and its pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from medkd.runs.folder import RunFolder

from .pictures import Picture, embed_file
from .runs import RunFacts

__all__ = ["Correction", "correction"]

STEPS = {"T": "teacher", "TA_f": "false-pixel assistant", "TA_b": "boundary assistant", "SC": "similarity"}
_SCORES = {
    "dice": "Dice, %",
    "right_on_false_negatives": "correct on T's false negatives, %",
    "right_on_false_positives": "correct on T's false positives, %",
    "wrong_where_teacher_right": "incorrect where T is correct, %",
}
_BEYOND = "information beyond T: Youden's index (95 % interval)"
_PICTURES = 3  # of a run


class Correction(NamedTuple):
    """One run of PLC-KD."""

    name: str
    heading: str
    errors: list[tuple[str, list[str]]]
    """Kind of error, and its count and share after each step."""
    scores: list[tuple[str, list[str]]]
    """Network, and its scores on the validation images."""
    columns: list[str]
    pictures: list[tuple[str, Picture]]
    """Case and picture of its soft labels along the chain."""
    left_out: int
    """Number of further pictures in the folder."""


def correction(run: RunFacts) -> Correction | None:
    """Return the correction of a run; None for a run without report and pictures."""
    report = RunFolder(run.folder).read_correction()
    files = sorted((run.folder / "figures").glob("soft_labels_*.png"))
    if report is None and not files:
        return None
    try:
        return _content(run, report or {}, files)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        file = RunFolder(run.folder).correction
        raise ValueError(f"{file}: found another content, expected the report of PLC-KD's correction") from error


def _content(run: RunFacts, report: dict[str, Any], files: Sequence[Path]) -> Correction:
    pixels = report.get("pixels", 0)
    images = f" of {report['images']} training images" if "images" in report else " of the training images"
    heading = f"Incorrect pixels among {pixels:,} pixels{images}, after each step of the correction." if pixels else ""
    errors = [
        (kind, [f"{stages[step]:,} ({stages[step] / pixels:.2%})" for step in STEPS])
        for kind, stages in report.get("wrong_pixels_after", {}).items()
    ]
    scores = [
        (f"{name}: {STEPS[name]}", [*(_percent(values.get(score)) for score in _SCORES), _beyond(values)])
        for name, values in report.get("on_validation_images", {}).items()
    ]
    pictures = [(_case(path), embed_file(path)) for path in files[:_PICTURES]]
    return Correction(
        run.name, heading, errors, scores, [*_SCORES.values(), _BEYOND], pictures, len(files) - len(pictures)
    )


def _case(file: Path) -> str:
    return file.stem.removeprefix("soft_labels_")


def _beyond(scores: dict[str, Any]) -> str:
    if scores.get("beyond_teacher") is None:
        return ""
    interval = scores.get("interval")
    return f"{scores['beyond_teacher']:.3f}" + (f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else "")


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"
