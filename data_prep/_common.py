"""What every preparation shares: pairs of files, refused cases, splits, and a target that is complete or absent."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from pathlib import Path
from typing import Any, NoReturn

from monai.config import PathLike
from tqdm import tqdm

from medkd.data import SPLITS, natural_key, save_datalist, split_cases

from ._parts import check_parts, warn_without_target
from ._target import complete_or_absent

__all__ = [
    "DiscoveredCases",
    "Options",
    "files_by_name",
    "pair_files",
    "pair_up",
    "refuse",
    "require_source",
    "run",
    "split_found",
]

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True)
class Options:
    """The arguments that all ``prepare`` functions share."""

    split: PathLike
    fold: int
    folds: int
    seed: int
    overwrite: bool
    skip_bad: bool

    def __post_init__(self) -> None:
        for name in ("fold", "folds", "seed"):
            value = getattr(self, name)
            if not isinstance(value, Integral) or value < 0:
                raise ValueError(f"{name}: found {value!r}, expected a whole number from 0 on.")
        if not isinstance(self.split, str | os.PathLike):
            raise ValueError(f"split: found {self.split!r}, expected the name of a split or the path of a JSON file.")


@dataclass
class DiscoveredCases:
    """What a source holds: the files of each case, the case's patient, and cases that are refused already."""

    files: dict[str, Any] = field(default_factory=dict)
    patients: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    published: dict[str, str] = field(default_factory=dict)  # case -> part of the published split, when there is one
    held_out: str = ""  # what was held out of the published split's parts, in words for split.json
    split_name: str = "published"  # by which that split is asked for; a data set may draw one of its own


def require_source(source: PathLike, option: str = "source") -> Path:
    """Return the source as a path; it must be a folder with something in it. The option is named in messages."""
    path = Path(source)
    if path.is_file():
        raise NotADirectoryError(f"--{option} {source}: is a file, expected a folder.")
    if not path.is_dir():
        raise FileNotFoundError(f"--{option} {source}: no such folder.")
    if not any(path.iterdir()):
        raise ValueError(f"--{option} {source}: the folder is empty.")
    return path


