"""Images as the network sees them, and predictions on the axes of the file."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np

from medkd.io import normalise_case, read_in_form, read_picture, read_volume_file

from .spec import ModelSpec

__all__ = ["Scan", "read_image"]


class Scan:
    """A volume in the network's orientation and intensities.

    Args:
        path: file, or folder with a DICOM series.
        description: of the network.

    Attributes:
        image: ``(1, slices, rows, columns)``, float32.
        spacing: mm along these axes.
        affine: of the file, ``(4, 4)``.

    Raises:
        ValueError: if the file cannot be read, or holds NaN or infinite voxels.
    """

    def __init__(self, path: Path, description: ModelSpec) -> None:
        if description.orientation is None:
            raise ValueError(f"{path}: found a network of pictures, expected one of scans")
        array, self.affine = read_volume_file(path)
        array = array.astype(np.float32)
        _check_finite(path, array)
        if description.per_case is not None:
            array = _normalise(path, array, description.per_case)
        file_axes = nib.io_orientation(self.affine)
        network_axes = nib.orientations.axcodes2ornt(description.orientation)
        self._to_file = nib.orientations.ornt_transform(network_axes, file_axes)
        array = nib.apply_orientation(array, nib.orientations.ornt_transform(file_axes, network_axes))
        self.image = _scale(np.ascontiguousarray(array), description)[None]
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
    picture = read_in_form(path, form, description.convert) if form else read_picture(path)
    return _scale(picture.astype(np.float32), description)


def _check_finite(path: Path, array: np.ndarray) -> None:
    # NaN and infinity survive a sum, which needs no copy of a long volume; a sum may also be infinite by itself
    if not np.isfinite(array.sum()) and (count := int((~np.isfinite(array)).sum())):
        raise ValueError(f"{path}: {count} voxels are NaN or infinite, expected finite values")


def _normalise(path: Path, array: np.ndarray, per_case: bool) -> np.ndarray:
    try:
        return normalise_case(array, per_case)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _scale(array: np.ndarray, description: ModelSpec) -> np.ndarray:
    """Scale ``intensities`` to -1 and 1, in place."""
    low, high = description.intensities
    array -= low
    array /= high - low
    array *= 2
    array -= 1
    return np.clip(array, -1, 1, out=array) if description.clip else array
