"""The form of a data list: a stranger, or another program, may have written the file."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from medkd.io import image_files
from medkd.runs.case_names import check_case_name

from .splits import SPLITS

__all__ = ["UNLABELLED", "check_form"]

UNLABELLED = "unlabelled"  # key of the images without labels
_REQUIRED = ("image", "label", "case", "patient")


def check_form(path: Path, datalist: Mapping[str, Any]) -> None:
    """Check the kinds of the values that are read, and that the cases have names that can be those of files.

    Args:
        path: of the file, for messages.
        datalist: its content.

    Raises:
        ValueError: for the first value of another kind.
    """
    labels = datalist.get("labels", {})
    if not isinstance(labels, dict) or not all(_is_index(key) and isinstance(labels[key], str) for key in labels):
        raise ValueError(f"{path}: labels: found {str(labels)[:80]}, expected label values with their names")
    lists = (*SPLITS, UNLABELLED)
    for name in lists:
        if not isinstance(datalist.get(name, []), list):
            raise ValueError(f"{path}: {name}: found {str(datalist[name])[:80]}, expected a list of cases")
        for entry in datalist.get(name, []):
            _check_entry(path, entry, name != UNLABELLED and not datalist.get("without_labels"))
    _check_channels(path, [entry for name in lists for entry in datalist.get(name, [])])


def _check_entry(path: Path, entry: Any, is_labelled: bool) -> None:
    required = {*_REQUIRED} if is_labelled else {*_REQUIRED} - {"label"}
    if not isinstance(entry, dict) or not required <= entry.keys():
        raise ValueError(f"{path}: the entry {str(entry)[:80]} lacks one of {', '.join(sorted(required))}")
    if not is_labelled and (found := {"label", "slices_with"} & entry.keys()):
        raise ValueError(
            f"{path}: {UNLABELLED}: found {', '.join(sorted(found))} in {str(entry)[:80]}, expected no label"
        )
    try:
        entry["case"] = check_case_name(entry["case"])
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    for key, (is_valid, expected) in _KINDS.items():
        if key in entry and not is_valid(entry[key]):
            raise ValueError(f"{path}: case {entry['case']}: {key}: found {str(entry[key])[:80]}, expected {expected}")


def _check_channels(path: Path, entries: Sequence[Mapping[str, Any]]) -> None:
    for entry in entries:
        found, expected = (len(image_files(one["image"])) for one in (entry, entries[0]))
        if found != expected:
            raise ValueError(
                f"{path}: case {entry['case']}: found {found} images, expected {expected} as in case {entries[0]['case']}"
            )


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_count(value: Any, least: int = 1) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value < 2**31


def _is_index(value: Any) -> bool:
    """Return whether a key of a JSON object is a whole number from 0 on."""
    return isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 10


def _is_shape(value: Any) -> bool:
    # no format of volumes has longer edges; each slice becomes an item of the data set
    return isinstance(value, list) and len(value) == 3 and all(_is_count(edge) and edge < 2**16 for edge in value)


def _is_spacing(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 3
        and all(isinstance(mm, int | float) and not isinstance(mm, bool) and abs(mm) < math.inf for mm in value)
    )


def _is_slices(value: Any) -> bool:
    return isinstance(value, dict) and all(
        _is_index(key) and isinstance(slices, list) and all(_is_count(index, 0) for index in slices)
        for key, slices in value.items()
    )


def _is_image(value: Any) -> bool:
    return _is_text(value) or isinstance(value, list) and len(value) > 0 and all(map(_is_text, value))


_KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "image": (_is_image, "a path, or a list with one for each channel"),
    "label": (_is_text, "a path"),
    "patient": (_is_text, "a name"),
    "shape": (_is_shape, "three whole numbers from 1 to 65535"),
    "spacing": (_is_spacing, "three finite numbers, in mm"),
    "slices_with": (_is_slices, "label values with lists of slices"),
}
