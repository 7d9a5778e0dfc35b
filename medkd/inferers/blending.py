"""Windows over a volume, blended by Gaussian weights, slab by slab: one algorithm for numpy arrays and torch tensors.

A slab is all windows that begin at the same slice, so a slab is as thick as a window. The slices in front of the next slab
are finished. They are handed out at once, and what is kept is the logits of one slab. This module needs numpy alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise, product
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

__all__ = ["Backend", "Windows", "blend_windows", "importance_map", "resize_stretches", "window_starts"]

Array = TypeVar("Array", bound=Any)  # np.ndarray or torch.Tensor

SIGMA = 0.125  # of the weights, as a share of the window's edge: MONAI's default
LOWEST = 1e-3  # smallest weight: MONAI's


class Backend(NamedTuple, Generic[Array]):
    """The operations that numpy and torch spell differently."""

    asarray: Callable[[np.ndarray, Array], Array]
    """A numpy array as an array on the device of the second argument."""
    full: Callable[[Sequence[int], float, Array], Array]
    """A float32 array of a shape and a value, on the device of the third argument."""
    stack: Callable[[Sequence[Array]], Array]
    """Arrays along a new first axis."""
    concatenate: Callable[[Sequence[Array], int], Array]
    """Arrays along an axis that they have."""
    exp: Callable[[Array], Array]
    """The exponential of each element."""
    lerp: Callable[[Array, Array, Array], Array]
    """``a + (b - a) * share``."""
    resize_planes: Callable[[Array, Sequence[int]], Array]
    """``(K, slices, rows, columns)`` with each slice interpolated linearly to (rows, columns)."""


class Windows(NamedTuple):
    """How windows lie over a volume.

    Attributes:
        size: slices, rows, columns of a window; smaller volumes are padded.
        overlap: of neighbouring windows, a share of the window's edge, from 0 to below 1.
        batch: windows that are predicted at once.
        padding: value around a volume that is smaller than a window.
    """

    size: tuple[int, ...]
    overlap: float
    batch: int
    padding: float


def blend_windows(
    image: Array, predict: Callable[[Array], Array], windows: Windows, backend: Backend[Array]
) -> Iterator[Array]:
    """Yield blended logits ``(K, slices, rows, columns)`` of one stretch of slices after the other.

    Windows, weights and padding are those of MONAI's ``sliding_window_inference`` with ``mode="gaussian"``.

    Args:
        image: ``(C, slices, rows, columns)``.
        predict: windows ``(N, C, *size)`` to logits ``(N, K, *size)``.
        windows: size, overlap and number at once of the windows.
        backend: operations of the image's kind.
    """
    shape = tuple(image.shape[1:])
    before = [max(edge - n, 0) // 2 for edge, n in zip(windows.size, shape, strict=True)]
    padded = tuple(max(edge, n) for edge, n in zip(windows.size, shape, strict=True))
    inside = (slice(None), *(slice(low, low + n) for low, n in zip(before, shape, strict=True)))
    if padded != shape:
        canvas = backend.full((image.shape[0], *padded), windows.padding, image)
        canvas[inside] = image
        image = canvas
    # only a volume of one slab has padded slices, and a volume of one slab is one stretch
    for stretch in _blended(image, predict, windows, backend):
        yield stretch if padded == shape else stretch[inside]


def window_starts(length: int, edge: int, overlap: float) -> list[int]:
    """List where windows begin along an axis; the last one ends with the axis.

    Example:
        >>> window_starts(20, 8, 0.5)
        [0, 4, 8, 12]
        >>> window_starts(21, 8, 0.5)
        [0, 4, 8, 12, 13]
    """
    step = max(1, int(edge * (1 - overlap)))
    return [min(start, length - edge) for start in range(0, length - edge + step, step)]


def importance_map(size: Sequence[int], backend: Backend[Array], like: Array) -> Array:
    """Compute the Gaussian weights ``(slices, rows, columns)`` of a window, as MONAI's ``compute_importance_map`` does."""
    weight = backend.full((), 1.0, like)
    for edge in size:
        distance = backend.asarray(np.arange(edge, dtype=np.float32) - np.float32((edge - 1) / 2), like)
        weight = weight[..., None] * backend.exp(distance**2 / (-2 * (SIGMA * edge) ** 2))
    return weight.clip(max(float(weight.min()), LOWEST))


