"""Reading NIfTI files: voxels, and which of the header's places of the voxels is taken."""

from __future__ import annotations

import gzip
import logging
import math
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import nibabel as nib
import numpy as np
from nibabel.arrayproxy import ArrayProxy
from nibabel.spatialimages import HeaderDataError

from .file_content import DEFLATE_LIMIT, START, describe_content, read_start
from .grids import SHIFT_TOLERANCE, has_volume, is_placeholder, largest_shift
from .volume import Volume

__all__ = ["read_nifti_file", "read_nifti_header"]

GZIP = b"\x1f\x8b"
HEADERS = (nib.Nifti1Header, nib.Nifti2Header)
MM_PER_UNIT = {1: ("metres", 1000.0), 3: ("micrometres", 0.001)}  # code in the header; 0 is unknown, 2 is mm
SIZE_TOLERANCE = 0.01  # of a voxel
# nibabel prints what it repairs in a header. What matters is said here.
_SILENT = logging.Logger("silent")
_SILENT.addHandler(logging.NullHandler())


def read_nifti_file(path: Path) -> Volume:
    """Return the voxels of a NIfTI file, scaled by its header, of as many axes as it has.

    Compressed and plain files are told apart by their first two bytes, not by their suffix.

    Raises:
        ValueError: for a file that is no NIfTI or is truncated, a wrong checksum, or a header that places no voxel.
    """
    with _reading(path) as stream:
        header = _header(path, stream)
        fixed = _repaired(header)
        _check_size(path, fixed, isinstance(stream, gzip.GzipFile))
        array = np.asanyarray(ArrayProxy(stream, fixed))
        ignored = _read_to_end(stream)
    affine, notes = _place(path, header)
    notes = (*notes, *ignored)
    unit, scale = MM_PER_UNIT.get(int(header["xyzt_units"]) & 7, ("mm", 1.0))
    if scale != 1:
        affine[:3] *= scale
        notes = (*notes, f"the header's unit is {unit}: sizes and places are scaled to mm")
    return Volume(array, affine, notes)


def read_nifti_header(path: Path) -> nib.Nifti1Header:
    """Return the header of a NIfTI file, a `Nifti2Header` where it is one.

    Raises:
        ValueError: as `read_nifti_file`.
    """
    with _reading(path) as stream:
        return _repaired(_header(path, stream))


@contextmanager
def _reading(path: Path) -> Iterator[BinaryIO]:
    is_compressed = read_start(path)[:2] == GZIP
    try:
        with gzip.open(path) if is_compressed else open(path, "rb") as stream:
            yield cast(BinaryIO, stream)
    except (OSError, EOFError, ValueError, MemoryError, OverflowError, zlib.error, HeaderDataError) as error:
        if str(error).startswith(f"{path}: "):
            raise
        raise ValueError(f"{path} is unreadable or truncated ({' '.join(str(error).split())[:120]})") from error


def _read_to_end(stream: BinaryIO) -> tuple[str, ...]:
    """Read what is left, since gzip compares the checksum only at the end; return a note on bytes behind that end."""
    try:
        while stream.read(1 << 20):
            pass
    except gzip.BadGzipFile as error:
        if not str(error).startswith("Not a gzipped file"):
            raise
        return ("bytes behind the end of the gzip stream are ignored",)
    return ()


def _header(path: Path, stream: BinaryIO) -> nib.Nifti1Header:
    """Return the header as it stands in the file; the stream is set to its beginning again."""
    start = stream.read(START)
    stream.seek(0)
    header_class = next((header for header in HEADERS if header.may_contain_header(start)), None)
    if header_class is None or b"ni" in (start[344:346], start[4:6]):
        inside = " inside gzip" if isinstance(stream, gzip.GzipFile) else ""
        raise ValueError(f"{path}: found {describe_content(start)}{inside}, expected NIfTI")
    header = header_class.from_fileobj(stream, check=False)
    stream.seek(0)
    if header["pixdim"][0] not in (-1, 1):
        header["pixdim"][0] = 1  # what the standard says for 0
    return header


