"""Images of volumes: reading one without its label map, its axes, its checks, and its volume stores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nib
import numpy as np

from medkd.data import SUFFIX, write_volume
from medkd.io import normalise_channels, one_or_list, read_channels, whole_numbers

__all__ = [
    "AXES",
    "ONE_CHANNEL",
    "VolumeImage",
    "check_intensities",
    "orientation_of",
    "read_image",
    "store_image",
    "stored_intensities",
    "to_stored_axes",
]

AXES = "IPL"  # slices downwards, rows backwards, columns to the left: KiTS19's own order
OBLIQUE = np.deg2rad(1)
ONE_CHANNEL = ("image",)


class VolumeImage(NamedTuple):
    """An image on the axes `AXES`.

    Attributes:
        image: ``(channels, slices, rows, columns)``, intensities as the files give them.
        affine: ``(4, 4)``, voxel indices to mm in RAS+.
        orientation: axis codes of the image file, such as ``"LPS"``, with " oblique" where it is.
        notes: what the files left open, and how it was read.
    """

    image: np.ndarray
    affine: np.ndarray
    orientation: str
    notes: tuple[str, ...] = ()


def read_image(files: Sequence[Path], channels: Sequence[str] = ONE_CHANNEL, resample: bool = False) -> VolumeImage:
    """Read an image in any format of `medkd.io.VOLUMES`, or from a DICOM folder.

    Args:
        files: one file for each channel, or one 4-D file.
        channels: names of the channels.
        resample: whether channels on another grid than the first are resampled onto it.

    Raises:
        ValueError: an unreadable file, NaN or no variation in it.
    """
    image, affine, notes = read_channels(files, channels, resample)
    stored = to_stored_axes(image, affine)
    check_intensities(stored[0], files, channels)
    return VolumeImage(*stored, orientation_of(affine), tuple(notes))


def orientation_of(affine: np.ndarray) -> str:
    """Return the axis codes of an affine, with " oblique" where an axis is off by more than a degree."""
    oblique = " oblique" if nib.affines.obliquity(affine).max() > OBLIQUE else ""
    return "".join(nib.aff2axcodes(affine)) + oblique


def to_stored_axes(image: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Permute and flip the axes to `AXES`; nothing is interpolated, an oblique volume keeps its angles.

    Args:
        image: ``(channels, *S)``.
        affine: ``(4, 4)`` of its voxels.
    """
    change = nib.orientations.ornt_transform(nib.io_orientation(affine), nib.orientations.axcodes2ornt(AXES))
    reoriented = np.stack([nib.orientations.apply_orientation(channel, change) for channel in image])
    return reoriented, affine @ nib.orientations.inv_ornt_aff(change, image.shape[1:])


def check_intensities(image: np.ndarray, files: Sequence[Path], channels: Sequence[str]) -> None:
    """Raise ValueError for a channel with NaN, infinite voxels or one value alone.

    Args:
        image: ``(channels, *S)``.
        files: its files, for messages.
        channels: names of the channels.
    """
    for number, channel in enumerate(image):
        name = f"channel {channels[number]}: " if len(channels) > 1 else ""
        if not np.isfinite(channel).all():
            raise ValueError(f"{name}{files[min(number, len(files) - 1)]}: NaN or infinite voxels")
        if channel.min() == channel.max():
            raise ValueError(f"{name}every voxel is {channel.flat[0]:g}, expected an image")


def stored_intensities(case: str, image: np.ndarray, channels: Sequence[str], per_case: Sequence[bool]) -> np.ndarray:
    """Return the image as int16, each channel as HU, or with its own percentiles at 0 and 1000.

    Raises:
        ValueError: for HU outside int16 (inference would clip them), or a channel with nothing to scale.
    """
    for name, channel, is_scaled in zip(channels, image, per_case, strict=True):
        if not is_scaled:
            what = "HU of the image" if len(channels) == 1 else f"HU of the channel {name}"
            whole_numbers(np.rint([[channel.min(), channel.max()]]), np.int16, what)
    try:
        return normalise_channels(image, per_case).astype(np.int16)
    except ValueError as error:
        raise ValueError(f"case {case}, image: {error}") from None


def store_image(case: str, image: np.ndarray, affine: np.ndarray, folder: Path, inner: str) -> dict[str, Any]:
    """Write the volume stores of an image, one for each channel.

    Args:
        case: name of the case.
        image: ``(channels, slices, rows, columns)`` int16, the intensities to store.
        affine: ``(4, 4)``.
        folder: folder of the data set.
        inner: name of the folder in it, which is made.

    Returns:
        ``image``, ``spacing`` and ``shape`` of the case's entry of the data list.
    """
    endings = [f"_{number:04}" for number in range(len(image))] if len(image) > 1 else [""]
    names = [f"{inner}/{case}{ending}{SUFFIX}" for ending in endings]
    (folder / inner).mkdir(exist_ok=True)
    for name, channel in zip(names, image, strict=True):
        write_volume(folder / name, channel, affine)
    return {
        "image": one_or_list(names),
        "spacing": [round(float(mm), 6) for mm in nib.affines.voxel_sizes(affine)],
        "shape": list(image.shape[1:]),
    }
