"""Files that a list names, found where the list was written by another machine or program."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from medkd.data import natural_key
from medkd.io import VOLUMES

from ._pairing import CHANNEL, FilesByName, files_by_name

__all__ = ["FileFinder", "listed_parts", "listed_stem"]

ELSEWHERE = "listed with another folder in front, found by the last parts of the path"
OTHER_NAME = "listed with another suffix or other capitals, found by the name"


def listed_parts(listed: str) -> tuple[str, ...]:
    r"""Return the parts of a path as a list has it, of Windows or others.

    Example:
        >>> listed_parts(".\\imagesTr\\a.nii.gz"), listed_parts("C:/data/a.nii")
        (('imagesTr', 'a.nii.gz'), ('C:', 'data', 'a.nii'))
    """
    text = unicodedata.normalize("NFC", listed.strip()).replace("\\", "/")
    return tuple(part for part in PurePosixPath(text).parts if part not in (".", "/", "//"))


def listed_stem(listed: str) -> str:
    """Return the name of a listed file without its suffix."""
    name = (listed_parts(listed) or ("",))[-1]
    suffix = next((suffix for suffix in VOLUMES if name.lower().endswith(suffix)), "")
    return name[: len(name) - len(suffix)]


class FileFinder:
    """Finds the files that a list names.

    Args:
        folder: folder that the paths of the list are relative to.

    Attributes:
        notes: how files were found that do not lie where the list has them -> their paths in the list.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.notes: dict[str, list[str]] = {}
        self._folders: dict[Path, FilesByName] = {}

    def find(self, listed: str) -> tuple[Path, ...]:
        """Return the file or DICOM folder that a list names, the files of its channels (``_0000``, ...), or nothing.

        Args:
            listed: a path in the list: relative to the list's folder or absolute, with separators of Windows or others,
                with variables of the environment, as nnU-Net takes them.
        """
        parts = listed_parts(os.path.expandvars(listed))
        path = self.folder / os.path.expandvars(listed.strip())
        if parts and path.exists():
            return (path,)
        for start in range(len(parts)):
            below = self.folder.joinpath(*parts[start:])
            note = ELSEWHERE if start else ""
            if below.exists():
                return self._note((below,), listed, note)
            if below.parent.is_dir() and (files := self._by_stem(below.parent, listed_stem(parts[-1]))):
                return self._note(files, listed, note)
        return ()

    def channels(self, file: Path) -> tuple[Path, ...]:
        """Return a file with name ``..._0000`` and the files of the further channels beside it; other files alone."""
        stem = listed_stem(file.name)
        return tuple(self._by_stem(file.parent, stem[:-5])) or (file,) if stem.endswith("_0000") else (file,)

    def _by_stem(self, folder: Path, stem: str) -> Sequence[Path]:
        if folder not in self._folders:
            self._folders[folder] = files_by_name(folder, VOLUMES)
        by_name = self._folders[folder]
        same = [path for name, paths in by_name.items() if name.casefold() == stem.casefold() for path in paths]
        if len(same) == 1:
            return same
        channels = [name for name in by_name if (match := CHANNEL.fullmatch(name)) and match[1] == stem]
        return [] if same else [by_name[name][0] for name in sorted(channels, key=natural_key)]

    def _note(self, files: Sequence[Path], listed: str, note: str) -> tuple[Path, ...]:
        if len(files) == 1 and not note and unicodedata.normalize("NFC", files[0].name) != listed_parts(listed)[-1]:
            note = "" if CHANNEL.fullmatch(listed_stem(files[0].name)) else OTHER_NAME
        if note:
            self.notes.setdefault(note, []).append(listed)
        return tuple(files)