def resize_stretches(
    stretches: Iterable[Array], size: Sequence[int], shape: Sequence[int], backend: Backend[Array]
) -> Iterator[Array]:
    """Interpolate a volume linearly to another size, stretch by stretch; only neighbouring slices are kept.

    Args:
        stretches: ``(K, slices, rows, columns)``, together a volume of ``size``.
        size: slices, rows, columns of the volume.
        shape: slices, rows, columns to interpolate to.
        backend: operations of the stretches' kind.

    Yields:
        Stretches of the interpolated volume, whose values are those of trilinear interpolation of the whole volume.
    """
    if tuple(size) == tuple(shape):
        yield from stretches
        return
    low, share = _neighbours(size[0], shape[0])
    written, begin = 0, 0
    kept: Array | None = None
    for stretch in stretches:
        kept = stretch if kept is None else backend.concatenate([kept, stretch], 1)
        end = begin + kept.shape[1]
        # a slice needs the source slice behind it as well, unless there is none
        ready = shape[0] if end == size[0] else int((low + 1 < end).sum())
        if ready > written:
            first = low[written:ready] - begin
            second = np.minimum(first + 1, kept.shape[1] - 1)
            shares = backend.asarray(share[written:ready, None, None], kept)
            yield backend.resize_planes(backend.lerp(kept[:, first], kept[:, second], shares), shape[1:])
            written = ready
            finished = min(int(low[min(written, shape[0] - 1)]) - begin, kept.shape[1])
            kept, begin = kept[:, finished:], begin + finished


def _blended(
    image: Array, predict: Callable[[Array], Array], windows: Windows, backend: Backend[Array]
) -> Iterator[Array]:
    """Blend the windows of an image that is nowhere smaller than a window."""
    size = windows.size
    starts = [window_starts(n, edge, windows.overlap) for n, edge in zip(image.shape[1:], size, strict=True)]
    predictions = _predictions(image, starts, predict, windows, backend)
    places = [_place((0, *corner), size) for corner in product(*starts[1:])]
    if size[0] == 1 and len(places) == 1:  # nothing overlaps
        yield from predictions
        return
    weight = importance_map(size, backend, image)
    weights = backend.full((size[0], *image.shape[2:]), 0.0, image)
    for place in places:
        weights[place] += weight
    slabs = (_slab(places, predictions, weight, weights, backend) for _ in starts[0])
    yield from slabs if size[0] == 1 else _joined(slabs, starts[0], image.shape[1], weights)


def _predictions(
    image: Array,
    starts: Sequence[Sequence[int]],
    predict: Callable[[Array], Array],
    windows: Windows,
    backend: Backend[Array],
) -> Iterator[Array]:
    """Yield the logits ``(K, *size)`` of one window after the other."""
    corners = list(product(*starts))
    # slabs of one slice do not overlap, so that one batch may hold windows of several slabs
    group = len(corners) if windows.size[0] == 1 else len(corners) // len(starts[0])
    for begin in range(0, len(corners), group):
        for index in range(begin, begin + group, windows.batch):
            batch = corners[index : min(index + windows.batch, begin + group)]
            crops = [image[(slice(None), *_place(corner, windows.size))] for corner in batch]
            yield from predict(backend.stack(crops))


def _place(corner: Sequence[int], size: Sequence[int]) -> tuple[slice, ...]:
    return tuple(slice(start, start + edge) for start, edge in zip(corner, size, strict=True))


def _slab(
    places: Sequence[tuple[slice, ...]],
    predictions: Iterator[Array],
    weight: Array,
    weights: Array,
    backend: Backend[Array],
) -> Array:
    """Take the windows of one slab from the predictions and average them by their weights."""
    total: Array | None = None
    for place, logits in zip(places, predictions, strict=False):
        if total is None:
            total = backend.full((logits.shape[0], *weights.shape), 0.0, logits)
        total[(slice(None), *place)] += logits * weight
    assert total is not None
    return total / weights


def _joined(slabs: Iterable[Array], starts: Sequence[int], length: int, weights: Array) -> Iterator[Array]:
    """Average overlapping slabs and yield the slices in front of the next slab."""
    sums: Array | None = None
    sum_weights: Array | None = None
    for slab, (start, following) in zip(slabs, pairwise([*starts, length]), strict=True):
        # each slab is a mean already: results of earlier versions are kept to the last bit
        slab, total = slab * weights, weights + 0
        if sums is not None and sum_weights is not None:
            slab[:, : sums.shape[1]] += sums
            total[: len(sum_weights)] += sum_weights
        finished = following - start
        yield slab[:, :finished] / total[:finished]
        sums, sum_weights = slab[:, finished:], total[finished:]


def _neighbours(length: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """For each of ``size`` slices: the source slice in front of its centre, and the share of the one behind."""
    centres = (np.arange(size, dtype=np.float32) + np.float32(0.5)) * np.float32(length) / np.float32(size)
    positions = (centres - np.float32(0.5)).clip(0, length - 1)
    low = np.floor(positions).astype(np.intp)
    return low, positions - low.astype(np.float32)
