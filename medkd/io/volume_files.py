"""Reading volumes in NIfTI, NRRD, MetaImage and DICOM, for preparation and inference.

In every format the array has the file's axes ``(i, j, k)``, and the affine maps voxel indices to mm in RAS+.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .dicom_series import read_series
from .itk_files import read_itk_file
from .nifti_files import read_nifti_file
from .notes import print_note
from .volume import Volume, checked_volume

__all__ = ["NIFTI", "VOLUMES", "read_nifti", "read_volume", "read_volume_file"]

NIFTI = (".nii.gz", ".nii")
VOLUMES = (*NIFTI, ".seg.nrrd", ".nrrd", ".nhdr", ".mha", ".mhd")


def read_volume(path: Path) -> Volume:
    """Read a volume from a file or a DICOM folder.

    Returns:
        The array ``(i, j, k)``, rescaled as the file says, its affine, and notes on what was guessed.

    Raises:
        ValueError: for a file that cannot be opened, is unreadable or truncated; other than three axes, several layers or
            colours, voxels that are no numbers, an affine without a volume; a DICOM folder with several series, or with
            missing or uneven slices.
    """
    if path.is_dir():
        return checked_volume(path, read_series(path))
    return checked_volume(path, read_nifti_file(path) if path.name.lower().endswith(NIFTI) else read_itk_file(path))


def read_volume_file(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the array and the affine of `read_volume`; its notes are printed on stderr."""
    array, affine, notes = read_volume(path)
    for note in notes:
        print_note(f"{path}: {note}")
    return array, affine


def read_nifti(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the array, scaled by the header, and the affine of a NIfTI file, without a word on what was guessed.

    For predictions, which have the header of their image.

    Raises:
        ValueError: as `read_volume`.
    """
    return checked_volume(path, read_nifti_file(path))[:2]
