"""Reading a folder with the slices of one DICOM series."""

from __future__ import annotations

import locale
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from .dicom_files import dicom_tag, find_slices, is_dicom_folder, name_files, tag_numbers, transfer_syntax
from .volume import Volume

__all__ = ["LPS_TO_RAS", "find_series", "is_dicom_folder", "kept_locale", "read_series"]

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
# Scanners round positions: slices of 0.625 mm lie at steps of 0.6 and 0.7. A missing slice changes a step by a whole one.
STEP_TOLERANCE = 0.1  # mm
SPACING_TOLERANCE = 1e-3  # of the pixel spacing
POSITION, ORIENTATION, SPACING = "0020|0032", "0020|0037", "0028|0030"
STEP = "0018|0088"
SERIES, DESCRIPTION, PHOTOMETRIC, INSTANCE = "0020|000e", "0008|103e", "0028|0004", "0008|0018"
# Distances on a detector or a film, not in the patient.
OTHER_SPACINGS = {"0018|1164": "ImagerPixelSpacing", "0018|2010": "NominalScannedPixelSpacing"}
# What may tell the volumes apart that one series holds.
VOLUME_TAGS = {
    "0020|0012": "AcquisitionNumber",
    "0018|0086": "EchoNumbers",
    "0020|0100": "TemporalPositionIdentifier",
    "0018|1060": "TriggerTime",
    "0018|9087": "DiffusionBValue",
    "0008|0008": "ImageType",
    "0008|0032": "AcquisitionTime",
}


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
def read_series(folder: Path) -> Volume:
    """Read the volume of a DICOM series.

    Slices are sorted by position. The affine takes the step between slices as it is, so a tilted gantry is kept.

    Returns:
        The array ``(columns, rows, slices)`` float32, rescaled as the files say (HU in CT), the affine, and notes on skipped
        files.

    Raises:
        ValueError: no series or several, one slice or a file of many frames, slices that are missing, uneven, doubled, or
            of different orientation, pixel spacing or size.
    """
    infos, affine, skipped = _slices(folder)
    reader = sitk.ImageSeriesReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileNames([info.GetFileName() for info in infos])
    reader.SetOutputPixelType(sitk.sitkFloat32)  # the rescale factors may differ from slice to slice
    try:
        array = sitk.GetArrayFromImage(reader.Execute()).T
    except RuntimeError as error:
        # The lines before the last name ITK's source files, and the last one an address in memory.
        reason = " ".join(re.sub(r"ITK ERROR: |\(0x[0-9a-f]+\)", "", str(error).strip().splitlines()[-1]).split())
        raise ValueError(
            f"{folder}: DICOM slices are unreadable: truncated, or compressed in a way that is not known (transfer syntax "
            f"{transfer_syntax(Path(infos[0].GetFileName()))}; {reason[:120]})"
        ) from error
    notes = [f"skipped {name_files(skipped)}: no slices of the series"] if skipped else []
    return Volume(array, LPS_TO_RAS @ affine, tuple(notes))


@kept_locale()
def find_series(folder: Path) -> tuple[list[Path], np.ndarray]:
    """Return the files of a DICOM series in the order of their slices in `read_series`, and its affine.

    Raises:
        ValueError: as `read_series`, except for pixels that cannot be read.
    """
    infos, affine, _ = _slices(folder)
    return [Path(info.GetFileName()) for info in infos], LPS_TO_RAS @ affine


def _slices(folder: Path) -> tuple[list[sitk.ImageFileReader], np.ndarray, dict[str, str]]:
    """Return the slices in order of position, the affine in LPS, and the skipped files."""
    infos, skipped = find_slices(folder)
    _check_one_series(folder, infos)
    _check_placed(infos)
    return *_sorted_slices(folder, infos), skipped


def _check_one_series(folder: Path, infos: list[sitk.ImageFileReader]) -> None:
    series: dict[str, list[sitk.ImageFileReader]] = {}
    for info in infos:
        series.setdefault(dicom_tag(info, SERIES), []).append(info)
    if len(series) > 1:
        names = ", ".join(
            f"{dicom_tag(ones[0], DESCRIPTION) or uid} ({len(ones)} files)" for uid, ones in series.items()
        )
        raise ValueError(f"{folder}: {len(series)} DICOM series: {names}; expected one per folder")
    if any(info.GetDimension() == 3 and info.GetSize()[2] > 1 for info in infos):
        content = "one file" if len(infos) == 1 else "files"
        raise ValueError(
            f"{folder}: the DICOM series is {content} of many frames: convert it to NIfTI, expected one file per slice"
        )
    if len(infos) < 2:
        raise ValueError(f"{folder}: the DICOM series is one slice, expected one file per slice")


