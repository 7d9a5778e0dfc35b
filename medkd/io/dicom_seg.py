"""Label maps as DICOM segmentations (DICOM-SEG) of the series that was segmented."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module, metadata
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from medkd.runs.files import write_atomically

from .colours import class_colour
from .dicom_series import find_series
from .segment_codes import SegmentCodes

__all__ = ["Segments", "check_libraries", "check_series", "write_dicom_seg"]

_OLDEST = (0, 28)  # highdicom, with colours from RGB
_LONGEST = 64  # characters of a DICOM text of type LO
_UIDS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
# What the patient and study of a segmentation must have, if without a value. Series that were made anonymous lack some.
_MAY_BE_EMPTY = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID", "StudyDate"),
    *("StudyTime", "ReferringPhysicianName"),
)
_SERIES_OFFSET = 1000  # from the number of the source's series
_LARGEST = 2**31 - 1  # number of type IS


def check_libraries() -> None:
    """Check that highdicom, and with it pydicom, is installed.

    Raises:
        ValueError: says how to install it.
    """
    try:
        highdicom = import_module("highdicom")
    except ImportError:
        found = "no highdicom"
    else:
        if tuple(map(int, re.findall(r"\d+", highdicom.__version__)[:2])) >= _OLDEST:
            return
        found = f"highdicom {highdicom.__version__}"
    expected = ".".join(map(str, _OLDEST))
    raise ValueError(
        f'--format dicom-seg: found {found}, expected {expected} or later: pip install -e ".[dicom]" in the clone of medkd'
    )


class Segments(NamedTuple):
    """The segments of a segmentation.

    Attributes:
        classes: value -> name of the foreground classes, numbered from 1.
        codes: value -> what the segment is.
        kind: "binary": one bit for a voxel and segment; "labelmap": one byte for a voxel.
        algorithm: name of the algorithm that found them.
    """

    classes: Mapping[int, str]
    codes: Mapping[int, SegmentCodes]
    kind: str
    algorithm: str

    def check(self) -> None:
        """Check the names of the classes.

        Raises:
            ValueError: names the class that cannot be the name of a segment.
        """
        for name in self.classes.values():
            if not 0 < len(name) <= _LONGEST or "\\" in name or not name.isprintable():
                raise ValueError(
                    f"--format dicom-seg: found the class {name[:80]!r}, expected 1 to {_LONGEST} characters, no backslash"
                )


class _Source(NamedTuple):
    """The series that was segmented: the headers of its slices in order, and sentences on what was guessed."""

    slices: list[Any]
    notes: list[str]


def check_series(folder: Path, segments: Segments) -> None:
    """Check that a segmentation can refer to a DICOM series, and print what will be guessed.

    Raises:
        ValueError: if it is no such series, or its slices have no identifiers, or those of several frames of reference.
    """
    if not folder.is_dir():
        raise ValueError(
            f"{folder}: found a file, expected a folder with a DICOM series: --format dicom-seg refers to its slices"
        )
    source = _read_source(folder)
    for note in source.notes:
        print(f"note: {folder}: {note}", file=sys.stderr, flush=True)
    first = source.slices[0]
    try:
        _segmentation(source._replace(slices=[first]), np.zeros((1, first.Rows, first.Columns), np.uint8), segments)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{folder}: cannot be the source of a DICOM-SEG ({error})") from error


def write_dicom_seg(labels: np.ndarray, path: Path, folder: Path, segments: Segments) -> None:
    """Write a label map as a segmentation of its series, with all frames of each segment, empty ones too.

    Patient, study and frame of reference are the source's, and frame i lies where its slice i lies.

    Args:
        labels: ``(columns, rows, slices)`` uint8, as `read_series` orders them.
        path: the file.
        folder: with the series.
        segments: the classes.

    Raises:
        ValueError: see `check_series`.
    """
    segmentation = _segmentation(_read_source(folder), np.ascontiguousarray(labels.T), segments)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of values of the source, which are copied
        write_atomically(path, segmentation.save_as)


def _read_source(folder: Path) -> _Source:
    pydicom = import_module("pydicom")
    files, affine = find_series(folder)
    normal = np.cross(affine[:3, 0], affine[:3, 1])
    step = abs(float(affine[:3, 2] @ normal / np.linalg.norm(normal)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        slices = [pydicom.dcmread(file, stop_before_pixels=True, force=True) for file in files]
        _check_identifiers(folder, files, slices)
        for header in slices:
            # a scanner's own value may be the distance of other slices, or 0
            header.SpacingBetweenSlices = pydicom.valuerep.DSfloat(step, auto_format=True)
            header.SliceThickness = header.get("SliceThickness") or header.SpacingBetweenSlices
        return _Source(slices, _complete(slices))


def _check_identifiers(folder: Path, files: Sequence[Path], slices: Sequence[Any]) -> None:
    for file, header in zip(files, slices, strict=True):
        if missing := [name for name in _UIDS if not header.get(name)]:
            raise ValueError(f"{file}: found no {missing[0]}, expected one: a DICOM-SEG refers to it")
    for name in ("StudyInstanceUID", "FrameOfReferenceUID"):
        if len(values := {str(header.get(name, "")) for header in slices}) > 1:
            raise ValueError(f"{folder}: found {len(values)} values of {name} among the slices, expected one")
    if len({header.SOPInstanceUID for header in slices}) < len(slices):
        raise ValueError(f"{folder}: found slices with one SOPInstanceUID, expected another one for each slice")


def _complete(slices: Sequence[Any]) -> list[str]:
    """Add to headers what is missing or has no valid value, and return notes."""
    highdicom, valuerep = import_module("highdicom"), import_module("pydicom.valuerep")
    valid: dict[str, Callable[[Any], Any]] = {
        "PatientBirthDate": valuerep.DA,
        "StudyDate": valuerep.DA,
        "StudyTime": valuerep.TM,
        "PatientSex": lambda sex: highdicom.PatientSexValues(sex) if sex else None,
    }
    notes = []
    for name in _MAY_BE_EMPTY:
        try:
            valid.get(name, str)(slices[0].get(name))
        except ValueError:
            notes.append(f"found the {name} {str(slices[0].get(name))[:40]!r}, which DICOM does not know: left empty")
            for header in slices:
                setattr(header, name, None)
    frame_of_reference = slices[0].get("FrameOfReferenceUID")
    if not frame_of_reference:
        generate = import_module("pydicom.uid").generate_uid
        frame_of_reference = generate(entropy_srcs=[slices[0].SeriesInstanceUID])
        notes.append(
            "its slices have no FrameOfReferenceUID: the segmentation has one that was made of the series' UID"
        )
    for header in slices:
        header.FrameOfReferenceUID = frame_of_reference
        for name in _MAY_BE_EMPTY:
            if name not in header:
                setattr(header, name, None)
    return notes


def _segmentation(source: _Source, frames: np.ndarray, segments: Segments) -> Any:
    """Build the segmentation of frames ``(slices, rows, columns)``."""
    highdicom, uid = import_module("highdicom"), import_module("pydicom.uid")
    names, first, kind = ", ".join(segments.classes.values()), source.slices[0], segments.kind.upper()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return highdicom.seg.Segmentation(
            source_images=source.slices,
            pixel_array=frames,
            segmentation_type=kind,
            segment_descriptions=_descriptions(segments),
            series_instance_uid=highdicom.UID(),
            series_number=min(_SERIES_OFFSET + max(0, int(first.get("SeriesNumber") or 0)), _LARGEST),
            sop_instance_uid=highdicom.UID(),
            instance_number=1,
            manufacturer="medkd",
            manufacturer_model_name="medkd",
            software_versions=_version(),
            device_serial_number="none",
            content_label="SEGMENTATION",
            content_description=names[:_LONGEST],
            series_description=f"Segmentation: {names}"[:_LONGEST],
            specific_character_set="ISO_IR 192",  # UTF-8
            # a label map has long runs of one value; bits cannot be compressed in a way that readers know
            transfer_syntax_uid=uid.RLELossless if kind == "LABELMAP" else uid.ExplicitVRLittleEndian,
            # with all frames the grid is the source's, and an empty segment is nothing special
            omit_empty_frames=False,
        )


def _descriptions(segments: Segments) -> list[Any]:
    highdicom = import_module("highdicom")
    dicom_codes = import_module("pydicom.sr.codedict").codes
    identification = highdicom.AlgorithmIdentificationSequence(
        name=segments.algorithm, version=_version(), family=dicom_codes.DCM.ArtificialIntelligence
    )
    return [
        highdicom.seg.SegmentDescription(
            segment_number=value,
            segment_label=name,
            segmented_property_category=segments.codes[value].category,
            segmented_property_type=segments.codes[value].type,
            algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
            algorithm_identification=identification,
            display_color=highdicom.color.CIELabColor.from_rgb(*class_colour(value)),
        )
        for value, name in sorted(segments.classes.items())
    ]


def _version() -> str:
    """Return the version of medkd; a packed bundle runs without it."""
    try:
        return metadata.version("medkd")
    except metadata.PackageNotFoundError:
        return "unknown"
