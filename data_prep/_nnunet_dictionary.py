"""The cases that the dictionary ``dataset`` of an nnU-Net data set names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medkd.data import natural_key

from ._cases import CaseFiles, DiscoveredCases
from ._listed_files import FileFinder

__all__ = ["read_dataset_dictionary"]


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