def _check_placed(infos: list[sitk.ImageFileReader]) -> None:
    """Raise ValueError for a slice whose header lacks its position, orientation or pixel spacing, or is in colour."""
    for info in infos:
        file = info.GetFileName()
        axes, spacing = tag_numbers(info, ORIENTATION, 6), tag_numbers(info, SPACING, 2)
        if tag_numbers(info, POSITION, 3) is None or axes is None:
            raise ValueError(f"{file}: no position or orientation of the slice in its DICOM header")
        if not np.allclose(axes.reshape(2, 3) @ axes.reshape(2, 3).T, np.eye(2), atol=0.01):
            raise ValueError(f"{file}: found orientation {axes.tolist()}, expected two unit vectors at a right angle")
        if spacing is None or spacing.min() <= 0:
            others = [name for tag, name in OTHER_SPACINGS.items() if dicom_tag(info, tag)]
            reason = f" ({others[0]} is no distance in the patient)" if others else ""
            raise ValueError(
                f"{file}: found {dicom_tag(info, SPACING) or 'no'} pixel spacing in its DICOM header (PixelSpacing), expected "
                f"two lengths above 0{reason}"
            )
        if (step := tag_numbers(info, STEP, 1)) is not None and step[0] == 0:
            # ITK makes no image whose slices lie 0 mm apart, though their positions say how far they do
            raise ValueError(
                f"{file}: found 0 mm between slices in its DICOM header (SpacingBetweenSlices), expected none or a length "
                "above 0: remove it from the files"
            )
        if (kind := dicom_tag(info, PHOTOMETRIC)) == "MONOCHROME1" or info.GetNumberOfComponents() > 1:
            # GDCM reads MONOCHROME1 inverted, whatever the numbers mean.
            content = "inverted grey values" if kind == "MONOCHROME1" else "colours"
            raise ValueError(f"{file}: found {content} ({kind}), expected MONOCHROME2: convert the series")


def _numbers(infos: list[sitk.ImageFileReader], tag: str, count: int) -> np.ndarray:
    """Return the numbers of a tag that every slice has, ``(slices, count)``."""
    return np.array([tag_numbers(info, tag, count) for info in infos], dtype=np.float64)


def _sorted_slices(folder: Path, infos: list[sitk.ImageFileReader]) -> tuple[list[sitk.ImageFileReader], np.ndarray]:
    """Return the slices in order of position, and the affine ``(4, 4)``, voxel indices to mm in LPS."""
    orientations, spacings = _numbers(infos, ORIENTATION, 6), _numbers(infos, SPACING, 2)
    if np.ptp(orientations, axis=0).max() > 1e-3:
        raise ValueError(f"{folder}: DICOM slices of different orientations: a localizer among them?")
    if len(sizes := sorted({info.GetSize()[:2] for info in infos})) > 1:
        raise ValueError(f"{folder}: DICOM slices of different sizes (columns, rows): {sizes[0]} and {sizes[1]}")
    low, high = spacings.min(axis=0), spacings.max(axis=0)
    if (high > low * (1 + SPACING_TOLERANCE)).any():
        raise ValueError(
            f"{folder}: DICOM slices of different pixel spacing: {low[0]:g} x {low[1]:g} to {high[0]:g} x {high[1]:g} mm"
        )
    axes = _numbers(infos[:1], ORIENTATION, 6).reshape(2, 3)
    normal = np.cross(*axes)
    infos = sorted(infos, key=lambda info: float(normal @ _numbers([info], POSITION, 3)[0]))
    positions, axes = _numbers(infos, POSITION, 3), _numbers(infos[:1], ORIENTATION, 6).reshape(2, 3)
    _check_steps(folder, infos, np.diff(positions @ np.cross(*axes)))
    rows, columns = _numbers(infos[:1], SPACING, 2)[0]
    affine = np.eye(4)
    affine[:3, :3] = np.column_stack(
        (axes[0] * columns, axes[1] * rows, positions[1:].mean(0) - positions[:-1].mean(0))
    )
    affine[:3, 3] = positions[0]
    return infos, affine


def _check_steps(folder: Path, infos: list[sitk.ImageFileReader], steps: np.ndarray) -> None:
    if steps.min() < 1e-3:
        pair = infos[steps.argmin()], infos[steps.argmin() + 1]
        tags = [name for tag, name in VOLUME_TAGS.items() if len({dicom_tag(info, tag) for info in pair}) > 1]
        names = " and ".join(Path(info.GetFileName()).name for info in pair)
        difference = f", which differ in {', '.join(tags)}" if tags else ""
        if len({dicom_tag(info, INSTANCE) for info in pair}) == 1:
            difference = ", copies of one slice"
        raise ValueError(
            f"{folder}: two DICOM slices at one position: several volumes in the series? ({names}{difference}) Keep one"
        )
    step = float(np.median(steps))
    if np.ptp(steps) > min(max(STEP_TOLERANCE, 0.02 * step), 0.5 * step) + 1e-6:
        raise ValueError(
            f"{folder}: DICOM slices are missing or uneven: steps of {steps.min():.4g} to {steps.max():.4g} mm "
            f"(between slices {steps.argmax() + 1} and {steps.argmax() + 2} of {len(infos)})"
        )
