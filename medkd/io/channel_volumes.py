"""Reading the channels of an image, one file each or all in one, onto one grid."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np

from medkd.runs.errors import counted

from .grids import SHIFT_TOLERANCE, largest_shift, onto_axes
from .itk_files import read_itk_file
from .nifti_files import read_nifti_file
from .notes import print_note
from .volume import Volume, checked_volume
from .volume_files import NIFTI, read_volume

__all__ = ["read_channel_files", "read_channels"]


def read_channels(files: Sequence[Path], names: Sequence[str], resample: bool = False) -> Volume:
    """Read the channels of an image.

    Args:
        files: one file, or DICOM folder, for each channel, or one 4-D file with all of them.
        names: names of the channels, for messages.
        resample: whether a channel on another grid is resampled onto that of the first, linearly.

    Returns:
        The array ``(C, i, j, k)`` on the axes of the first channel, its affine, and notes on what was guessed.

    Raises:
        ValueError: as `read_volume`, for another number of channels than names, and for a channel on another grid.
    """
    if len(files) not in (1, len(names)):
        found = ", ".join(file.name for file in files[:4]) + (", ..." if files[4:] else "")
        advice = ": name all channels (--channels NAME,NAME)" if len(names) == 1 else ""
        raise ValueError(f"found {len(files)} files ({found}), expected {_channels(names)}{advice}")
    volumes = [read_volume(file) for file in files] if len(files) == len(names) else _read_together(files[0], names)
    first = volumes[0]
    arrays = [first.array]
    notes = list(first.notes)
    for name, volume in zip(names[1:], volumes[1:], strict=True):
        array, note = _onto_first(volume, first, name, names[0], resample)
        arrays.append(array)
        notes += [f"channel {name}: {text}" for text in (*volume.notes, *note) if text not in first.notes]
    for (one, first_array), (other, array) in itertools.combinations(zip(names, arrays, strict=True), 2):
        if np.array_equal(first_array, array):
            notes.append(f"the channels {one} and {other} hold the same voxels")
    # Files have their first axis fastest: a copy in this order is several times as fast as one in C's.
    stacked = np.stack([array.T for array in arrays]).transpose(0, 3, 2, 1)
    return Volume(stacked, first.affine, tuple(notes))


def read_channel_files(files: Sequence[Path], names: Sequence[str], resample: bool = False) -> Volume:
    """Return what `read_channels` does; its notes are printed on stderr."""
    volume = read_channels(files, names, resample)
    for note in volume.notes:
        print_note(f"{files[0]}: {note}")
    return volume


def _read_together(file: Path, names: Sequence[str]) -> list[Volume]:
    """Return the channels of a 4-D file, each as a volume."""
    expected = f"expected {_channels(names)}"
    if file.is_dir():
        raise ValueError(f"{file}: found one DICOM series, {expected}")
    is_nifti = file.name.lower().endswith(NIFTI)
    array, affine, notes = read_nifti_file(file) if is_nifti else read_itk_file(file, has_channels=True)
    if array.ndim == 5 and array.shape[3] == 1:  # vectors of NIfTI, whose fourth axis is time
        array = array[:, :, :, 0]
    if array.ndim == 3:
        raise ValueError(f"{file}: found one channel (shape {array.shape}), {expected}, in files or on the last axis")
    if array.ndim != 4 or array.shape[-1] != len(names):
        raise ValueError(f"{file}: found shape {array.shape}, {expected} on the last axis")
    # what was guessed of the file is said once
    return [checked_volume(file, Volume(array[..., n], affine, notes)) for n in range(len(names))]


def _channels(names: Sequence[str]) -> str:
    return f"{counted(len(names), 'channel')} ({', '.join(names)})"


def _onto_first(
    volume: Volume, first: Volume, name: str, first_name: str, resample: bool
) -> tuple[np.ndarray, list[str]]:
    """Return the voxels of a channel on the grid of the first one, and a note where they were resampled."""
    array, affine = onto_axes(volume.array, volume.affine, first.affine)
    shape = first.array.shape
    if array.shape != shape:
        difference = f"shape {array.shape}, expected {shape}"
    elif (shift := largest_shift(first.affine, affine, shape)) > SHIFT_TOLERANCE:
        difference = f"corners {shift:.3g} voxels apart, expected less than {SHIFT_TOLERANCE:g}"
    else:
        return array, []
    if not resample:
        raise ValueError(
            f"channel {name}: found another grid than that of {first_name} ({difference}): resample it, or give "
            "--resample_channels True"
        )
    from nibabel.processing import resample_from_to  # imports scipy

    # Voxels reach half a voxel beyond their centres: one more on each side, where the centres alone would be interpolated.
    padded = affine @ nib.affines.from_matvec(np.eye(3), [-1, -1, -1])
    image = nib.Nifti1Image(np.pad(array.astype(np.float32), 1, mode="edge"), padded)
    inside = nib.Nifti1Image(np.pad(np.ones(array.shape, np.float32), 1), padded)
    grid = (shape, first.affine)
    is_inside = np.asarray(resample_from_to(inside, grid, order=0, cval=0).dataobj) > 0
    resampled = np.where(is_inside, np.asarray(resample_from_to(image, grid, order=1).dataobj), array.min())
    note = f"resampled (linear) onto the grid of {first_name}; it had {difference}"
    covered = float(np.mean(is_inside))
    if covered == 0:
        raise ValueError(f"channel {name}: lies outside the grid of {first_name}, expected the same part of the body")
    if covered < 0.995:
        note += f"; it covers {covered:.0%} of that, the rest has its lowest value"
    return resampled.astype(np.float32), [note]
