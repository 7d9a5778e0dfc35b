"""What lies in the folders of a source and is neither image nor label map: named, and said where it stands for a case."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from pathlib import Path

from medkd.io import VOLUMES, is_dicom_folder, is_hidden
from medkd.io.beside import is_detached_data, other_content, print_skipped

__all__ = ["other_files", "print_other_files", "take_other_form"]

# What may stand behind a case's name, before the suffix.
ENDINGS = "(?:_0000|_image|_img|_label|_mask|_seg|_segmentation)?"
OtherFiles = dict[Path, str]


def other_files(folder: Path, suffixes: Sequence[str], cases: Collection[Path] = ()) -> OtherFiles:
    """Return the entries of a folder that are not read: path -> what it is. Hidden ones are left out.

    Args:
        folder: folder of images or of labels.
        suffixes: suffixes of the files that are read, in lower case.
        cases: sub-folders that are read, or hold something else that is.
    """
    resolved = {case.resolve() for case in cases}
    entries = [
        path
        for path in sorted(folder.iterdir())
        if not is_hidden(path) and not (path.is_dir() and path.resolve() in resolved)
    ]
    read = {path for path in entries if path.is_file() and path.name.lower().endswith(tuple(suffixes))}
    is_volumes = set(suffixes) <= set(VOLUMES)
    return {
        path: _content(path, tuple(suffixes), is_volumes)
        for path in entries
        if path not in read and not (is_volumes and is_detached_data(path, read))
    }


def _content(path: Path, suffixes: tuple[str, ...], is_volumes: bool) -> str:
    if is_volumes and is_dicom_folder(path):
        return "DICOM series: convert it to one file such as .nii.gz"
    return other_content(path, suffixes, is_volumes)


def take_other_form(others: OtherFiles, stem: str) -> str:
    """Return what stands in the place of a case's file, and take it from the others; empty where there is nothing.

    Example:
        >>> take_other_form({Path("images/c1.mgz"): "FreeSurfer volume"}, "c1")
        '; found c1.mgz: FreeSurfer volume'
    """
    pattern = re.compile(rf"{re.escape(stem)}{ENDINGS}(\..+)?", re.IGNORECASE)
    path = next((path for path in others if pattern.fullmatch(unicodedata.normalize("NFC", path.name))), None)
    return f"; found {path.name}: {others.pop(path)}" if path else ""


def print_other_files(*folders: OtherFiles) -> None:
    """Print what is not read, a few names for each reason."""
    print_skipped({f"{path.parent.name}/{path.name}": why for others in folders for path, why in others.items()})
