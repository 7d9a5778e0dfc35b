"""The split of a data set: which case is in training, validation and test, and who its patient is."""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from PIL import Image

from medkd.data import SPLITS, VALIDATION_SHARE, natural_key, split_cases
from medkd.io.paths import PathLike

from ._cases import DiscoveredCases
from ._patient_names import patients_in_names
from ._patients import is_table, read_patients

__all__ = [
    "check_splits",
    "hold_out",
    "require_published",
    "save_split",
    "split_discovered",
    "warn_without_target",
]


def split_discovered(
    cases: DiscoveredCases,
    split: PathLike,
    fold: int,
    folds: int,
    seed: int,
    same_patient: Mapping[str, str] = MappingProxyType({}),
    others: bool = False,
) -> dict[str, list[str]]:
    """Return the case names of each split; a table of patients, or their names, also set the patients of the cases.

    Args:
        cases: the discovered cases.
        split: the kind of the split, see `medkd.data.split_cases`; the name of the published split; a JSON file; or a table
            of patients, see `read_patients`.
        fold: number of the test fold.
        folds: number of folds.
        seed: seed of the random split.
        same_patient: case -> patient, of cases that turned out to show one image. What a file or the publishers assigned
            stays as it is.
        others: whether a table may list images without labels too.

    Warns:
        UserWarning: names that state patients, see `patients_in_names`, are not believed, because no such split is possible.
    """
    if is_table(split):
        listed, splits = read_patients(Path(split), cases.patients, others)
        cases.patients.update(listed)
        merged = {case: same_patient.get(case, patient) for case, patient in listed.items()}
        return splits or split_cases(merged, "random", fold, folds, seed)
    merged = {**cases.patients, **same_patient}
    if split == cases.split_name and not cases.drawn_as:
        return _published(cases, merged)
    kind = cases.drawn_as if split == cases.split_name else split
    patients = merged if kind in ("random", "sorted") else cases.patients
    named = _named_patients(cases)
    if not named:
        return split_cases(patients, kind, fold, folds, seed)
    try:
        splits = split_cases({**named, **same_patient} if patients is merged else named, kind, fold, folds, seed)
    except ValueError as error:  # a file that tears a patient apart, too few patients for the folds, or a bad file
        refusal = str(error)
    else:
        cases.patients.update(named)
        return splits
    splits = split_cases(patients, kind, fold, folds, seed)
    warnings.warn(f"each case is taken for a patient, other than its name says: {refusal}", stacklevel=3)
    return splits


def _named_patients(cases: DiscoveredCases) -> dict[str, str]:
    """Return the patients that the names of the cases state, where nothing else does."""
    return patients_in_names(cases.patients) if all(case == name for case, name in cases.patients.items()) else {}


def _published(cases: DiscoveredCases, patient_of: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the published split; names set the patients of the cases, unless the publishers put one into two splits."""

    def splits(patients: Mapping[str, str]) -> dict[str, list[str]]:
        published = _with_validation(cases, patients)
        return {name: [case for case in cases.patients if published.get(case) == name] for name in SPLITS}

    if not (named := _named_patients(cases)):
        return splits(patient_of)
    of_names = splits({**patient_of, **named})
    counts = Counter(name for part in of_names.values() for name in {named[case] for case in part})
    if torn := min((name for name, count in counts.items() if count > 1), default=None):
        reason = f"the published split has {torn} in several parts"
        warnings.warn(f"each case is taken for a patient, other than its name says: {reason}", stacklevel=4)
        return splits(patient_of)
    cases.patients.update(named)
    if cases.validation_seed is not None:
        hold_out(cases, cases.validation_seed)  # again: of these patients
    return of_names


def check_splits(source: Path, splits: Mapping[str, Sequence[Any]], origin: str) -> None:
    """Raise ValueError when a split has no case; ``origin`` says how the split came about."""
    if empty := [split for split in SPLITS if not splits[split]]:
        raise ValueError(
            f"{source}: no usable case for {' and '.join(empty)} ({origin}), expected one at least; nothing was written"
        )


def save_split(
    folder: Path, listed: Mapping[str, Sequence[Mapping[str, Any]]], origin: Mapping[str, Any], left_out: Sequence[str]
) -> None:
    """Write ``split.json``, which is accepted as ``split=`` again.

    Args:
        folder: folder of the data set.
        listed: split -> entries of the data list.
        origin: how the split was made: its name, fold, seed and so on.
        left_out: case names that no split has.
    """
    names = {split: [entry["case"] for entry in listed[split]] for split in SPLITS}
    content = {**origin, **names, "left_out": list(left_out)}
    (folder / "split.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def warn_without_target(folder: Path, validation: Sequence[Mapping[str, Any]], labels: Mapping[str, str]) -> None:
    """Warn of classes that no validation case has: training would run without a score to choose a model by."""
    values = [value for value in labels if value != "0"]
    absent = [labels[value] for value in values if not any(_has_value(folder, entry, value) for entry in validation)]
    if absent:
        names = ", ".join(absent)
        warnings.warn(
            f"no validation case has {names}: the best model could not be chosen by it; split otherwise", stacklevel=3
        )


def _has_value(folder: Path, entry: Mapping[str, Any], value: str) -> bool:
    if "slices_with" in entry:
        return bool(entry["slices_with"].get(value, True))  # masks that never hold a class do not lack it
    with Image.open(folder / entry["label"]) as mask:
        return int(value) in mask.tobytes()


def require_published(source: PathLike, cases: DiscoveredCases, split: PathLike, files: str) -> None:
    """Raise ValueError when the published split is requested and these files have none.

    Args:
        source: the source, for the message.
        cases: the discovered cases.
        split: the value of ``--split``.
        files: the files that have no published split, for the message.
    """
    if split == "published" and not cases.published:
        raise ValueError(
            f"--source {source}: no published split for {files}; use --split random, sorted, a JSON file or a CSV"
        )


def hold_out(cases: DiscoveredCases, seed: int) -> None:
    """Sample a tenth of the published training patients (at least one) for validation, when the cases are split.

    Refused cases take part in the sampling: a file that is repaired later moves no other case.
    """
    cases.validation_seed = seed
    patients = {cases.patients[case] for case, split in cases.published.items() if split == "training"}
    share = f"{_validation_count(patients)} of {len(patients)} training patients"
    cases.held_out = f"validation: {share}, drawn by the seed; not published"


def _validation_count(patients: Collection[str]) -> int:
    return max(1, round(VALIDATION_SHARE * len(patients)))


def _with_validation(cases: DiscoveredCases, patient_of: Mapping[str, str]) -> dict[str, str]:
    """Return case -> split of the published split, with the validation cases that `hold_out` asked for."""
    if cases.validation_seed is None:
        return cases.published
    training = [case for case, split in cases.published.items() if split == "training"]
    patients = sorted({patient_of[case] for case in training}, key=natural_key)
    order = np.random.default_rng(cases.validation_seed).permutation(len(patients))
    chosen = {patients[k] for k in order[: _validation_count(patients)]}
    return {**cases.published, **{case: "validation" for case in training if patient_of[case] in chosen}}
