"""Splits by patient, and the check for leakage between them."""

from __future__ import annotations

import json
import os
import re
import unicodedata
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from medkd.io.paths import PathLike
from medkd.runs.errors import UsageError, counted

__all__ = ["SPLITS", "VALIDATION_SHARE", "check_leaks", "natural_key", "read_json", "split_cases"]

SPLITS = ("training", "validation", "test")
VALIDATION_SHARE = 0.1


def check_leaks(datalist: Mapping[str, Any], folder: PathLike = "") -> None:
    """Check that no patient and no image file is in two splits, and no case is listed twice.

    Args:
        datalist: split -> entries with ``"case"``, ``"patient"`` and perhaps ``"image"``; ``"unlabelled"``, which may share
            patients with training, likewise; other keys are ignored.
        folder: that the paths of images are relative to.

    Raises:
        ValueError: naming the patient or the cases.
    """
    patients: dict[str, tuple[str, str]] = {}
    images: dict[str, tuple[str, str]] = {}
    cases: dict[str, str] = {}
    for split in SPLITS:
        for entry in datalist.get(split, []):
            patient, case = str(entry["patient"]), str(entry["case"])
            if case in cases:
                raise ValueError(f"case {case} is listed twice: in {cases[case]} and in {split}")
            cases[case] = split
            first_split, first_case = patients.setdefault(patient, (split, case))
            if first_split != split:
                raise ValueError(
                    f"patient {patient} is in {first_split} (case {first_case}) and in {split} (case {case}): "
                    "a score on the one would be helped by the other; split by patient"
                )
            if "image" not in entry:
                continue
            files = entry["image"] if isinstance(entry["image"], list) else [entry["image"]]
            for image in files:
                file = os.path.realpath(os.path.join(folder, str(image)))  # two links can lead to one file
                first_split, first_case = images.setdefault(file, (split, case))
                if first_split != split:
                    raise ValueError(
                        f"image {image} is in {first_split} (case {first_case}) and in {split} (case {case}): "
                        "expected each image in one split"
                    )
    _check_unlabelled(datalist.get("unlabelled", []), folder, images, patients, cases)


def _check_unlabelled(
    entries: Sequence[Mapping[str, Any]],
    folder: PathLike,
    images: Mapping[str, tuple[str, str]],
    patients: Mapping[str, tuple[str, str]],
    cases: dict[str, str],
) -> None:
    """Check that no image without a label, and no patient of one, is in validation or test: a score would be helped."""
    for entry in entries:
        patient, case = str(entry["patient"]), str(entry["case"])
        if case in cases:
            raise ValueError(f"case {case} is listed twice: in {cases[case]} and in unlabelled")
        cases[case] = "unlabelled"
        for image in entry["image"] if isinstance(entry["image"], list) else [entry["image"]]:
            split, other = images.get(os.path.realpath(os.path.join(folder, str(image))), ("", ""))
            if split in ("validation", "test"):
                raise ValueError(
                    f"unlabelled image {image} (case {case}) is in {split} (case {other}): "
                    "expected no image of validation or test"
                )
        split, other = patients.get(patient, ("", ""))
        if split in ("validation", "test"):
            raise ValueError(
                f"patient {patient} is in unlabelled (case {case}) and in {split} (case {other}): "
                "a score there would be helped by it; expected no patient of validation or test"
            )


