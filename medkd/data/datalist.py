"""The data list of a prepared data set (Decathlon keys), patient-level splits, and the check for leaks between parts.

``datalist.json`` holds, for each part, entries ``{"image", "label", "case", "patient"}`` with paths relative to the
file's folder; CT entries also ``"shape"`` (S, H, W), ``"spacing"`` in mm (slice, row, column) and ``"slices_with"``:
for each label value (a string, as JSON keys are) the indices of the slices that hold it. Beside the parts lie properties of
the data set: ``"labels"`` (label value to name) and what `medkd prepare nifti` proposes.
"""

from __future__ import annotations

import json
import re
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import PathLike

__all__ = [
    "SPLITS",
    "VALIDATION_SHARE",
    "check_leaks",
    "data_classes",
    "data_values",
    "dataset_property",
    "subsample_cases",
    "load_datalist",
    "natural_key",
    "save_datalist",
    "split_cases",
]

SPLITS = ("training", "validation", "test")
FILE_NAME = "datalist.json"
VALIDATION_SHARE = 0.1


def load_datalist(dataset_dir: PathLike, part: str) -> list[dict[str, Any]]:
    """Return the entries of one part of a prepared data set, with absolute paths.

    Raises:
        FileNotFoundError: no such folder, no ``datalist.json`` in it, an image or label that is gone.
        ValueError: unknown or empty part, unreadable JSON, a patient in two parts.
    """
    folder = Path(dataset_dir).resolve()
    if part not in SPLITS:
        raise ValueError(f"part {part!r} is unknown, expected one of {', '.join(SPLITS)}.")
    datalist = _read_datalist(dataset_dir)
    check_leaks(datalist)
    if not datalist.get(part):
        raise ValueError(f"{folder / FILE_NAME}: the part {part!r} is empty.")
    entries = []
    for entry in datalist[part]:
        paths = {key: str(folder / entry[key]) for key in ("image", "label")}
        for key, path in paths.items():
            if not Path(path).is_file():
                raise FileNotFoundError(f"{path}: the {key} of case {entry['case']} is missing.")
        entries.append({**entry, **paths})
    return entries


def subsample_cases(entries: Sequence[dict[str, Any]], count: int | None, seed: int) -> list[dict[str, Any]]:
    """Return ``count`` entries drawn by the seed, in their order: what a student with few labels has. None: all.

    With one seed, a smaller draw is a part of a larger one.

    Raises:
        ValueError: for a count below 1 or above the number of entries.
    """
    if count is None:
        return list(entries)
    if not 1 <= count <= len(entries):
        raise ValueError(f"training_cases {count}: expected 1 to {len(entries)}, the training cases of the data set.")
    drawn = np.random.default_rng(seed).permutation(len(entries))[:count]
    return [entries[index] for index in sorted(drawn)]


def dataset_property(dataset_dir: PathLike, name: str) -> Any:
    """Return one key of ``datalist.json``, such as ``"labels"`` or ``"window"``.

    Raises:
        FileNotFoundError, ValueError: no data set, or one that was prepared without that key.
    """
    datalist = _read_datalist(dataset_dir)
    if name not in datalist:
        raise ValueError(f"{Path(dataset_dir) / FILE_NAME}: no {name!r} in it; prepare the data set again.")
    return datalist[name]


def data_values(dataset_dir: PathLike, target: str = "all") -> dict[int, int]:
    """Return stored label value -> class for ``"all"`` labels of a data set, or for the label of one name (class 1).

    Raises:
        ValueError: a name that no label of the data set has.
    """
    labels = {int(value): name for value, name in dataset_property(dataset_dir, "labels").items()}
    names = [name for value, name in labels.items() if value > 0]
    if target != "all" and target not in names:
        raise ValueError(f"target {target!r} is unknown, expected all or one of {', '.join(names)}.")
    return {value: value if target == "all" else int(value > 0 and name == target) for value, name in labels.items()}


def data_classes(dataset_dir: PathLike, target: str = "all") -> dict[int, str]:
    """Return class -> name of the foreground classes of `data_values`."""
    labels = dataset_property(dataset_dir, "labels")
    return {number: labels[str(value)] for value, number in data_values(dataset_dir, target).items() if number > 0}


def _read_datalist(dataset_dir: PathLike) -> dict[str, Any]:
    if not Path(dataset_dir).is_dir():
        raise FileNotFoundError(f"dataset_dir {dataset_dir}: no such folder.")
    path = Path(dataset_dir) / FILE_NAME
    if not path.is_file():
        raise FileNotFoundError(f"dataset_dir {dataset_dir}: no {FILE_NAME} in it; run `medkd prepare` first.")
    datalist = _read_json(path)
    required = {"image", "label", "case", "patient"}
    for entry in [entry for part in SPLITS for entry in datalist.get(part, [])]:
        if not isinstance(entry, dict) or not required <= entry.keys():
            raise ValueError(f"{path}: the entry {str(entry)[:80]} lacks one of {', '.join(sorted(required))}.")
    return datalist


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not valid JSON ({error}).") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: holds a {type(content).__name__}, expected an object with {', '.join(SPLITS)}.")
    return content


