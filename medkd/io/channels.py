"""The channels of an image: which files of a folder hold them, in each form that data sets of several sequences have."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from .dicom_files import is_dicom_folder
from .hidden import is_hidden
from .volume_files import VOLUMES

__all__ = ["DiscoveredChannels", "ImagePaths", "discover_channels", "image_files", "one_or_list"]

T = TypeVar("T")
ImagePaths = str | Sequence[str]
# case, number of the channel, file
Channel = tuple[str, int, Path]
NUMBERED = re.compile(r"(.+)_(\d{4})")
SEPARATORS = tuple("-_. ")


@dataclass
class DiscoveredChannels:
    """The images of a folder, with the files of their channels.

    Attributes:
        form: how channels are told apart, in a few words for the user.
        files: case -> one file for each channel, in the order of the channels, or one 4-D file.
        refused: case -> reason, of cases that lack a channel, or have it twice.
        rest: volumes in the folder that are no channel of any case.
    """

    form: str
    files: dict[str, tuple[Path, ...]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    rest: list[Path] = field(default_factory=list)


def image_files(image: ImagePaths) -> list[str]:
    """Return the files of an image as a list: an image of one file may be named by its path alone.

    Example:
        >>> image_files("a.nii.gz"), image_files(["a_0000.nii.gz", "a_0001.nii.gz"])
        (['a.nii.gz'], ['a_0000.nii.gz', 'a_0001.nii.gz'])
    """
    return [image] if isinstance(image, str) else list(image)


def one_or_list(values: Sequence[T]) -> T | list[T]:
    """Return values of channels as data lists hold them: that of a single channel has no list around it.

    Example:
        >>> one_or_list(["a.b2nd"]), one_or_list(["a_0000.b2nd", "a_0001.b2nd"])
        ('a.b2nd', ['a_0000.b2nd', 'a_0001.b2nd'])
    """
    return values[0] if len(values) == 1 else list(values)


def discover_channels(
    folder: Path, names: Sequence[str], cases: Collection[str] = (), skip: Path | None = None
) -> DiscoveredChannels:
    """Find the images of several channels in a folder.

    The forms, of which the first that is there is taken:

    - a folder for each channel: ``t1/a.nii.gz``, ``t2/a.nii.gz``;
    - nnU-Net's numbers: ``a_0000.nii.gz``, ``a_0001.nii.gz``;
    - the channel's name behind the case's: ``a_t1.nii.gz``, ``a_t2.nii.gz``, or ``t1.nii.gz``, ``t2.nii.gz`` of one case;
    - a folder for each case: ``a/t1.nii.gz``, ``a/t2.nii.gz``; its files are named as above;
    - one 4-D file for each case.

    Args:
        folder: folder of images.
        names: names of the channels, in their order; upper and lower case are the same in file names.
        cases: names that cases are known to have (those of label maps): ``a_0001`` may be a case.
        skip: a folder inside that holds something else, such as predictions.

    Raises:
        ValueError: where every case has another number of channels than there are names, or a channel has no folder.
    """
    others = set() if skip is None else {skip.resolve()}
    entries = sorted(path for path in folder.iterdir() if not is_hidden(path) and path.resolve() not in others)
    volumes = [path for path in entries if _is_volume(path)]
    folders = [path for path in entries if path.is_dir() and path not in volumes]
    forms = {
        "a folder for each channel": _in_channel_folders(folders, names, cases),
        "nnU-Net's names (_0000, _0001, ...)": _numbered(volumes, cases),
        f"the channel's name behind the case's (_{names[0]}, ...)": _named(folder, volumes, names),
        "a folder for each case": _in_case_folders(folders, names),
    }
    for form, channels in forms.items():
        if channels:
            discovered = DiscoveredChannels(form)
            used = {path for _, _, path in channels}
            inside = [path for case in folders for path in case.iterdir() if _is_volume(path) and not is_hidden(path)]
            discovered.rest = [path for path in (*volumes, *inside) if path not in used]
            _add_cases(discovered, folder, channels, names)
            return discovered
    discovered = DiscoveredChannels("one 4-D file for each case")
    _add_cases(discovered, folder, [(_stem(path), 0, path) for path in volumes], ["all"])
    return discovered


def _in_channel_folders(folders: Sequence[Path], names: Sequence[str], cases: Collection[str]) -> list[Channel]:
    by_name = {path.name.lower(): path for path in folders}
    missing = [name for name in names if name.lower() not in by_name]
    if len(missing) == len(names):
        return []
    if missing:
        found = ", ".join(path.name for path in folders)
        raise ValueError(f"{folders[0].parent}: found the folders {found}, expected {', '.join(missing)} too")
    channels = []
    for number, name in enumerate(names):
        for path in sorted(by_name[name.lower()].iterdir()):
            if _is_volume(path) and not is_hidden(path):
                stem = _stem(path)  # which may name the channel once more
                shorter = [_without(stem, ending) for ending in (name, f"{number:04}")]
                is_case = not cases or stem in cases
                channels.append((stem if is_case else next((s for s in shorter if s in cases), stem), number, path))
    return channels


def _numbered(volumes: Sequence[Path], cases: Collection[str]) -> list[Channel]:
    channels = []
    for path in volumes:
        match = NUMBERED.fullmatch(_stem(path))
        if match and _stem(path) not in cases:
            channels.append((match[1], int(match[2]), path))
    names, numbers = {case for case, _, _ in channels}, {number for _, number, _ in channels}
    # scan_0000 to scan_0009 are ten scans, each with all channels in one file
    are_scans = len(names) == 1 and len(numbers) > 4
    are_channels = bool(names & set(cases)) if cases else 0 in numbers and len(channels) > 1 and not are_scans
    return channels if are_channels else []


def _named(folder: Path, volumes: Sequence[Path], names: Sequence[str]) -> list[Channel]:
    named = [(*channel, path) for path in volumes if (channel := _channel_of(_stem(path), names))]
    return [(case or folder.resolve().name, number, path) for case, number, path in named]


def _in_case_folders(folders: Sequence[Path], names: Sequence[str]) -> list[Channel]:
    channels = []
    for folder in folders:
        volumes = [path for path in sorted(folder.iterdir()) if _is_volume(path) and not is_hidden(path)]
        of_case = _numbered(volumes, ()) or _named(folder, volumes, names)
        channels += [(unicodedata.normalize("NFC", folder.name), number, path) for _, number, path in of_case]
    return channels


def _channel_of(stem: str, names: Sequence[str]) -> tuple[str, int] | None:
    """Return the case (empty for none) and the number of a file that ends in the name of its channel."""
    # the longest name first: a-t1-gd is the channel t1-gd, not gd of the case a-t1
    for number, name in sorted(enumerate(names), key=lambda item: -len(item[1])):
        if stem.lower() == name.lower() or _without(stem, name):
            return _without(stem, name), number
    return None


def _without(stem: str, ending: str) -> str:
    """Return a name without an ending and the separator before it; empty where it has another ending."""
    start, end = stem[: -len(ending)], stem[-len(ending) :]
    return start[:-1] if end.lower() == ending.lower() and start.endswith(SEPARATORS) else ""


def _add_cases(discovered: DiscoveredChannels, folder: Path, channels: Sequence[Channel], names: Sequence[str]) -> None:
    by_case: dict[str, dict[int, list[Path]]] = {}
    for case, number, path in channels:
        by_case.setdefault(case, {}).setdefault(number, []).append(path)
    counts = {len(numbers) for numbers in by_case.values()}
    if len(counts) == 1 and not counts & {1, len(names)}:
        first = next(iter(by_case.values()))
        found = ", ".join(files[0].name for files in first.values())
        raise ValueError(
            f"--channels: found {len(names)} names ({', '.join(names)}), expected {len(first)}: each case in {folder} has "
            f"{len(first)} channels ({found})"
        )
    for case, numbers in by_case.items():
        if reasons := "; ".join(_problems(numbers, names)):
            discovered.refused[case] = reasons
        else:
            discovered.files[case] = tuple(numbers[number][0] for number in range(len(names)))


def _problems(channels: Mapping[int, Sequence[Path]], names: Sequence[str]) -> Iterator[str]:
    """Yield why a case cannot be used, for each of its channels."""
    if missing := [name for number, name in enumerate(names) if number not in channels]:
        found = ", ".join(str(path) for files in channels.values() for path in files)
        yield f"lacks the channel {' and '.join(missing)}: found {found}; add it, or leave the case out"
    for files in channels.values():
        if len(files) > 1:
            yield f"several files of one channel: {', '.join(map(str, files))}; keep one"
    if further := [files[0].name for number, files in sorted(channels.items()) if number >= len(names)]:
        yield f"found {', '.join(further)}, expected the {len(names)} channels {', '.join(names)}"


def _is_volume(path: Path) -> bool:
    return is_dicom_folder(path) if path.is_dir() else path.name.lower().endswith(VOLUMES)


def _stem(path: Path) -> str:
    """Return a file's name without the suffix of its format, composed: macOS writes accents as characters of their own."""
    suffix = next((suffix for suffix in VOLUMES if path.name.lower().endswith(suffix)), "")
    return unicodedata.normalize("NFC", path.name[: len(path.name) - len(suffix)])
