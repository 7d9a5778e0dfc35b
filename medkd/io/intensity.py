"""Intensities without a common scale (MR): each case by its own percentiles, alike in preparation and inference."""

from __future__ import annotations

import numpy as np

__all__ = ["normalise_case"]

PERCENTILES = (0.5, 99.5)
RANGE = 1000.0
INT16 = np.iinfo(np.int16)


def normalise_case(array: np.ndarray, per_case: bool) -> np.ndarray:
    """Bring a whole image (any shape) to whole numbers in the range of int16, as volume stores hold them; float32.

    With ``per_case`` the image's own 0.5 and 99.5 percentiles become 0 and 1000, what lies outside keeps its distance;
    images with a scale of their own (HU) are rounded alone.

    Raises:
        ValueError: with ``per_case``, when both percentiles are the same number: there is nothing to scale.
    """
    # float32 whatever comes in: a stored case and one read later agree voxel for voxel
    array = np.asarray(array, dtype=np.float32)
    if per_case:
        low, high = np.percentile(array, PERCENTILES)
        if not low < high:
            raise ValueError(f"nearly all voxels are {low:g}: nothing to scale.")
        array = (array - low) / (high - low) * np.float32(RANGE)
    return np.clip(np.rint(array), INT16.min, INT16.max)
