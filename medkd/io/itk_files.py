"""Reading NRRD and MetaImage files with SimpleITK, and what their headers leave open."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from .dicom_series import LPS_TO_RAS
from .file_content import DEFLATE_LIMIT, describe_content, read_start
from .itk_headers import Header, check_data_sizes, read_header
from .volume import Volume

__all__ = ["read_itk_file"]

NRRD_SPACES = {"lps", "ras", "las", "left-posterior-superior", "right-anterior-superior", "left-anterior-superior"}
# Fields with a number for each axis, or for each pair of axes, which MetaIO reads without looking.
METAIMAGE_NUMBERS = (
    *((name, 1) for name in ("elementspacing", "elementsize", "offset", "position", "origin", "centerofrotation")),
    *((name, 2) for name in ("transformmatrix", "rotation", "orientation")),
)
MM_PER_UNIT = {
    "m": 1000.0,
    "cm": 10.0,
    "mm": 1.0,
    "um": 0.001,
    "\u00b5m": 0.001,
    "\u03bcm": 0.001,
    "nm": 1e-6,
    "in": 25.4,
}
LONG_UNITS = {"meter": "m", "metre": "m", "centi": "cm", "milli": "mm", "micro": "um", "nano": "nm", "inch": "in"}
NO_UNITS = {"?", "???", "none", "unknown", "unspecified", "pixel", "pixels", "voxel", "voxels"}


def read_itk_file(path: Path, has_channels: bool = False) -> Volume:
    """Return the voxels and the place of an NRRD or MetaImage file.

    Args:
        path: of the file.
        has_channels: whether several values per voxel, or a fourth axis, are channels: they become the last axis.

    Raises:
        ValueError: for a file that is of neither format, is truncated or lacks its data, several values per voxel, or other
            than three axes.
    """
    is_nrrd = path.name.lower().endswith((".nrrd", ".nhdr"))
    start = read_start(path)
    if not (start.startswith(b"NRRD") if is_nrrd else b"NDims" in start):
        raise ValueError(f"{path}: found {describe_content(start)}, expected {'NRRD' if is_nrrd else 'MetaImage'}")
    header = read_header(path, is_nrrd)
    fields = header.fields
    _check_shape(path, header, is_nrrd)
    for name in ("spacings",) if is_nrrd else ("elementspacing", "elementsize"):
        _check_spacing(path, fields.get(name))
    check_data_sizes(path, header)
    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]  # the lines before it name ITK's source files
        raise ValueError(f"{path} is unreadable or truncated ({' '.join(reason.split())[:120]})") from error
    layers = image.GetNumberOfComponentsPerPixel()
    if layers > 1 and not has_channels:
        content = "overlapping segments: export them as one label map" if ".seg." in path.name else "colours or layers"
        raise ValueError(f"{path} has {layers} values per voxel ({content}), expected one")
    if image.GetDimension() == 4 and image.GetSize()[3] == 1:
        image = image[:, :, :, 0]
    array = sitk.GetArrayFromImage(image).T
    axes = image.GetDimension()
    if axes != 3 and not (axes == 4 and has_channels):
        raise ValueError(f"{path} has shape {array.shape}: {axes} axes, expected three axes")
    array = np.moveaxis(array, 0, -1) if layers > 1 else array
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (axes, axes))[:3, :3] * image.GetSpacing()[:3]
    affine[:3, 3] = image.GetOrigin()[:3]
    notes = _missing_nrrd(fields) if is_nrrd else _missing_metaimage(fields)
    unit, scale = _unit(path, fields)
    if unit in NO_UNITS:
        notes.append(f"the header's unit is {unit!r}: sizes and places are taken for mm")
    elif scale != 1:
        affine[:3] *= scale
        notes.append(f"the header's unit is {unit}: sizes and places are scaled to mm")
    array = _intensities(path, fields, array)
    return Volume(array, LPS_TO_RAS @ affine, tuple(notes))


def _check_shape(path: Path, header: Header, is_nrrd: bool) -> None:
    """Raise ValueError for lengths that ITK would crash on or allocate memory for, though no such data can be there."""
    fields = header.fields
    axes, text = fields.get("dimension" if is_nrrd else "ndims", ""), fields.get("sizes" if is_nrrd else "dimsize", "")
    lengths = [int(word) if word.isdecimal() else 0 for word in text.split()]
    if not axes.isdecimal() or int(axes) != len(lengths) or not 1 <= len(lengths) <= 8 or min(lengths) < 1:
        raise ValueError(
            f"{path}: found {axes or 'no'} axes of lengths {text or 'none'}, expected three lengths above 0"
        )
    for name, count in () if is_nrrd else METAIMAGE_NUMBERS:
        if name in fields and len(fields[name].split()) != len(lengths) ** count:
            raise ValueError(f"{path}: found {name} {fields[name]}, expected {len(lengths) ** count} numbers")
    most = sum(file.stat().st_size for file in header.files or (path,)) * DEFLATE_LIMIT
    if math.prod(lengths) > most:
        raise ValueError(
            f"{path}: found lengths {text}, expected no more voxels than {most}, which the file could hold"
        )


def _check_spacing(path: Path, text: str | None) -> None:
    """Raise ValueError for voxel sizes that are not above 0, which ITK would replace by 1 or take for a flipped axis."""
    try:
        sizes = [1.0] if text is None else [float(word) for word in text.split()]
    except ValueError:
        sizes = []
    if not sizes or not all(0 < size < math.inf for size in sizes):
        raise ValueError(f"{path}: found voxel sizes {text}, expected numbers above 0")


def _missing_metaimage(fields: Mapping[str, str]) -> list[str]:
    missing = [] if {"elementspacing", "elementsize"} & set(fields) else ["voxel sizes are taken for 1 mm"]
    if not {"transformmatrix", "rotation", "orientation"} & set(fields):
        missing.append("axes are taken for LPS")
    return [f"the header is incomplete: {', '.join(missing)}"] if missing else []


def _missing_nrrd(fields: Mapping[str, str]) -> list[str]:
    missing = [] if {"spacedirections", "spacings"} & set(fields) else ["voxel sizes are taken for 1 mm"]
    space = fields.get("space", "")
    if space.lower() not in NRRD_SPACES:
        missing.append(f"axes of the space {space!r} are taken for LPS" if space else "axes are taken for LPS")
    return [f"the header is incomplete: {', '.join(missing)}"] if missing else []


def _unit(path: Path, fields: Mapping[str, str]) -> tuple[str, float]:
    """Return the unit of lengths and its mm; where the header says that there is none, it counts as mm."""
    text = fields.get("spaceunits") or fields.get("units") or fields.get("distanceunits", "")
    units = re.findall(r'"([^"]*)"', text) if '"' in text else text.split()
    scales = {}
    for word in filter(None, (unit.strip().lower() for unit in units[:3])):
        unit = next((short for long, short in LONG_UNITS.items() if word.startswith(long)), word)
        if unit not in MM_PER_UNIT and unit not in NO_UNITS:
            raise ValueError(f"{path}: found units {text}, expected one of {', '.join(MM_PER_UNIT)}")
        scales[unit] = MM_PER_UNIT.get(unit, 1.0)
    if len(set(scales.values())) > 1:
        raise ValueError(f"{path}: found units {text}, expected one unit for all axes")
    return next(iter(scales.items()), ("mm", 1.0))


def _intensities(path: Path, fields: Mapping[str, str], array: np.ndarray) -> np.ndarray:
    """Return the values that the stored ones stand for; ITK returns the stored ones."""
    for name in ("oldmin", "oldmax"):
        if not math.isnan(_number(path, fields, name, math.nan)):
            raise ValueError(
                f"{path}: found {name[:3]} {name[3:]} {fields[name]}: voxels are quantised, expected the values themselves"
            )
    slope = _number(path, fields, "elementtointensityfunctionslope", 1.0)
    offset = _number(path, fields, "elementtointensityfunctionoffset", 0.0)
    if not (math.isfinite(slope) and math.isfinite(offset) and slope):
        raise ValueError(
            f"{path}: found ElementToIntensityFunctionSlope {slope} and Offset {offset}, expected finite numbers and a slope "
            "other than 0"
        )
    return array if (slope, offset) == (1, 0) else array.astype(np.float64) * slope + offset


def _number(path: Path, fields: Mapping[str, str], name: str, default: float) -> float:
    try:
        return float(fields.get(name, default))
    except ValueError:
        raise ValueError(f"{path}: found {name} {fields[name]}, expected a number") from None
