"""Reading a folder with the slices of one DICOM series."""

from __future__ import annotations

import locale
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import SimpleITK as sitk

__all__ = ["LPS_TO_RAS", "is_dicom_folder", "kept_locale", "read_series"]

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
# ITK prints its warnings past Python. The ones that matter are raised here as errors.
sitk.ProcessObject.SetGlobalWarningDisplay(False)
# Scanners round positions: slices of 0.625 mm lie at steps of 0.6 and 0.7. A missing slice changes a step by a whole one.
STEP_TOLERANCE = 0.1  # mm
POSITION, ORIENTATION, DESCRIPTION = "0020|0032", "0020|0037", "0008|103e"


def is_dicom_folder(folder: Path) -> bool:
    """Return whether a file in the folder (not below it) has the mark of a DICOM file."""
    return folder.is_dir() and any(_is_dicom(file) for file in sorted(folder.iterdir()))


def _is_dicom(file: Path) -> bool:
    if not file.is_file() or file.name == "DICOMDIR":
        return False
    with open(file, "rb") as stream:
        return stream.read(132)[128:] == b"DICM"


@contextmanager
def kept_locale() -> Iterator[None]:
    """Restore the locale of the process after the block.

    GDCM sets it to C, with which Python would read and write text files as ASCII from then on.
    """
    before = locale.setlocale(locale.LC_ALL)
    try:
        yield
    finally:
        locale.setlocale(locale.LC_ALL, before)


@kept_locale()
def read_series(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read the volume of a DICOM series.

    Slices are sorted by position. The affine takes the step between slices as it is, so a tilted gantry is kept.

    Returns:
        The array ``(columns, rows, slices)`` float32, rescaled as the files say (HU in CT), and the affine ``(4, 4)``,
        voxel indices to mm in RAS+.

    Raises:
        ValueError: no series or several, one slice or a file of many frames, slices that are missing, uneven, doubled, or
            of different orientation or size.
    """
    files, infos = _sorted_slices(folder)
    positions, axes = _geometry(folder, infos)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(files)
    reader.SetOutputPixelType(sitk.sitkFloat32)  # the rescale factors may differ from slice to slice
    try:
        array = sitk.GetArrayFromImage(reader.Execute()).T
    except RuntimeError as error:
        reason = " ".join(str(error).strip().splitlines()[-1].split())
        raise ValueError(f"{folder}: DICOM slices are unreadable or of different sizes ({reason[:120]})") from error
    columns, rows = infos[0].GetSpacing()[:2]
    affine = np.eye(4)
    affine[:3, :3] = np.column_stack(
        (axes[0] * columns, axes[1] * rows, positions[1:].mean(0) - positions[:-1].mean(0))
    )
    affine[:3, 3] = positions[0]
    return array, LPS_TO_RAS @ affine


def _sorted_slices(folder: Path) -> tuple[list[str], list[sitk.ImageFileReader]]:
    series = sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
    if not series and not is_dicom_folder(folder):
        raise ValueError(f"{folder}: no DICOM series in it")
    infos_of = {
        uid: [_info(file) for file in sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), uid)] for uid in series
    }
    listed = {Path(info.GetFileName()) for infos in infos_of.values() for info in infos}
    if unread := sorted(file for file in folder.iterdir() if _is_dicom(file) and file not in listed):
        raise ValueError(f"{unread[0]}: unreadable or truncated DICOM file")  # GDCM skips it silently
    if len(infos_of) > 1:
        names = ", ".join(
            f"{_tag(infos[0], DESCRIPTION) or uid} ({len(infos)} files)" for uid, infos in infos_of.items()
        )
        raise ValueError(f"{folder}: {len(infos_of)} DICOM series: {names}; expected one per folder")
    (infos,) = infos_of.values()
    if len(infos) < 2:
        has_frames = infos[0].GetDimension() == 3 and infos[0].GetSize()[2] > 1
        content = "one file of many frames: convert it to NIfTI" if has_frames else "one slice"
        raise ValueError(f"{folder}: the DICOM series is {content}, expected one file per slice")
    unplaced = [info.GetFileName() for info in infos if not (_tag(info, POSITION) and _tag(info, ORIENTATION))]
    if unplaced:
        raise ValueError(f"{unplaced[0]}: no position or orientation of the slice in its DICOM header")
    normal = np.cross(*_numbers(infos[0], ORIENTATION).reshape(2, 3))
    infos.sort(key=lambda info: float(normal @ _numbers(info, POSITION)))
    return [info.GetFileName() for info in infos], infos


def _geometry(folder: Path, infos: list[sitk.ImageFileReader]) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of the slices ``(slices, 3)`` and the directions of columns and rows ``(2, 3)``, in LPS."""
    orientations = np.array([_numbers(info, ORIENTATION) for info in infos])
    if np.ptp(orientations, axis=0).max() > 1e-3:
        raise ValueError(f"{folder}: DICOM slices of different orientations: a localizer among them?")
    positions = np.array([_numbers(info, POSITION) for info in infos])
    axes = orientations[0].reshape(2, 3)
    steps = np.diff(positions @ np.cross(*axes))
    if steps.min() < 1e-3:
        raise ValueError(f"{folder}: two DICOM slices at one position: several volumes in the series?")
    if np.ptp(steps) > max(STEP_TOLERANCE, 0.02 * np.median(steps)) + 1e-6:
        raise ValueError(
            f"{folder}: DICOM slices are missing or uneven: steps of {steps.min():.4g} to {steps.max():.4g} mm "
            f"(between slices {steps.argmax() + 1} and {steps.argmax() + 2} of {len(infos)})"
        )
    return positions, axes


def _info(file: str) -> sitk.ImageFileReader:
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(file)
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise ValueError(f"{file}: unreadable DICOM header") from error
    return reader


def _tag(info: sitk.ImageFileReader, tag: str) -> str:
    return info.GetMetaData(tag).strip() if info.HasMetaDataKey(tag) else ""


def _numbers(info: sitk.ImageFileReader, tag: str) -> np.ndarray:
    return np.array([float(number) for number in _tag(info, tag).split("\\")])
