"""Images as a network sees them, and its answers as the file has them."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np

from medkd.io import normalise_case, read_picture, read_volume_file

from .spec import ModelSpec

__all__ = ["Scan", "read_image"]


class Scan:
    """A volume in the network's orientation and intensities.

    Attributes:
        image: ``(1, slices, rows, columns)``, float32.
        spacing: mm along these axes.
        affine: of the file, ``(4, 4)``.
    """

    def __init__(self, path: Path, description: ModelSpec) -> None:
        array, self.affine = read_volume_file(path)
        array = array.astype(np.float32)
        _check(path, array)
        if description.per_case is not None:
            array = _normalised(path, array, description.per_case)
        own = nib.io_orientation(self.affine)
        wanted = nib.orientations.axcodes2ornt(description.orientation)
        self._back = nib.orientations.ornt_transform(wanted, own)
        turned = nib.apply_orientation(array, nib.orientations.ornt_transform(own, wanted))
        self.image = _scaled(np.ascontiguousarray(turned), description)[None]
        lengths = np.sqrt((self.affine[:3, :3] ** 2).sum(axis=0))
        # which of the file's axes became each axis of the image
        self.spacing = tuple(float(lengths[int(np.flatnonzero(own[:, 0] == axis)[0])]) for axis in wanted[:, 0])

    def as_in_file(self, labels: np.ndarray) -> np.ndarray:
        """``(C, slices, rows, columns)`` to ``(C, i, j, k)``."""
        return np.moveaxis(nib.apply_orientation(np.moveaxis(labels, 0, -1), self._back), -1, 0)


def read_image(path: Path, description: ModelSpec) -> np.ndarray:
    """A picture in the network's intensities, ``(3, rows, columns)``, float32, at its own size."""
    return _scaled(read_picture(path).astype(np.float32), description)


def _check(path: Path, array: np.ndarray) -> None:
    # NaN and infinity survive a sum, which needs no copy of a long volume; a sum may also be infinite by itself
    if not np.isfinite(array.sum()) and (bad := int((~np.isfinite(array)).sum())):
        raise ValueError(f"{path}: {bad} voxels are NaN or infinite, expected finite values.")


def _normalised(path: Path, array: np.ndarray, per_case: bool) -> np.ndarray:
    try:
        return normalise_case(array, per_case)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _scaled(array: np.ndarray, description: ModelSpec) -> np.ndarray:
    """In place: ``intensities`` become -1 and 1."""
    low, high = description.intensities
    array -= low
    array /= high - low
    array *= 2
    array -= 1
    return np.clip(array, -1, 1, out=array) if description.clip else array
