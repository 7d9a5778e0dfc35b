"""The data list of a prepared data set (``datalist.json``, with Decathlon keys).

For each split it holds entries ``{"image", "label", "case", "patient"}`` with paths relative to the file's folder; an
image of several channels is a list with one path for each. All
files lie below that folder; what was prepared elsewhere may have a link in it.
Entries of volumes also have ``"shape"`` (S, H, W), ``"spacing"`` in mm (slice, row, column) and ``"slices_with"``: for
each label value (a string, as JSON keys are) the indices of the slices that hold it. Where there
are images without labels, ``"unlabelled"`` lists them, with the same keys except ``"label"`` and ``"slices_with"``. Beside the
splits the file holds properties of the data set: ``"labels"`` (label value to name), and what `medkd prepare nifti` proposes.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from medkd.io import image_files, one_or_list
from medkd.io.paths import PathLike
from medkd.runs.files import write_atomically

from .datalist_form import UNLABELLED, check_form
from .splits import SPLITS, check_leaks, read_json

__all__ = [
    "subsample_cases",
    "load_datalist",
    "load_unlabelled",
    "read_datalist",
    "reference_path",
    "save_datalist",
    "write_datalist",
]

FILE_NAME = "datalist.json"
WITHOUT_LABELS = "without_labels"  # key of a data set in which no case has a label


def load_datalist(dataset_dir: PathLike, split: str, reference: PathLike | None = None) -> list[dict[str, Any]]:
    """Return the entries of one split of a prepared data set, with absolute paths.

    Args:
        dataset_dir: folder of the prepared data set.
        split: ``"training"``, ``"validation"`` or ``"test"``.
        reference: of a data set without labels, the folder of a teacher's label maps, which stand in their place.

    Raises:
        FileNotFoundError: no such folder, no ``datalist.json`` in it, a missing image or label.
        ValueError: an unknown or empty split, unreadable JSON, a patient or an image in two splits, a file outside the folder,
            a case name that is no file name (`check_case_name`).
    """
    folder = Path(dataset_dir).resolve()
    if split not in SPLITS:
        raise ValueError(f"{split!r} is no split, expected one of {', '.join(SPLITS)}")
    datalist = read_datalist(dataset_dir)
    check_leaks(datalist, folder)
    if datalist.get(WITHOUT_LABELS):
        if reference is None or split == "training":
            raise ValueError(
                f"--dataset_dir {dataset_dir}: found a data set without labels, expected one with labels; a student learns "
                "from a teacher alone by `medkd distill --teacher PATH --training_cases 0`"
            )
        labels = {entry["case"]: reference_path(reference, entry) for entry in datalist.get(split, [])}
        if missing := next((path for path in labels.values() if not Path(path).is_file()), None):
            raise FileNotFoundError(
                f"{missing}: no such label map of the teacher, with which a data set without labels is measured: expected the "
                "folder of a run that was distilled on this data set"
            )
        entries = [_with_absolute_paths(folder, entry) for entry in datalist.get(split, [])]
        return [{**entry, "label": labels[entry["case"]]} for entry in entries]
    if not datalist.get(split):
        raise ValueError(f"{folder / FILE_NAME}: the split {split!r} is empty")
    return [_with_absolute_paths(folder, entry) for entry in datalist[split]]


def reference_path(folder: PathLike, entry: Mapping[str, Any]) -> str:
    """Return the path of a teacher's label map of a case.

    Args:
        folder: of the label maps.
        entry: of the data list.
    """
    is_volume = image_files(entry["image"])[0].endswith(".b2nd")
    return str(Path(folder).resolve() / f"{entry['case']}{'.b2nd' if is_volume else '.png'}")


def load_unlabelled(dataset_dir: PathLike) -> list[dict[str, Any]]:
    """Return the entries of the images without labels, with absolute paths; an empty list where there are none.

    Args:
        dataset_dir: folder of the prepared data set.

    Raises:
        FileNotFoundError: no such folder, no ``datalist.json`` in it, a missing image.
        ValueError: as in `load_datalist`; an image that is one of validation or test.
    """
    folder = Path(dataset_dir).resolve()
    datalist = read_datalist(dataset_dir)
    check_leaks(datalist, folder)
    return [_with_absolute_paths(folder, entry) for entry in datalist.get(UNLABELLED, [])]


def _with_absolute_paths(folder: Path, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry with the absolute paths of its files, all of which exist."""
    files = {
        key: [_file_below(folder, entry, key, name) for name in image_files(entry[key])]
        for key in ("image", "label")
        if key in entry
    }
    for key, paths in files.items():
        for path in paths:
            if not Path(path).is_file():
                raise FileNotFoundError(f"{path}: the {key} of case {entry['case']} is missing")
    return {**entry, **{key: one_or_list(paths) for key, paths in files.items()}}


