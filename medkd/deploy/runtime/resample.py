"""Linear interpolation as ``torch.nn.functional.interpolate(align_corners=False)`` does it, without torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

__all__ = ["on_grid", "resize"]


def resize(image: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """``(C, *spatial)`` to ``(C, *size)``, linearly along each axis, without smoothing; float32."""
    # the axes that shrink most come first: less to do, and less to keep
    axes = sorted(range(len(size)), key=lambda axis: size[axis] / image.shape[axis + 1])
    for axis in axes:
        if image.shape[axis + 1] != size[axis]:
            image = _along(image, axis + 1, *_neighbours(image.shape[axis + 1], size[axis]))
    return image


def on_grid(stretches: Iterable[np.ndarray], size: Sequence[int], shape: Sequence[int]) -> Iterator[np.ndarray]:
    """Stretches ``(K, slices, rows, columns)`` of a volume of ``size``, resized to ``shape`` stretch by stretch.

    The same values as `resize` of the whole volume, of which only neighbouring slices are kept.
    """
    if tuple(size) == tuple(shape):
        yield from stretches
        return
    low, share = _neighbours(size[0], shape[0])
    written, kept, begin = 0, None, 0
    for stretch in stretches:
        kept = stretch if kept is None else np.concatenate([kept, stretch], axis=1)
        end = begin + kept.shape[1]
        # a wanted slice needs the one after its place as well, unless there is none
        ready = shape[0] if end == size[0] else int((low + 1 < end).sum())
        if ready > written:
            between = _along(kept, 1, low[written:ready] - begin, share[written:ready])
            yield resize(between, (ready - written, *shape[1:]))
            written = ready
            drop = min(int(low[min(written, shape[0] - 1)]) - begin, kept.shape[1])
            kept, begin = kept[:, drop:], begin + drop


def _neighbours(length: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """For each of ``size`` places along ``length`` samples: the sample before it, and the share of the one after."""
    # the scale and the place are rounded to single precision, as in torch: the shares on long axes agree to the last bit
    scale = float(np.float32(length) / np.float32(size))
    places = ((np.arange(size) + 0.5) * scale - 0.5).astype(np.float32).clip(0, length - 1)
    low = np.floor(places).astype(np.intp)
    return low, places - low.astype(np.float32)


def _along(image: np.ndarray, axis: int, low: np.ndarray, share: np.ndarray) -> np.ndarray:
    high = np.minimum(low + 1, image.shape[axis] - 1)
    below, result = image.take(low, axis), image.take(high, axis)
    result -= below
    result *= share.reshape([-1 if other == axis else 1 for other in range(image.ndim)])
    result += below
    return result