def files_by_name(folder: Path, suffixes: Sequence[str]) -> dict[str, list[Path]]:
    """Return the files of a folder by name without suffix, in natural order; hidden files are left out."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir(), key=lambda path: natural_key(path.name)):
        suffix = next((suffix for suffix in suffixes if path.name.lower().endswith(suffix)), None)
        if suffix and path.is_file() and not path.name.startswith("."):
            found.setdefault(path.name[: -len(suffix)], []).append(path)
    return found


def pair_files(
    images: Path,
    labels: Path,
    image_suffixes: Sequence[str],
    label_suffixes: Sequence[str],
    name: Callable[[str], str],
    keep: Callable[[str], bool] = lambda stem: True,
) -> DiscoveredCases:
    """Pair the files of two folders by their names without suffix; what has no partner, or two, is refused.

    Args:
        name: file name without suffix -> case name.
        keep: whether files of a name without suffix are looked at, or passed over.
    """
    by_image, by_label = files_by_name(images, image_suffixes), files_by_name(labels, label_suffixes)
    return pair_up(by_image, by_label, images, labels, name, keep)


def pair_up(
    by_image: Mapping[str, Sequence[Path]],
    by_label: Mapping[str, Sequence[Path]],
    images: Path,
    labels: Path,
    name: Callable[[str], str] = str,
    keep: Callable[[str], bool] = lambda stem: True,
) -> DiscoveredCases:
    """`pair_files` of files that are found already, by name without suffix; the folders are named in messages alone."""
    found = DiscoveredCases()
    for stem in sorted(filter(keep, {*by_image, *by_label}), key=natural_key):
        case, of_image, of_label = name(stem), by_image.get(stem, []), by_label.get(stem, [])
        if case in found.files or case in found.refused:
            found.files.pop(case, None)
            found.refused[case] = f"two files in {images} stand for this case (one is {stem})"
        elif len(of_image) == 1 and len(of_label) == 1:
            found.files[case] = (of_image[0], of_label[0])
        elif not of_image:
            found.refused[case] = f"{of_label[0]} has no image of the same name in {images}"
        elif not of_label:
            found.refused[case] = f"{of_image[0]} has no mask of the same name in {labels}"
        else:
            several = of_image if len(of_image) > 1 else of_label
            found.refused[case] = f"several files of one name: {', '.join(str(path) for path in several)}"
        found.patients[case] = case
    return found


def run(
    source: Path,
    target: PathLike,
    found: DiscoveredCases,
    convert: Callable[[str, Any, Path], dict[str, Any]],
    options: Options,
    check: Callable[[Collection[dict[str, Any]]], None] = lambda entries: None,
    finish: Callable[[Path, Mapping[str, Sequence[dict[str, Any]]]], dict[str, Any]] = lambda folder, listed: {},
    parts: Mapping[str, Sequence[str]] | None = None,
    **about: Any,
) -> dict[str, Any]:
    """Convert all cases into ``target`` and write ``datalist.json`` and ``split.json``.

    Args:
        convert: (case, its files, folder to write to) -> entry of the data list; ValueError or OSError refuses the case.
        check: refuses the data set as a whole (all its entries) by a ValueError, before anything is in place.
        finish: (folder, part -> entries) -> further keys of the data list; may write into the folder, and refuse by a
            ValueError.
        parts: case names of each part, where the caller has split the cases already.
        about: name, description, modality and labels of the data list.

    Returns:
        ``{"target", "cases": {part: count}, "refused": {case: reason}, "left_out": [case]}``.
    """
    if not found.files and not found.refused:
        raise ValueError(f"source {source}: no cases found.")
    # Split before converting, and with the refused cases: a file that is repaired later moves no other case.
    parts = parts or split_found(found, options)
    wanted = [case for part in SPLITS for case in parts[part]]
    drawn = f"split {str(options.split)!r}, fold {options.fold}, seed {options.seed}"
    # Before hours of converting; the cases that are refused already are listed below, unless they may be left out.
    left = {part: [case for case in parts[part] if case in found.files] for part in SPLITS}
    check_parts(source, left if options.skip_bad else parts, f"{drawn}; {len(found.refused)} cases refused")
    with complete_or_absent(source, Path(target), options.overwrite) as folder:
        entries, refused = _convert_all(found, wanted, convert, folder, about["name"])
        if refused and not options.skip_bad:
            refuse(refused, len({*wanted, *refused}))
        for case, reason in refused.items():
            tqdm.write(f"refused {case}: {reason}")
        listed = {part: [entries[case] for case in parts[part] if case in entries] for part in SPLITS}
        check_parts(source, listed, f"{drawn}; {len(refused)} cases refused")
        check(entries.values())
        extra = {"refused": refused} if refused else {}
        save_datalist(folder, listed, **about, **finish(folder, listed), **extra)
        left_out = sorted(set(found.patients) - set(wanted), key=natural_key)
        held_out = found.held_out if options.split == found.split_name else ""
        _save_split(folder, listed, options, left_out, held_out)
        warn_without_target(folder, listed["validation"], about["labels"])
    counts = {part: len(listed[part]) for part in SPLITS}
    return {"target": str(target), "cases": counts, "refused": refused, "left_out": left_out}


def refuse(refused: Mapping[str, str], total: int) -> NoReturn:
    """Raise ValueError with the reason of each refused case: one case in one line, several in one line each."""
    lines = ("\n" if len(refused) > 1 else " ").join(["", *(f"{case}: {why}" for case, why in refused.items())])
    raise ValueError(f"{len(refused)} of {total} cases refused, nothing was written:{lines}")


def split_found(found: DiscoveredCases, options: Options) -> dict[str, list[str]]:
    """Case names of each part."""
    if options.split == found.split_name:
        return {part: [case for case in found.patients if found.published.get(case) == part] for part in SPLITS}
    return split_cases(found.patients, options.split, options.fold, options.folds, options.seed)


def _convert_all(
    found: DiscoveredCases,
    wanted: Sequence[str],
    convert: Callable[[str, Any, Path], dict[str, Any]],
    folder: Path,
    name: str,
) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    entries: dict[str, dict[str, Any]] = {}
    # A case that a split file leaves out is not asked for; one that could not even be given a patient is reported.
    refused = {
        case: reason for case, reason in found.refused.items() if case in set(wanted) or case not in found.patients
    }
    for case in tqdm(
        [case for case in wanted if case in found.files], desc=f"prepare {name}", unit="case", disable=None
    ):
        try:
            entries[case] = convert(case, found.files[case], folder)
        except (ValueError, OSError) as error:
            if isinstance(error, OSError) and (error.errno in FULL or str(folder) in str(error)):
                raise  # of the disk that is written to: no case is to blame, and none is left out for it
            refused[case] = " ".join(str(error).split())
    return entries, dict(sorted(refused.items(), key=lambda item: natural_key(item[0])))


def _save_split(
    folder: Path,
    listed: Mapping[str, Sequence[Mapping[str, Any]]],
    options: Options,
    left_out: Sequence[str],
    held_out: str,
) -> None:
    """Write how the split was made and its names; the file can be given as ``split=`` again."""
    split = {
        "split": str(options.split),
        "fold": options.fold,
        "folds": options.folds,
        "seed": options.seed,
        **({"held_out": held_out} if held_out else {}),
        **{part: [entry["case"] for entry in listed[part]] for part in SPLITS},
        "left_out": list(left_out),
    }
    (folder / "split.json").write_text(json.dumps(split, indent=1) + "\n", encoding="utf-8")
