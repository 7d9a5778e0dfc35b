"""Images as the network sees them, and predictions on the axes of the file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np

from medkd.io import channel_windows, normalise_channels, read_channel_files, read_in_form, read_picture
from medkd.runs.errors import counted

from .spec import ModelSpec

__all__ = ["Scan", "read_image"]


class Scan:
    """A volume in the network's orientation and intensities.

    Args:
        paths: of each channel its file, or folder with a DICOM series; or one file with all channels.
        description: of the network.
        resample: whether channels on another grid than the first are resampled onto it.
        in_float32: whether images that were scaled by their percentiles are rounded to float32 before the window is applied.

    Attributes:
        image: ``(channels, slices, rows, columns)``, float32, or float64 of images that were scaled by their percentiles and
            not rounded.
        spacing: mm along these axes.
        affine: of the file, ``(4, 4)``.

    Raises:
        ValueError: if the file cannot be read, or holds NaN or infinite voxels.
    """

    def __init__(
        self, paths: Sequence[Path], description: ModelSpec, resample: bool = False, in_float32: bool = False
    ) -> None:
        path = paths[0]
        if description.orientation is None:
            raise ValueError(f"{path}: found a network of pictures, expected one of scans")
        array, self.affine, _ = read_channel_files(paths, description.channel_names, resample)
        if array.dtype.kind == "f":
            array = array.astype(np.float32, copy=False)
            _check_finite(path, array)
        if description.per_case is not None:
            array = _normalise(path, array.astype(np.float32, copy=False), description.per_case)
            array = array.astype(np.float32, copy=False) if in_float32 else array
        file_axes = nib.io_orientation(self.affine)
        network_axes = nib.orientations.axcodes2ornt(description.orientation)
        self._to_file = nib.orientations.ornt_transform(network_axes, file_axes)
        turn = nib.orientations.ornt_transform(file_axes, network_axes)
        self.image = _scaled([nib.apply_orientation(channel, turn) for channel in array], description)
        lengths = np.sqrt((self.affine[:3, :3] ** 2).sum(axis=0))
        # for each axis of the image, the axis of the file that it was
        axes = [int(np.flatnonzero(file_axes[:, 0] == axis)[0]) for axis in network_axes[:, 0]]
        self.spacing = tuple(float(lengths[axis]) for axis in axes)

    def as_in_file(self, labels: np.ndarray) -> np.ndarray:
        """Turn ``(C, slices, rows, columns)`` to the axes of the file, ``(C, i, j, k)``."""
        return np.moveaxis(nib.apply_orientation(np.moveaxis(labels, 0, -1), self._to_file), -1, 0)


def read_image(path: Path, description: ModelSpec) -> np.ndarray:
    """Read a picture in the network's intensities: ``(channels, rows, columns)``, float32, at its own size."""
    form = description.form
    if form:
        picture = read_in_form(path, form, description.convert, description.intensities)
    else:
        picture = read_picture(path)
    return _scale(picture.astype(np.float32), description)


def _check_finite(path: Path, array: np.ndarray) -> None:
    # NaN and infinity survive a sum, which needs no copy of a long volume; a sum may also be infinite by itself
    if not np.isfinite(array.sum()) and (count := int((~np.isfinite(array)).sum())):
        raise ValueError(f"{path}: {counted(count, 'voxel')} with NaN or infinity, expected finite values")


def _normalise(path: Path, array: np.ndarray, per_case: bool | Sequence[bool]) -> np.ndarray:
    try:
        return normalise_channels(array, per_case)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _scaled(channels: Sequence[np.ndarray], description: ModelSpec) -> np.ndarray:
    """Copy volumes into one array and scale it, slice by slice: what was copied is in the processor's cache then."""
    # `normalise_channels` may return double precision: results of earlier versions are kept to the last bit
    dtype = channels[0].dtype if channels[0].dtype.kind == "f" else np.float32
    image = np.empty((len(channels), *channels[0].shape), dtype=dtype)
    for index in range(image.shape[1]):
        for copy, channel in zip(image, channels, strict=True):
            copy[index] = channel[index]
        _scale(image[:, index], description)
    return image


def _scale(array: np.ndarray, description: ModelSpec) -> np.ndarray:
    """Scale the ``intensities`` of each channel to -1 and 1, in place."""
    windows = channel_windows(description.intensities)
    for channel, (low, high) in zip(array, windows if len(windows) > 1 else windows * len(array), strict=True):
        channel -= low
        channel /= high - low
        channel *= 2
        channel -= 1
    return np.clip(array, -1, 1, out=array) if description.clip else array
