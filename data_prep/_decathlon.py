"""Lists of images with label maps, as tasks of the Medical Segmentation Decathlon and programs of MONAI have them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medkd.data import SPLITS

from ._cases import CaseFiles, DiscoveredCases
from ._dataset_json import list_of
from ._listed_files import FileFinder, listed_parts, listed_stem
from ._pairing import IMAGE_ENDINGS, LABEL_ENDINGS, without_ending

__all__ = ["ListedCases", "read_lists"]


@dataclass(frozen=True)
class Entry:
    """One entry of a list.

    Attributes:
        place: name of the list and position in it.
        split: split of its list.
        images: the paths of its images, as they are listed.
        label: the path of its label map; empty: it has none.
        fold: its fold, where the list has folds.
    """

    place: str
    split: str
    images: tuple[str, ...]
    label: str
    fold: int | None = None


@dataclass
class ListedCases:
    """The cases of the lists.

    Attributes:
        cases: all entries with label maps; ``published`` has the split of each one's list.
        folds: case -> its fold, where the list ``training`` has several.
        unlabelled: listed images without a label map.
        notes: what was guessed, and what disagrees.
        places: case -> place of its first entry.
    """

    cases: DiscoveredCases = field(default_factory=DiscoveredCases)
    folds: dict[str, int] = field(default_factory=dict)
    unlabelled: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    places: dict[str, str] = field(default_factory=dict)


def read_lists(content: Mapping[str, Any], path: Path, channels: int) -> ListedCases:
    """Return the cases of the lists ``training``, ``validation`` and ``test``.

    Args:
        content: content of the file.
        path: of the file; the paths in it are relative to its folder.
        channels: number of channels that the file names, 0 where it names none.

    Raises:
        ValueError: for an entry that is no image with a label map.
    """
    entries = [
        _read_entry(entry, f"{split}[{index}]", split, path)
        for split in SPLITS
        for index, entry in enumerate(list_of(content, split, path))
    ]
    finder = FileFinder(path.parent)
    listed = ListedCases(unlabelled=[entry.images[0] for entry in entries if not entry.label])
    labelled = [entry for entry in entries if entry.label]
    names, note = _case_names(labelled)
    listed.notes += note
    for entry, case in zip(labelled, names, strict=True):
        _add(listed, entry, case, finder, channels)
    if len(set(listed.folds.values())) < 2:
        listed.folds = {}
    for how, paths in finder.notes.items():
        listed.notes.append(f"{len(paths)} files are {how} ({paths[0]})")
    return listed


def _read_entry(entry: Any, place: str, split: str, path: Path) -> Entry:
    # The Decathlon lists images without labels, those of test, as paths alone.
    entry = {"image": entry} if split != "training" and isinstance(entry, str) else entry
    if not isinstance(entry, dict) or "image" not in entry:
        raise ValueError(f"{path}: {place}: found {str(entry)[:80]}, expected an image with a label")
    images, labels = (_paths(entry.get(key), f"{path}: {place}: {key}") for key in ("image", "label"))
    if not images or not labels and split == "training":
        missing = "label" if images else "image"
        raise ValueError(f"{path}: {place}: found no {missing} in {str(entry)[:80]}, expected an image with a label")
    if len(labels) > 1:
        raise ValueError(f"{path}: {place}: found {len(labels)} label maps, expected one with a value for each class")
    fold = entry.get("fold")
    if fold is not None and (not isinstance(fold, int) or isinstance(fold, bool)):
        raise ValueError(f"{path}: {place}: fold: found {fold!r:.40}, expected a whole number")
    return Entry(place, split, images, "".join(labels), fold)


def _paths(value: Any, place: str) -> tuple[str, ...]:
    paths = value if isinstance(value, list) else [] if value is None else [value]
    if wrong := [path for path in paths if not isinstance(path, str) or not path.strip()]:
        raise ValueError(f"{place}: found {wrong[0]!r:.60}, expected the path of a file")
    return tuple(paths)


def _case_names(entries: Sequence[Entry]) -> tuple[list[str], list[str]]:
    """Return a name for each entry: that of its files, else of its folder, else its whole path; and a note on it."""
    by_images = {entry.images: entry for entry in reversed(entries)}
    forms: list[tuple[Callable[[Entry], str], str]] = [
        (_file_name, ""),
        (_folder_name, "cases are named by their folders: several files have one name"),
    ]
    for name, note in forms:
        names = {images: name(entry) for images, entry in by_images.items()}
        if all(names.values()) and max(Counter(names.values()).values(), default=0) <= 1:
            return [names[entry.images] for entry in entries], [note] if note else []
    return ["_".join([*listed_parts(entry.images[0])[:-1], listed_stem(entry.images[0])]) for entry in entries], [
        "cases are named by their paths: several files and folders have one name"
    ]


def _file_name(entry: Entry) -> str:
    label = listed_stem(entry.label)
    if len(entry.images) > 1:
        return without_ending(label, LABEL_ENDINGS)
    image = listed_stem(entry.images[0])
    return image if image == label else without_ending(image, IMAGE_ENDINGS)


def _folder_name(entry: Entry) -> str:
    return "".join(listed_parts(entry.images[0])[-2:-1])


def _add(listed: ListedCases, entry: Entry, case: str, finder: FileFinder, channels: int) -> None:
    """Find the files of an entry and add it; a case that is listed twice, or lacks a file, is refused."""
    cases = listed.cases
    first = listed.places.setdefault(case, entry.place)
    if first != entry.place:
        cases.refuse({case: f"listed as {first} and as {entry.place}, expected each image once"})
        return
    cases.patients[case], cases.published[case] = case, entry.split
    if entry.fold is not None and entry.split == "training":
        listed.folds[case] = entry.fold
    images = [finder.find(text) for text in entry.images]
    label = finder.find(entry.label)
    for text, files in zip((*entry.images, entry.label), (*images, label), strict=True):
        if not files:
            cases.refuse({case: f"{entry.place}: {text}: no such file{_link(finder.folder, text)}"})
            return
    if len(label) > 1:
        cases.refuse({case: f"{entry.place}: {entry.label}: found {len(label)} files of this name, expected one"})
        return
    if channels > 1 and len(images) == len(images[0]) == 1:
        images = [finder.channels(images[0][0])]
    cases.files[case] = CaseFiles(tuple(file for files in images for file in files), label[0])


def _link(folder: Path, text: str) -> str:
    path = folder.joinpath(*listed_parts(text))
    return ": a link to a file that is not there: fetch it (git annex get, datalad get)" if path.is_symlink() else ""
