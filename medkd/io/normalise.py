"""Intensities of a case as whole numbers, the same in preparation and inference."""

from __future__ import annotations

import numpy as np

__all__ = ["normalise_case"]

PERCENTILES = (0.5, 99.5)
RANGE = 1000.0
INT16 = np.iinfo(np.int16)


def normalise_case(array: np.ndarray, per_case: bool) -> np.ndarray:
    """Return a whole image as whole numbers in the range of int16, which volume stores hold.

    Args:
        array: a whole image, of any shape.
        per_case: map the image's own 0.5 and 99.5 percentiles to 0 and 1000, linearly beyond them too. False for images
            on a common scale (HU), which are only rounded.

    Returns:
        Whole numbers in a floating-point array of the same shape.

    Raises:
        ValueError: with ``per_case``, when both percentiles are equal: there is nothing to scale.

    Example:
        >>> normalise_case(np.array([-1000.4, 40.6]), per_case=False)
        array([-1000.,    41.], dtype=float32)
    """
    # float32 for any input: a stored case and one that is read for inference then agree voxel for voxel.
    array = np.asarray(array, dtype=np.float32)
    if per_case:
        low, high = np.percentile(array, PERCENTILES)
        if not low < high:
            raise ValueError(f"nearly all voxels are {low:g}: nothing to scale")
        array = (array - low) / (high - low) * np.float32(RANGE)
    return np.clip(np.rint(array), INT16.min, INT16.max)
