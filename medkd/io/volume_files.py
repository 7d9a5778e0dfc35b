"""Reading volumes in NIfTI, NRRD, MetaImage and DICOM, for preparation and inference.

In every format the array has the file's axes ``(i, j, k)``, and the affine maps voxel indices to mm in RAS+.
"""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK as sitk
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError

from .dicom_series import LPS_TO_RAS, read_series

__all__ = ["NIFTI", "VOLUMES", "read_nifti", "read_volume_file"]

NIFTI = (".nii.gz", ".nii")
VOLUMES = (*NIFTI, ".seg.nrrd", ".nrrd", ".nhdr", ".mha", ".mhd")
DEFLATE_LIMIT = 1032  # highest compression ratio of deflate


def read_volume_file(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read a volume from a file or a DICOM folder.

    Returns:
        The array ``(i, j, k)``, rescaled as the file says, and the affine ``(4, 4)``, voxel indices to mm in RAS+.

    Raises:
        ValueError: for a file that cannot be opened, is unreadable or truncated; other than three axes, several layers or
            colours, voxels that are no numbers, an affine without a volume; a DICOM folder with several series, or with
            missing or uneven slices.
    """
    if path.is_dir():
        return _checked(path, *read_series(path))
    return read_nifti(path) if path.name.lower().endswith(NIFTI) else _read_itk(path)


def read_nifti(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the array, scaled by the header, and the affine of a NIfTI file.

    Raises:
        ValueError: as `read_volume_file`, and when the checksum of the compressed file does not match.
    """
    _check_opens(path)
    try:
        file = nib.load(path)
        if not isinstance(file, nib.Nifti1Image):
            raise ValueError(f"a file of {type(file).__name__}, expected NIfTI in one file")
        _check_size(path, file.header)
        # nibabel stops reading at the last voxel; gzip compares the checksum only at the end of the stream.
        with gzip.open(path) if path.name.lower().endswith(".gz") else open(path, "rb") as stream:
            array = np.asanyarray(type(file).from_stream(stream).dataobj)
            while stream.read(1 << 20):
                pass
    except (OSError, EOFError, ValueError, MemoryError, zlib.error, ImageFileError, HeaderDataError) as error:
        raise ValueError(f"{path} is unreadable or truncated ({' '.join(str(error).split())[:120]})") from error
    return _checked(path, array, np.asarray(file.affine, dtype=np.float64))


def _check_opens(path: Path) -> None:
    """Raise ValueError when the file may not be read: the readers would call it broken, and ITK would print pages."""
    try:
        path.open("rb").close()
    except OSError as error:
        raise ValueError(f"{path} cannot be opened: {error.strerror}") from error


def _check_size(path: Path, header: nib.Nifti1Header) -> None:
    """Raise ValueError when the file cannot hold what its header says, before memory is allocated for it."""
    shape, size = header.get_data_shape(), path.stat().st_size
    if min(shape, default=1) < 0:
        raise ValueError(f"the header says shape {shape}, expected lengths above 0")
    needed = header.get_data_offset() + math.prod(shape) * header.get_data_dtype().itemsize
    most = size * DEFLATE_LIMIT if path.name.lower().endswith(".gz") else size
    if needed > most:
        raise ValueError(f"the header says shape {shape}, {needed} bytes, the file has {size}")


def _read_itk(path: Path) -> tuple[np.ndarray, np.ndarray]:
    _check_opens(path)
    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]  # the lines before it name ITK's source files
        raise ValueError(f"{path} is unreadable or truncated ({' '.join(reason.split())[:120]})") from error
    if (layers := image.GetNumberOfComponentsPerPixel()) > 1:
        content = "overlapping segments: export them as one label map" if ".seg." in path.name else "colours or layers"
        raise ValueError(f"{path} has {layers} values per voxel ({content}), expected one")
    array = sitk.GetArrayFromImage(image).T
    if (axes := image.GetDimension()) != 3:
        raise ValueError(f"{path} has shape {array.shape}: {axes} axes, expected three axes")
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return _checked(path, array, LPS_TO_RAS @ affine)


def _checked(path: Path, array: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if array.ndim == 4 and array.shape[3] == 1:
        array = array[..., 0]
    if array.ndim != 3 or 0 in array.shape:
        raise ValueError(f"{path} has shape {array.shape}, expected three axes")
    if array.dtype.kind not in "iuf":
        raise ValueError(f"{path} has voxels of type {array.dtype}, expected numbers")
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise ValueError(f"{path} has an affine without a volume or with NaN: {affine[:3].tolist()}")
    return array, affine
