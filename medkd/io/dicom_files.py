"""Which files of a folder hold slices of a DICOM series, and what the others are."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from .file_content import describe_content, read_start

__all__ = ["dicom_tag", "find_slices", "is_dicom_folder", "tag_numbers", "transfer_syntax"]

# ITK prints its warnings past Python. The ones that matter are raised here as errors.
sitk.ProcessObject.SetGlobalWarningDisplay(False)
START = 1024  # bytes
SUFFIXES = (".dcm", ".ima", ".dicom")
# What files without the mark DICM begin with: an element of group 2 or 8, little-endian.
BARE_STARTS = tuple(struct.pack("<HH", *tag) for tag in ((2, 0), (2, 1), (2, 2), (8, 0), (8, 5), (8, 8), (8, 22)))
STORAGE = "1.2.840.10008.5.1.4.1.1."
CAPTURE = f"{STORAGE}7"
# SOP classes whose files hold no slices of a scan, the longer ones first.
OTHER_CLASSES = {
    "1.2.840.10008.1.3.10": "index of a medium",
    f"{STORAGE}88.": "report",
    f"{STORAGE}11.": "presentation state",
    f"{STORAGE}104.": "document",
    f"{STORAGE}481.2": "radiotherapy dose",
    f"{STORAGE}481.3": "radiotherapy structures",
    f"{STORAGE}481.": "radiotherapy object",
    f"{STORAGE}66.4": "segmentation",
    f"{STORAGE}66.7": "segmentation",
    f"{STORAGE}66.": "registration, fiducials or surface",
    f"{STORAGE}67": "table of values",
    f"{STORAGE}9.": "waveform",
    f"{STORAGE}4.2": "spectroscopy",
}
CLASS, IMAGE_TYPE = "0008|0016", "0008|0008"


def is_dicom_folder(folder: Path) -> bool:
    """Return whether a file in the folder (not below it) is a DICOM file that may hold a slice."""
    return folder.is_dir() and any(
        file.is_file() and (start := _read_start(file)) is not None and not _other_content(_meta_uid(start, 2))
        for file in sorted(folder.iterdir())
    )


def find_slices(folder: Path) -> tuple[list[sitk.ImageFileReader], dict[str, str]]:
    """Return the headers of the slices in a folder, and what was skipped: name of the file -> what it is.

    Localizers and screenshots (secondary captures) are skipped beside other slices.

    Raises:
        ValueError: no slice, or a DICOM file that cannot be read.
    """
    infos: list[sitk.ImageFileReader] = []
    skipped: dict[str, str] = {}
    damaged: dict[str, str] = {}
    for file in sorted(path for path in folder.iterdir() if path.is_file()):
        start = _read_start(file)
        if start is None and file.name.startswith("."):
            continue
        if start is None and file.name.lower().endswith(SUFFIXES):
            damaged[file.name] = describe_content(read_start(file))
        elif start is None:
            skipped[file.name] = "no DICOM"
        elif content := _other_content(_meta_uid(start, 2)):
            skipped[file.name] = content
        else:
            infos.append(_info(file))
    beside = {id(info): _beside_slices(info) for info in infos}
    if not all(beside.values()):
        skipped |= {Path(info.GetFileName()).name: beside[id(info)] for info in infos if beside[id(info)]}
        infos = [info for info in infos if not beside[id(info)]]
    if not infos:
        below = next((path for path in sorted(folder.rglob("*")) if is_dicom_folder(path)), None)
        place = f"; there is one in {below}" if below else ""
        raise ValueError(f"{folder}: no DICOM series in it{_listed({**skipped, **damaged})}{place}")
    for name, content in damaged.items():
        raise ValueError(f"{folder / name}: found {content}, expected DICOM")
    return infos, skipped


def _listed(skipped: Mapping[str, str]) -> str:
    return f" (found {name_files(skipped)})" if skipped else ""


def name_files(contents: Mapping[str, str], most: int = 4) -> str:
    """Return files and what they are as one text: the first few by name."""
    names = [f"{name} ({content})" for name, content in contents.items()]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def dicom_tag(info: sitk.ImageFileReader, tag: str) -> str:
    """Return the text of a tag such as ``"0020|0032"``; empty where the header has none."""
    # The text of a file in another character set may be no UTF-8.
    return info.GetMetaData(tag).strip("\0 ") if info.HasMetaDataKey(tag) else ""


def tag_numbers(info: sitk.ImageFileReader, tag: str, count: int) -> np.ndarray | None:
    """Return the numbers of a tag; None where there are not ``count`` finite ones."""
    try:
        numbers = np.array([float(number) for number in dicom_tag(info, tag).split("\\")])
    except ValueError:
        return None
    return numbers if len(numbers) == count and np.isfinite(numbers).all() else None


def _read_start(file: Path) -> bytes | None:
    """Return the first bytes of a DICOM file; None for another file."""
    with open(file, "rb") as stream:
        start = stream.read(START)
    return start if start[128:132] == b"DICM" or start[:4] in BARE_STARTS else None


def transfer_syntax(file: Path) -> str:
    """Return the UID of the way in which a file is encoded, for messages."""
    return _meta_uid(_read_start(file) or b"", 16) or "not said"


def _meta_uid(start: bytes, element: int) -> str:
    """Return a UID of group 2: the SOP class (element 2) or the transfer syntax (16); empty where there is none."""
    match = re.search(re.escape(struct.pack("<HH", 2, element)) + rb"UI..([0-9.]{1,64})", start, re.DOTALL)
    return match[1].decode() if match else ""


def _other_content(sop_class: str) -> str:
    return next(
        (content for prefix, content in OTHER_CLASSES.items() if f"{sop_class}.".startswith(_dotted(prefix))), ""
    )


def _dotted(prefix: str) -> str:
    return prefix if prefix.endswith(".") else f"{prefix}."


def _beside_slices(info: sitk.ImageFileReader) -> str:
    """Return what an image is that does not belong to the slices beside it; empty for a slice."""
    if "LOCALIZER" in dicom_tag(info, IMAGE_TYPE).upper().split("\\"):
        return "localizer"
    return "secondary capture" if f"{dicom_tag(info, CLASS)}.".startswith(f"{CAPTURE}.") else ""


def _info(file: Path) -> sitk.ImageFileReader:
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(file))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise ValueError(
            f"{file}: unreadable or truncated DICOM file (transfer syntax {transfer_syntax(file)})"
        ) from error
    return reader
