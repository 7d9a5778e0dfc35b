"""What lies beside the images of a folder and is none of them: labels, further channels, other files, folders."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from .dicom_files import is_dicom_folder
from .volume_files import VOLUMES

__all__ = ["PICTURES", "further_channels", "image_of_label", "is_detached_data", "other_content", "print_skipped"]

SEPARATORS = "-_. "
LABEL_WORDS = "label labels labelmap mask masks seg segmentation gt groundtruth annotation manual".split()
# The words that images have in the place of these; 0000 is nnU-Net's first channel.
IMAGE_WORDS = "image images imaging img volume vol scan ct mr mri 0000".split()
_LABEL = f"(?:{'|'.join(LABEL_WORDS)})"
LABEL_ENDING = re.compile(rf"(.+)[{SEPARATORS}]{_LABEL}", re.IGNORECASE)
LABEL_START = re.compile(rf"{_LABEL}(?:[{SEPARATORS}](.+)|(\d.*))", re.IGNORECASE)
CHANNEL = re.compile(r"(.+)_(\d{4})")
_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar", ".bz2", ".xz")
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif", ".webp", ".jp2")
# Formats that are not read as volumes.
OTHER_FORMATS = {
    (".hdr", ".img", ".hdr.gz", ".img.gz"): "Analyze or NIfTI pair: convert it to one .nii.gz",
    (".mgz", ".mgh"): "FreeSurfer volume: convert it to .nii.gz",
    (".dcm", ".ima"): "one file of a DICOM series: give a folder for each series",
    (".raw", ".zraw", ".raw.gz"): "voxels alone, read where a header (.mhd, .nhdr) names them",
    (".mnc", ".par", ".rec", ".v", ".gipl"): "a format that is not read: convert it to .nii.gz",
    PICTURES: "picture: for the task pictures",
    _ARCHIVES: "archive: unpack it",
}
# Formats that are not read as pictures.
OTHER_PICTURES = {
    VOLUMES: "volume: for the task nifti",
    (".dcm", ".ima"): "DICOM file: convert it to PNG",
    (".heic", ".heif", ".avif"): "HEIF or AVIF picture: convert it to PNG",
    (".svg", ".eps", ".ps", ".ai", ".pdf", ".wmf", ".emf"): "drawing of lines: export it as PNG in the image's size",
    (".psd", ".xcf", ".kra"): "layers of an image editor: export the one that is meant as PNG",
    (".dng", ".cr2", ".cr3", ".nef", ".arw"): "camera raw file: convert it to PNG",
    (".pgm", ".ppm", ".pbm", ".pnm", ".tga", ".pcx", ".j2k", ".jxl"): "a format that is not read: convert it to PNG",
    (".json", ".xml", ".npy", ".npz", ".mat"): "no picture: masks are read from pictures such as PNG",
    _ARCHIVES: "archive: unpack it",
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
        >>> image_of_label("label0003", {"img0003", "label0003"}), image_of_label("a-seg", {"a-t1", "a-t2", "a-seg"})
        ('img0003', 'a-t1')
    """
    names = {name.lower(): name for name in sorted(stems, reverse=True)}
    if match := LABEL_ENDING.fullmatch(stem):
        case = match[1].lower()
        images = [case, *(case + separator + word for separator in SEPARATORS for word in IMAGE_WORDS)]
    elif match := LABEL_START.fullmatch(stem):
        case = (match[1] or match[2]).lower()
        images = [case, *(word + separator + case for separator in ("", *SEPARATORS) for word in IMAGE_WORDS)]
    else:
        images = IMAGE_WORDS if stem.lower() in LABEL_WORDS else []
    if image := next((names[image] for image in images if image in names), None):
        return image
    if not (match := LABEL_ENDING.fullmatch(stem)):
        return None
    # Images of several sequences beside one label map.
    starts = tuple(match[1] + separator for separator in SEPARATORS)
    others = (name for name in sorted(stems) if name.startswith(starts) and not LABEL_ENDING.fullmatch(name))
    return next(others, None)


def further_channels(stems: Iterable[str]) -> dict[str, str]:
    """Return the files that are second and further channels of a case in nnU-Net's names -> its first channel.

    Files ``a_0000``, ``a_0001`` are channels where no case has numbers above 3: ``scan_0000`` to ``scan_0009`` are ten
    scans. Not every case need have all of them, or even the first one.

    Example:
        >>> further_channels(["a_0000", "a_0001", "b_0000", "c_0001"])
        {'a_0001': 'a_0000', 'c_0001': 'c_0000'}
        >>> further_channels([f"scan_{number:04}" for number in range(9)])
        {}
    """
    channels: dict[str, list[int]] = {}
    for stem in stems:
        if match := CHANNEL.fullmatch(stem):
            channels.setdefault(match[1], []).append(int(match[2]))
    numbers = {number for found in channels.values() for number in found}
    if max(map(len, channels.values()), default=0) < 2 or 0 not in numbers or max(numbers) > 3:
        return {}
    return {
        f"{case}_{number:04}": f"{case}_0000" for case, found in channels.items() for number in sorted(found) if number
    }


def is_detached_data(path: Path, files: Iterable[Path]) -> bool:
    """Return whether a file holds, by its name, the data of one of the headers among files (``a.raw`` of ``a.mhd``)."""
    headers = {file.name.removesuffix(file.suffix) for file in files if file.suffix.lower() in (".mhd", ".nhdr")}
    return path.name.partition(".raw")[0].partition(".zraw")[0] in headers


def other_content(path: Path, suffixes: tuple[str, ...], series: bool) -> str:
    """Return why a file or folder is no image.

    Args:
        path: a file or folder in the input folder.
        suffixes: suffixes of images, in lower case.
        series: whether DICOM series are images.
    """
    if path.is_symlink() and not path.exists():
        return "link to a file that is not there: fetch it (git annex get, datalad get)"
    if path.is_dir():
        return _folder_content(path, suffixes, series)
    name = path.name.lower()
    if name.endswith(suffixes):
        return "hidden file"
    formats = (OTHER_FORMATS if series else OTHER_PICTURES).items()
    return next((reason for endings, reason in formats if name.endswith(endings)), "a suffix that is not read")


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
