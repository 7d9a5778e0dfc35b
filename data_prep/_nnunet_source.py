"""The cases of an nnU-Net raw data set: by the names of its files, or by the dictionary ``dataset`` of its JSON file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medkd.data import natural_key
from medkd.io import VOLUMES

from ._cases import CaseFiles, DiscoveredCases
from ._listed_files import FileFinder
from ._other_files import other_files, print_other_files, take_other_form
from ._pairing import FilesByName, files_by_name

__all__ = ["NUMBERED", "pair_nnunet_folders", "read_dataset_dictionary"]

NUMBERED = re.compile(r"(.+)_(\d{4})")
Channels = dict[int, list[Path]]


def pair_nnunet_folders(images: Path, labels: Path, channels: Sequence[str]) -> tuple[DiscoveredCases, list[str]]:
    """Pair images ``<case>_<number of the channel>`` with label maps ``<case>``; a case that lacks a file is refused.

    Args:
        images: folder of images, in the formats of `medkd.io.VOLUMES`.
        labels: folder of label maps.
        channels: names of the channels in order of their numbers; empty: as many as most cases have.

    Returns:
        The cases, and notes on names that are not nnU-Net's.

    Raises:
        ValueError: every case has another number of channels than there are names.
    """
    label_files = files_by_name(labels, VOLUMES)
    numbered, whole = _by_case(files_by_name(images, VOLUMES), label_files)
    others = other_files(images, VOLUMES, [labels]), other_files(labels, VOLUMES, [images])
    counts = Counter(tuple(sorted(files)) for files in numbered.values())
    expected = tuple(range(len(channels))) or max(counts, key=lambda numbers: counts[numbers], default=(0,))
    if len(counts) == 1 and expected not in counts and len(numbered) > 1:
        raise ValueError(
            f"{images}: every case has {_listed(next(iter(counts)))}, expected {_listed(expected, channels)}"
        )
    cases = DiscoveredCases()
    for case in sorted({*numbered, *whole, *label_files}, key=natural_key):
        cases.patients[case] = case
        found, labelled = numbered.get(case, {}), label_files.get(case, [])
        files = [path for number in sorted(found) for path in found[number]] + whole.get(case, [])
        if not files:
            other = take_other_form(others[0], case) or ": add it, or move the mask away"
            cases.refused[case] = f"{labelled[0]} has no image {case}_0000 in {images}{other}"
        elif not labelled:
            other = take_other_form(others[1], case) or ": add it, or move the image away"
            cases.refused[case] = f"{files[0]} has no mask {case} in {labels}{other}"
        elif len(labelled) > 1 or len(files) > max(1, len(found)):
            repeated = labelled if len(labelled) > 1 else files
            cases.refused[case] = f"several files stand for one: {', '.join(map(str, repeated))}; keep one"
        elif found and tuple(sorted(found)) != expected:
            cases.refused[case] = f"found {_listed(sorted(found))}, expected {_listed(expected, channels)}"
        else:
            cases.files[case] = CaseFiles(tuple(files), labelled[0])
    print_other_files(*others)
    names = [path.name for files in whole.values() for path in files]
    if not names:
        return cases, []
    return cases, [f"{len(names)} images have no number of a channel (_0000) behind the name, read whole ({names[0]})"]


def _by_case(files: FilesByName, labels: FilesByName) -> tuple[dict[str, Channels], FilesByName]:
    """Return case -> number of the channel -> files, and the files of cases whose names have no such number."""
    numbered: dict[str, Channels] = {}
    whole: FilesByName = {}
    for stem, paths in files.items():
        match = NUMBERED.fullmatch(stem)
        if match and (match[1] in labels or stem not in labels):
            numbered.setdefault(match[1], {}).setdefault(int(match[2]), []).extend(paths)
        else:
            whole[stem] = paths
    return numbered, whole


def _listed(numbers: Sequence[int], names: Sequence[str] = ()) -> str:
    listed = ", ".join(f"{number:04}" for number in numbers)
    named = f": {', '.join(names)}" if names else ""
    return f"{len(numbers)} channel{'s' if len(numbers) > 1 else ''} ({listed}{named})"


def read_dataset_dictionary(
    content: Mapping[str, Any], path: Path, channels: Sequence[str]
) -> tuple[DiscoveredCases, list[str]]:
    """Return the cases of nnU-Net's dictionary ``dataset``: case -> ``images`` and ``label``, and notes.

    Args:
        content: content of the ``dataset.json``.
        path: of the file; the paths in it are relative to its folder.
        channels: names of the channels; empty: not named.

    Raises:
        ValueError: for entries of another form.
    """
    cases, finder = DiscoveredCases(), FileFinder(path.parent)
    dataset = content["dataset"]
    if not isinstance(dataset, dict) or not dataset:
        raise ValueError(f"{path}: dataset: found {str(dataset)[:60]}, expected case: images and label")
    for case in sorted(dataset, key=natural_key):
        texts = _paths_of_entry(dataset[case], f"{path}: dataset: {case}")
        cases.patients[case] = case
        *images, label = (finder.find(text) for text in texts)
        missing = [text for text, found in zip(texts, (*images, label), strict=True) if len(found) != 1]
        if missing:
            cases.refuse({case: f"{missing[0]}: no such file"})
        elif channels and len(images) not in (1, len(channels)):
            expected = f"{len(channels)} ({', '.join(channels)})"
            cases.refuse({case: f"found {len(images)} images in dataset, expected {expected}"})
        else:
            cases.files[case] = CaseFiles(tuple(found[0] for found in images), label[0])
    return cases, [f"{len(paths)} files are {how} ({paths[0]})" for how, paths in finder.notes.items()]


def _paths_of_entry(entry: Any, place: str) -> list[str]:
    """Return the paths of an entry's images, then that of its label."""
    images, label = (entry.get("images"), entry.get("label")) if isinstance(entry, dict) else (None, None)
    texts = [*(images if isinstance(images, list) else [images]), label]
    if len(texts) < 2 or not all(isinstance(text, str) and text.strip() for text in texts):
        raise ValueError(f"{place}: found {str(entry)[:80]}, expected images and label with paths")
    return texts