def subsample_cases(entries: Sequence[dict[str, Any]], count: int | None, seed: int) -> list[dict[str, Any]]:
    """Sample training cases, to train with few labels.

    With one seed, a smaller sample is a subset of a larger one.

    Args:
        entries: entries of the data list.
        count: number of entries to sample; None: all.
        seed: seed of the sampling.

    Returns:
        The sampled entries, in their order.

    Raises:
        ValueError: for a count below 1 or above the number of entries.

    Example:
        >>> [entry["case"] for entry in subsample_cases([{"case": "a"}, {"case": "b"}, {"case": "c"}], 2, seed=0)]
        ['a', 'c']
    """
    if count is None:
        return list(entries)
    if not 1 <= count <= len(entries):
        instead = "" if count else "; without a label a student learns by medkd distill"
        raise ValueError(
            f"--training_cases {count}: expected 1 to {len(entries)}, the training cases of the data set{instead}"
        )
    indices = np.random.default_rng(seed).permutation(len(entries))[:count]
    return [entries[index] for index in sorted(indices)]


def read_datalist(dataset_dir: PathLike) -> dict[str, Any]:
    """Return the content of a data set's ``datalist.json``, after the check of its form.

    Raises:
        FileNotFoundError: no such folder, no ``datalist.json`` in it.
        ValueError: unreadable JSON, or values of another kind.
    """
    if not Path(dataset_dir).is_dir():
        raise FileNotFoundError(f"--dataset_dir {dataset_dir}: no such folder")
    path = Path(dataset_dir) / FILE_NAME
    if not path.is_file():
        raise FileNotFoundError(f"--dataset_dir {dataset_dir}: no {FILE_NAME} in it; run `medkd prepare` first")
    datalist = read_json(path)
    check_form(path, datalist)
    return datalist


def _file_below(folder: Path, entry: Mapping[str, Any], key: str, name: str) -> str:
    """Return the path of a file of an entry, which must lie below the folder; links in the folder are followed."""
    file = os.path.normpath(folder / name)
    if not Path(file).is_relative_to(folder):
        raise ValueError(
            f"{folder / FILE_NAME}: case {entry['case']}: found {key} {name[:80]!r}, expected a path below {folder}"
        )
    return file


def save_datalist(
    dataset_dir: PathLike,
    splits: Mapping[str, Sequence[Mapping[str, Any]]],
    *,
    name: str,
    description: str,
    modality: Mapping[str, str],
    labels: Mapping[str, str],
    **extra: Any,
) -> Path:
    """Write ``datalist.json``, after the check for leaks, and return its path.

    Args:
        dataset_dir: folder of the data set.
        splits: entries of ``training``, ``validation`` and ``test``, and perhaps ``unlabelled``; paths relative to
            ``dataset_dir``.
        name: name of the data set.
        description: one sentence on the stored data.
        modality: channel number to name, e.g. ``{"0": "CT"}``.
        labels: label value to name.
        **extra: further keys, stored as they are.

    Raises:
        ValueError: when a patient or a case is in two splits.
    """
    datalist = {
        "name": name,
        "description": description,
        "modality": dict(modality),
        "labels": dict(labels),
        "numTraining": len(splits["training"]),
        "numTest": len(splits["test"]),
        **{split: list(splits[split]) for split in SPLITS},
        **({UNLABELLED: list(splits[UNLABELLED])} if splits.get(UNLABELLED) else {}),
        **extra,
    }
    return write_datalist(dataset_dir, datalist)


def write_datalist(dataset_dir: PathLike, datalist: Mapping[str, Any]) -> Path:
    """Write or replace ``datalist.json``, after the check for leaks, and return its path.

    Raises:
        ValueError: see `check_leaks`.
    """
    check_leaks(datalist, dataset_dir)
    path = Path(dataset_dir) / FILE_NAME
    # Lists of numbers go on one line: in JSON only numbers begin or end with a digit beside a line break.
    text = re.sub(r"\n\s*(?=-?\d)|(?<=\d)\n\s*(?=\])", "", json.dumps(datalist, indent=1))
    write_atomically(path, lambda temporary: temporary.write_text(text + "\n", encoding="utf-8"))
    return path