def split_cases(
    patients: Mapping[str, str], split: PathLike = "random", fold: int = 0, folds: int = 5, seed: int = 0
) -> dict[str, list[str]]:
    """Split cases into training, validation and test so that no patient is in two of them.

    Test is one fold. Validation is the first tenth (at least one) of the other patients, in the order of the folds.
    Training is the rest.

    Args:
        patients: case name to patient name.
        split: ``"random"``: patients permuted by ``seed``; ``"sorted"``: patients in natural order of their names, so
            that neighbours (often one session or one video) stay together; or the path of a JSON file with the lists
            of case names ``training``, ``validation``, ``test``. A warning names the cases that the file leaves out.
        fold: number of the test fold, from 0; without effect on a file.
        folds: number of folds, at least 2; without effect on a file.
        seed: seed of the permutation.

    Returns:
        The case names of each split, in natural order, or in the order of the file.

    Raises:
        FileNotFoundError: for a file that does not exist.
        ValueError: for fewer patients than folds, or a file with unknown, repeated or leaking cases.

    Example:
        >>> split_cases({f"case_{n}": f"patient_{n // 2}" for n in range(10)}, "sorted", folds=5)["test"]
        ['case_0', 'case_1']
    """
    if split not in ("random", "sorted"):
        return _split_from_file(patients, Path(split))
    names = sorted(set(patients.values()), key=natural_key)
    if folds < 2:
        raise UsageError(f"--folds {folds}: expected at least 2")
    if not 0 <= fold < folds:
        raise UsageError(f"--fold {fold}: found {folds} folds, expected 0 to {folds - 1}")
    if len(names) < max(3, folds):
        raise ValueError(
            f"{counted(len(names), 'patient')} cannot be split into {folds} folds, a validation and a training split: expected "
            f"at least {max(3, folds)} (or other --folds)"
        )
    if split == "random":
        names = [names[k] for k in np.random.default_rng(seed).permutation(len(names))]
    # Contiguous folds: in the sorted order neighbours stay together; in a permuted order it makes no difference.
    test = [names[k] for k in np.array_split(np.arange(len(names)), folds)[fold]]
    rest = [name for name in names if name not in set(test)]
    count = max(1, round(VALIDATION_SHARE * len(rest)))
    chosen = {"training": rest[count:], "validation": rest[:count], "test": test}
    if not chosen["training"]:
        raise ValueError(f"{counted(len(names), 'patient')} in {folds} folds: no patient is left for training")
    cases = sorted(patients, key=natural_key)
    return {name: [case for case in cases if patients[case] in set(chosen[name])] for name in SPLITS}


def _split_from_file(patients: Mapping[str, str], path: Path) -> dict[str, list[str]]:
    if not path.is_file():
        raise FileNotFoundError(f"--split {path}: neither random nor sorted nor an existing JSON file")
    content = read_json(path)
    if missing := [split for split in SPLITS if split not in content]:
        raise ValueError(f"{path}: found {_shorten(list(content)) or 'no list'}, expected {', '.join(missing)} too")
    splits = {split: _names(content[split], f"{path}: {split!r}") for split in SPLITS}
    listed = [name for split in SPLITS for name in splits[split]]
    if unknown := [name for name in listed if name not in patients]:
        known = _shorten(sorted(patients, key=natural_key), 3)
        raise ValueError(f"{path}: no such case: {_shorten(unknown)} (there are {known})")
    if repeated := [name for name, count in Counter(listed).items() if count > 1]:
        raise ValueError(f"{path}: listed more than once: {_shorten(repeated)}")
    check_leaks({split: [{"case": name, "patient": patients[name]} for name in splits[split]] for split in SPLITS})
    if left_out := sorted(set(patients) - set(listed), key=natural_key):
        warnings.warn(f"{path}: {counted(len(left_out), 'case')} in no split: {_shorten(left_out)}", stacklevel=3)
    return splits


def _names(value: Any, place: str) -> list[str]:
    """Return a list of case names as texts; cases that are named by a number may be listed as numbers."""
    names = value if isinstance(value, list) else []
    if not names or not all(isinstance(name, str | int) and not isinstance(name, bool) for name in names):
        raise ValueError(f"{place} must be a list of at least one case name")
    return [unicodedata.normalize("NFC", str(name)) for name in names]


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Return a sort key by which ``case_9`` comes before ``case_10``."""
    return [(0, int(token), "") if token.isdigit() else (1, 0, token) for token in re.findall(r"[0-9]+|[^0-9]+", name)]


def _shorten(names: Sequence[str], limit: int = 10) -> str:
    listed = ", ".join(names[:limit])
    return listed if len(names) <= limit else f"{listed} and {len(names) - limit} more"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object of its keys and values: json itself passes over all but the last value of a key."""
    if repeated := [key for key, count in Counter(key for key, _ in pairs).items() if count > 1]:
        raise ValueError(f"found {_shorten(repeated)} more than once in one object, expected each key once")
    return dict(pairs)


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file.

    Raises:
        ValueError: for invalid JSON, or another value than an object.
    """
    try:
        # of bytes, json finds the encoding: UTF-8 or 16, with a mark or without
        content = json.loads(path.read_bytes(), object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not valid JSON ({error})") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: holds a {type(content).__name__}, expected an object with {', '.join(SPLITS)}")
    return content
