"""Label values: whole numbers, whatever the type in which a file stores them."""

from __future__ import annotations

import numpy as np

__all__ = ["whole_numbers"]

WHOLE_TOLERANCE = 1e-3


def whole_numbers(array: np.ndarray, dtype: type[np.integer], content: str) -> np.ndarray:
    """Cast to an integer type.

    Args:
        array: a volume, or any other array of at least two axes.
        dtype: the integer type.
        content: what the numbers are, for messages.

    Raises:
        ValueError: for a value that the cast would change by more than the tolerance.

    Example:
        >>> whole_numbers(np.array([[0, 0.9999]]), np.uint8, "labels")
        array([[0, 1]], dtype=uint8)
    """
    result, limits = np.empty(array.shape, dtype), np.iinfo(dtype)
    # Plane by plane: a volume of a thousand slices is not copied as floats.
    for number, plane in enumerate(array):
        if not np.isfinite(plane).all():
            raise ValueError(f"{content}: NaN or infinite values")
        rounded = np.rint(plane)
        if rounded.min() < limits.min or rounded.max() > limits.max:
            worst = min if rounded.min() < limits.min else max
            raise ValueError(f"{content}: {worst(plane.ravel()):g} is outside {limits.min} to {limits.max}")
        fractional = np.abs(plane - rounded) > WHOLE_TOLERANCE
        if fractional.any():
            raise ValueError(f"{content}: {plane[fractional][0]:g} is not a whole number")
        result[number] = rounded
    return result