def save_datalist(
    dataset_dir: PathLike,
    parts: Mapping[str, Sequence[Mapping[str, Any]]],
    *,
    name: str,
    description: str,
    modality: Mapping[str, str],
    labels: Mapping[str, str],
    **extra: Any,
) -> Path:
    """Write ``datalist.json`` into ``dataset_dir``, checked for leaks; ``extra`` keys are stored as they are.

    Args:
        parts: entries of ``training``, ``validation`` and ``test``; paths relative to ``dataset_dir``.
        modality: channel number to name, e.g. ``{"0": "CT"}``; labels: label value to name.
    """
    datalist = {
        "name": name,
        "description": description,
        "modality": dict(modality),
        "labels": dict(labels),
        "numTraining": len(parts["training"]),
        "numTest": len(parts["test"]),
        **{part: list(parts[part]) for part in SPLITS},
        **extra,
    }
    check_leaks(datalist)
    path = Path(dataset_dir) / FILE_NAME
    # A list of numbers on one line: only numbers start with, or end on, a digit beside a line break in JSON.
    text = re.sub(r"\n\s*(?=-?\d)|(?<=\d)\n\s*(?=\])", "", json.dumps(datalist, indent=1))
    path.write_text(text + "\n", encoding="utf-8")
    return path


def check_leaks(datalist: Mapping[str, Any]) -> None:
    """Raise ValueError when a patient, or a case, is in two parts (or a case twice in one)."""
    seen: dict[str, tuple[str, str]] = {}
    cases: dict[str, str] = {}
    for part in SPLITS:
        for entry in datalist.get(part, []):
            patient, case = str(entry["patient"]), str(entry["case"])
            if case in cases:
                raise ValueError(f"case {case} is listed twice: in {cases[case]} and in {part}.")
            cases[case] = part
            first_part, first_case = seen.setdefault(patient, (part, case))
            if first_part != part:
                raise ValueError(
                    f"patient {patient} is in {first_part} (case {first_case}) and in {part} (case {case}): "
                    "a score on the one would be helped by the other; split by patient."
                )


def split_cases(
    patients: Mapping[str, str], split: PathLike = "random", fold: int = 0, folds: int = 5, seed: int = 0
) -> dict[str, list[str]]:
    """Split cases into training, validation and test so that no patient is in two of them.

    Test is fold ``fold`` of ``folds``; validation the first tenth (at least one) of the other patients, in the order
    that the folds were cut from; training the rest.

    Args:
        patients: case name to patient name.
        split: ``"random"``: patients permuted by ``seed``; ``"sorted"``: patients in natural order of their names, so
            that neighbours (often one session or one video) stay together; or the path of a JSON file with the lists
            of case names ``training``, ``validation``, ``test``. ``fold``, ``folds`` and ``seed`` do not act on a file;
            cases that it leaves out are warned about and are in no part.
    """
    if split not in ("random", "sorted"):
        return _split_from_file(patients, Path(split))
    names = sorted(set(patients.values()), key=natural_key)
    if not (folds >= 2 and 0 <= fold < folds):
        raise ValueError(f"fold {fold} of {folds}: expected folds >= 2 and 0 <= fold < folds.")
    if len(names) < max(3, folds):
        raise ValueError(
            f"{len(names)} patients cannot be split into {folds} folds, a validation and a training part: expected "
            f"at least {max(3, folds)} (or other folds)."
        )
    if split == "random":
        names = [names[k] for k in np.random.default_rng(seed).permutation(len(names))]
    # Contiguous folds: in the sorted order neighbours stay together; in a permuted order it makes no difference.
    test = [names[k] for k in np.array_split(np.arange(len(names)), folds)[fold]]
    rest = [name for name in names if name not in set(test)]
    count = max(1, round(VALIDATION_SHARE * len(rest)))
    chosen = {"training": rest[count:], "validation": rest[:count], "test": test}
    if not chosen["training"]:
        raise ValueError(f"{len(names)} patients in {folds} folds: no patient is left for training.")
    cases = sorted(patients, key=natural_key)
    return {part: [case for case in cases if patients[case] in set(chosen[part])] for part in SPLITS}


def _split_from_file(patients: Mapping[str, str], path: Path) -> dict[str, list[str]]:
    if not path.is_file():
        raise FileNotFoundError(f"split {str(path)!r}: neither 'random' nor 'sorted' nor an existing JSON file.")
    content = _read_json(path)
    for part in SPLITS:
        names = content.get(part)
        if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
            raise ValueError(f"{path}: {part!r} must be a list of at least one case name.")
    parts = {part: list(content[part]) for part in SPLITS}
    listed = [name for part in SPLITS for name in parts[part]]
    if unknown := [name for name in listed if name not in patients]:
        raise ValueError(f"{path}: no such case: {_some(unknown)}.")
    if repeated := [name for name, count in Counter(listed).items() if count > 1]:
        raise ValueError(f"{path}: listed more than once: {_some(repeated)}.")
    check_leaks({part: [{"case": name, "patient": patients[name]} for name in parts[part]] for part in SPLITS})
    if left_out := sorted(set(patients) - set(listed), key=natural_key):
        warnings.warn(f"{path}: {len(left_out)} cases are in no part: {_some(left_out)}.", stacklevel=3)
    return parts


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Sort key by which ``case_9`` comes before ``case_10``."""
    return [(0, int(token), "") if token.isdigit() else (1, 0, token) for token in re.findall(r"[0-9]+|[^0-9]+", name)]


def _some(names: Sequence[str], limit: int = 10) -> str:
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"