def _repaired(header: nib.Nifti1Header) -> nib.Nifti1Header:
    """Return a copy that passes nibabel's checks.

    Raises:
        HeaderDataError: for what cannot be repaired, such as an unknown type of voxels.
    """
    fixed = header.copy()
    fixed.check_fix(logger=_SILENT, error_level=40)
    fixed["vox_offset"] = max(fixed["vox_offset"], fixed.single_vox_offset)  # 0 stands for the lowest one
    return fixed


def _check_size(path: Path, header: nib.Nifti1Header, is_compressed: bool) -> None:
    """Raise HeaderDataError when the file cannot hold what its header says, before memory is allocated for it."""
    shape, size = header.get_data_shape(), os.path.getsize(path)
    if min(shape, default=1) < 0:
        raise HeaderDataError(f"the header says shape {shape}, expected lengths above 0")
    needed = header.get_data_offset() + math.prod(shape) * header.get_data_dtype().itemsize
    if needed > (size * DEFLATE_LIMIT if is_compressed else size):
        raise HeaderDataError(f"the header says shape {shape}, {needed} bytes, the file has {size}")


def _place(path: Path, header: nib.Nifti1Header) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the affine in the units of the file, and notes on what is not certain in it.

    As in nibabel, the sform comes first, then the qform; a file with neither is taken for LAS around its centre.
    """
    sizes = np.asarray(header["pixdim"][1:4], dtype=np.float64)
    if is_negative := header["qform_code"] > 0 and bool((sizes < 0).any()):
        header = header.copy()
        header["pixdim"][1:4] = np.abs(sizes)  # as nibabel repairs it
    forms = {name: _form(header, name) for name in ("sform", "qform") if header[f"{name}_code"] > 0}
    usable = {name: form for name, form in forms.items() if has_volume(form)}
    if not usable:
        if forms:
            values = "; ".join(f"{name} {form[:3].tolist()}" for name, form in forms.items())
            raise ValueError(f"{path} has an affine without a volume or with NaN: {values}; pixdim {sizes.tolist()}")
        if not (np.isfinite(sizes) & (sizes > 0)).all():
            raise ValueError(f"{path}: found voxel sizes (pixdim) {sizes.tolist()}, expected numbers above 0")
        note = (
            "the header has no orientation (sform_code and qform_code are 0): left, right, front and back are guessed"
        )
        return header.get_base_affine(), (f"{note} (axes taken for LAS)",)
    taken, affine = next(iter(usable.items()))
    notes = [f"its {name} has no volume or NaN, the {taken} was taken" for name in forms if name not in usable]
    if is_negative:
        notes.append(f"voxel sizes are {_mm(sizes)} by pixdim: taken without their sign")
    shape = (*header.get_data_shape(), 1, 1, 1)[:3]
    if len(usable) == 2 and (shift := largest_shift(affine, usable["qform"], shape)) > SHIFT_TOLERANCE:
        axes = ["".join(nib.aff2axcodes(form)) for form in usable.values()]
        differ = f"sform (axes {axes[0]}) and qform (axes {axes[1]}) differ by up to {shift:.3g} voxels"
        # An identity is what programs write that know no geometry: the public ACDC has it beside a true qform.
        if is_placeholder(affine):
            return usable["qform"], (*notes, f"{differ}: the qform was taken, the sform is an identity")
        notes.append(f"{differ}: the sform was taken, programs built on ITK may take the qform")
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if "qform" not in forms and not np.allclose(lengths, sizes, rtol=SIZE_TOLERANCE, atol=0):
        notes.append(f"voxel sizes are {_mm(lengths)} by the sform, which was taken, and {_mm(sizes)} by pixdim")
    return affine, tuple(notes)


def _form(header: nib.Nifti1Header, name: str) -> np.ndarray:
    """Return the sform or qform, all NaN where the header's numbers make none."""
    try:
        return np.asarray(header.get_sform() if name == "sform" else header.get_qform(), dtype=np.float64)
    except (HeaderDataError, ValueError):
        return np.full((4, 4), np.nan)


def _mm(sizes: np.ndarray) -> str:
    return " x ".join(f"{size:.4g}" for size in sizes)
