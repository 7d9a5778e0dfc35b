"""What lies beside the images of a folder and is none of them: labels, further channels, other files, folders."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from .dicom_files import is_dicom_folder

__all__ = ["further_channels", "image_of_label", "other_content", "print_skipped"]

LABEL_ENDINGS = ("_label", "_labels", "_mask", "_seg", "_segmentation", "_gt")
IMAGE_ENDINGS = ("", "_image", "_img", "_0000")
# Names of label maps that have another name for the image: KiTS19 and LiTS.
IMAGE_NAMES = ((re.compile(r"segmentation"), "imaging"), (re.compile(r"segmentation-(\d+)"), r"volume-\1"))
CHANNEL = re.compile(r"(.+)_(\d{4})")
# Formats of volumes that medkd does not read.
OTHER_FORMATS = {
    (".hdr", ".img", ".hdr.gz", ".img.gz"): "Analyze or NIfTI pair: convert it to one .nii.gz",
    (".mgz", ".mgh"): "FreeSurfer volume: convert it to .nii.gz",
    (".dcm", ".ima"): "one file of a DICOM series: give a folder for each series",
    (".mnc", ".par", ".rec", ".v", ".gipl"): "a format that is not read: convert it to .nii.gz",
    (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar", ".bz2", ".xz"): "archive: unpack it",
}
MOST_NAMES = 5
MOST_FOLDERS = 200  # that are looked into for what they hold


def image_of_label(stem: str, stems: Collection[str]) -> str | None:
    """Return the image that a file lies beside as its label map, by its name; None where it is no label map.

    Args:
        stem: name of the file without suffix.
        stems: those of all files in the folder.

    Example:
        >>> image_of_label("a_seg", {"a", "a_seg"}), image_of_label("a_seg", {"a_seg"})
        ('a', None)
        >>> image_of_label("segmentation-3", {"volume-3", "segmentation-3"})
        'volume-3'
    """
    ending = next((ending for ending in LABEL_ENDINGS if stem.lower().endswith(ending)), "")
    names = [stem[: len(stem) - len(ending)] + other for other in IMAGE_ENDINGS] if ending else []
    names += [pattern.sub(name, stem) for pattern, name in IMAGE_NAMES if pattern.fullmatch(stem)]
    return next((name for name in names if name in stems), None)


def further_channels(stems: Iterable[str]) -> dict[str, str]:
    """Return the files that are second and further channels of a case in nnU-Net's names -> its first channel.

    Files ``a_0000``, ``a_0001`` are channels where every case has the same ones, two to four: ``scan_0000`` to
    ``scan_0009`` are ten scans.

    Example:
        >>> further_channels(["a_0000", "a_0001", "b_0000", "b_0001"])
        {'a_0001': 'a_0000', 'b_0001': 'b_0000'}
        >>> further_channels([f"scan_{number:04}" for number in range(9)])
        {}
    """
    channels: dict[str, list[int]] = {}
    for stem in stems:
        if match := CHANNEL.fullmatch(stem):
            channels.setdefault(match[1], []).append(int(match[2]))
    numbers = {tuple(sorted(found)) for found in channels.values()}
    if len(numbers) != 1 or not 2 <= len(found := next(iter(numbers))) <= 4 or found != tuple(range(len(found))):
        return {}
    return {f"{case}_{number:04}": f"{case}_0000" for case in channels for number in found[1:]}


def other_content(path: Path, suffixes: tuple[str, ...], series: bool) -> str:
    """Return why a file or folder is no image.

    Args:
        path: a file or folder in the input folder.
        suffixes: suffixes of images, in lower case.
        series: whether DICOM series are images.
    """
    if path.is_dir():
        return _folder_content(path, suffixes, series)
    name = path.name.lower()
    if name.endswith(suffixes):
        return "hidden file"
    formats = OTHER_FORMATS.items() if series else ()
    return next((reason for endings, reason in formats if name.endswith(endings)), "not the suffix of an image")


def _folder_content(folder: Path, suffixes: tuple[str, ...], series: bool) -> str:
    for number, (root, _, names) in enumerate(os.walk(folder)):
        if number == MOST_FOLDERS:
            break
        if number and series and is_dicom_folder(Path(root)):
            return f"folder with DICOM series further down ({root}): give their parent folder"
        if any(name.lower().endswith(suffixes) and not name.startswith(".") for name in names):
            return f"folder with images{'' if not number else f' further down ({root})'}: give it as the input"
    return "folder without images"


def print_skipped(reasons: Mapping[str, str]) -> None:
    """Print on stderr what was skipped: name -> reason, one line for each reason."""
    groups: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        groups.setdefault(reason, []).append(name)
    for reason, names in groups.items():
        more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
        print(f"skipped: {', '.join(names[:MOST_NAMES])}{more}: {reason}", file=sys.stderr, flush=True)
