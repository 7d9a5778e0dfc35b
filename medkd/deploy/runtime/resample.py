"""Linear interpolation as ``torch.nn.functional.interpolate(align_corners=False)`` computes it, without torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medkd.inferers.blending import Backend

__all__ = ["NUMPY", "resize"]


def resize(image: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Interpolate linearly along each axis, without smoothing.

    Args:
        image: ``(C, *spatial)``.
        size: edges of the result.

    Returns:
        ``(C, *size)``, float32.

    Example:
        >>> resize(np.array([[0.0, 1.0]], np.float32), (4,)).tolist()
        [[0.0, 0.25, 0.75, 1.0]]
    """
    # the axes that shrink most come first: this needs the least work and memory
    axes = sorted(range(len(size)), key=lambda axis: size[axis] / image.shape[axis + 1])
    for axis in axes:
        if image.shape[axis + 1] != size[axis]:
            image = _resize_axis(image, axis + 1, size[axis])
    return image


def _resize_axis(image: np.ndarray, axis: int, size: int) -> np.ndarray:
    length = image.shape[axis]
    # scale and position are rounded to single precision, as in torch: the shares on long axes agree to the last bit
    scale = float(np.float32(length) / np.float32(size))
    positions = ((np.arange(size) + 0.5) * scale - 0.5).astype(np.float32).clip(0, length - 1)
    low = np.floor(positions).astype(np.intp)
    share = (positions - low.astype(np.float32)).reshape([-1 if other == axis else 1 for other in range(image.ndim)])
    return _lerp(image.take(low, axis), image.take(np.minimum(low + 1, length - 1), axis), share)


def _lerp(low: np.ndarray, high: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Compute ``low + (high - low) * share`` into ``high``, which is a copy already."""
    high -= low
    high *= share
    high += low
    return high


def _resize_planes(stretch: np.ndarray, size: Sequence[int]) -> np.ndarray:
    return resize(stretch, (stretch.shape[1], *size))


NUMPY: Backend[np.ndarray] = Backend(
    asarray=lambda array, like: array,
    full=lambda shape, value, like: np.full(tuple(shape), value, dtype=np.float32),
    stack=np.stack,
    concatenate=lambda arrays, axis: np.concatenate(arrays, axis=axis),
    exp=np.exp,
    lerp=_lerp,
    resize_planes=_resize_planes,
)
