"""The folds of nnU-Net, ``splits_final.json``, as a split into training, validation and test."""

from __future__ import annotations

import json
import unicodedata
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

from medkd.data import natural_key
from medkd.io.paths import PathLike
from medkd.runs.errors import counted

from ._cases import DiscoveredCases
from ._refusals import shortened
from ._splits import hold_out

__all__ = ["find_folds", "publish", "use_folds"]

FILE_NAME = "splits_final.json"


def find_folds(split: PathLike, name: str) -> Path | None:
    """Return the file of folds that ``--split`` names: the file, its folder, or ``nnUNet_preprocessed``; None for others.

    Args:
        split: value of ``--split``.
        name: name of the data set's folder, which is that in ``nnUNet_preprocessed`` too.

    Raises:
        FileNotFoundError: a folder without such a file.
        ValueError: the pickle of nnU-Net v1.
    """
    path = Path(split)
    if path.suffix == ".pkl" and path.is_file():
        raise ValueError(
            f"--split {split}: found a pickle, expected {FILE_NAME}: write the pickled list to a JSON file "
            "(each fold: train and val, with lists of names)"
        )
    if path.is_dir():
        found = [folder / FILE_NAME for folder in (path, path / name) if (folder / FILE_NAME).is_file()]
        if not found:
            raise FileNotFoundError(f"--split {split}: no {FILE_NAME} in it or in {name}")
        return found[0]
    if path.suffix.lower() != ".json" or not path.is_file():
        return None
    return path if path.read_bytes().lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"[") else None


def use_folds(cases: DiscoveredCases, path: Path, split: PathLike, fold: int, seed: int) -> list[str]:
    """Make a fold of nnU-Net the published split of the cases: see `publish`.

    Args:
        cases: the discovered cases; those whose published split is test stay there.
        path: the file of folds.
        split: value of ``--split``, by which the split is asked for.
        fold: number of the fold, from 0.
        seed: seed of the validation cases, where they are sampled.

    Returns:
        Sentences on what became of the fold.

    Raises:
        ValueError: no such fold, another form, or cases that are unknown or in both lists.
    """
    folds = _read_folds(path)
    if fold >= len(folds):
        raise ValueError(f"--fold {fold}: found {len(folds)} folds in {path}, expected 0 to {len(folds) - 1}")
    lists = {key: [unicodedata.normalize("NFC", name) for name in folds[fold][key]] for key in ("train", "val")}
    listed = [*lists["train"], *lists["val"]]
    if unknown := [name for name in listed if name not in cases.patients]:
        known = shortened(sorted(cases.patients, key=natural_key), 3)
        raise ValueError(f"{path}: fold {fold}: no such case: {shortened(unknown)} (there are {known})")
    if repeated := [name for name, count in Counter(listed).items() if count > 1]:
        raise ValueError(f"{path}: fold {fold}: listed more than once: {shortened(repeated)}")
    test = {case: "test" for case, listed_split in cases.published.items() if listed_split == "test"}
    if both := sorted(test.keys() & set(listed), key=natural_key):
        raise ValueError(f"{path}: fold {fold}: {shortened(both)} are test cases of the data set, expected others")
    if left_out := sorted(cases.patients.keys() - {*listed, *test}, key=natural_key):
        warnings.warn(
            f"{path}: {counted(len(left_out), 'case')} not in fold {fold}: {shortened(left_out)}", stacklevel=3
        )
    cases.published = dict.fromkeys(lists["train"], "training") | dict.fromkeys(lists["val"], "validation") | test
    cases.split_name = str(split)
    return publish(cases, f"val of fold {fold} in {path.name}", seed)


def publish(cases: DiscoveredCases, validation: str, seed: int) -> list[str]:
    """Complete a published split: without test cases those of validation are the test, without these a tenth is sampled.

    Args:
        cases: the cases with the published split.
        validation: what the validation cases are called where they come from.
        seed: seed of the sampled cases.

    Returns:
        Sentences on the split.
    """
    sentences = []
    held_out = [case for case, split in cases.published.items() if split == "validation"]
    if count := list(cases.published.values()).count("test"):
        sentences.append(f"test: {counted(count, 'case')} that the data set has for it")
        sentences += [f"validation: {counted(len(held_out), 'case')}, {validation}"] if held_out else []
    else:
        cases.published |= dict.fromkeys(held_out, "test")
        sentences.append(f"test: {counted(len(held_out), 'case')}, {validation}")
    if "validation" not in cases.published.values():
        hold_out(cases, seed)
        sentences.append(cases.held_out)
    cases.held_out = "; ".join(sentences)
    return sentences


def _read_folds(path: Path) -> list[dict[str, list[str]]]:
    try:
        folds: Any = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not valid JSON ({error})") from error
    for number, fold in enumerate(folds):
        lists = [fold.get(key) for key in ("train", "val")] if isinstance(fold, dict) else [None]
        if not all(isinstance(names, list) and all(isinstance(name, str) for name in names) for names in lists):
            raise ValueError(
                f"{path}: fold {number}: found {str(fold)[:60]}, expected train and val with names of cases"
            )
        if not all(lists):
            raise ValueError(f"{path}: fold {number}: found no case for train or for val, expected one at least")
    if not folds:
        raise ValueError(f"{path}: found no fold, expected a list of them")
    return folds
