"""Overlapping windows over a scan, blended by Gaussian weights, stretch by stretch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product

import numpy as np

__all__ = ["blended_logits"]

SIGMA = 0.125  # of the weights, a share of the window's edge: MONAI's
LOWEST = 1e-3  # weight


def blended_logits(
    image: np.ndarray,
    predict: Callable[[np.ndarray], np.ndarray],
    size: Sequence[int],
    overlap: float,
    batch: int,
    padding: float,
) -> Iterator[np.ndarray]:
    """Logits ``(K, slices, rows, columns)`` of one stretch of slices after the other; only what is not finished is kept.

    The windows, their weights and the padding are those of MONAI's sliding window inference with ``mode="gaussian"``.

    Args:
        image: ``(C, slices, rows, columns)``.
        predict: windows ``(N, C, *size)`` to logits ``(N, K, *size)``.
        size: slices, rows, columns of a window; smaller images are padded.
        overlap: of neighbouring windows, a share of their edges.
        batch: windows at once.
        padding: value around an image that is smaller than a window.
    """
    shape = image.shape[1:]
    before = [max(edge - n, 0) // 2 for edge, n in zip(size, shape, strict=True)]
    amounts = [(low, max(edge - n, 0) - low) for edge, n, low in zip(size, shape, before, strict=True)]
    if any(sum(pair) for pair in amounts):
        image = np.pad(image, [(0, 0), *amounts], constant_values=padding)
    inside = (slice(None), *(slice(low, low + n) for low, n in zip(before, shape, strict=True)))
    # only an image of one window along the slices has slices too many, and it is one stretch
    for stretch in _blended(image, predict, size, overlap, batch):
        yield stretch if image.shape[1:] == shape else stretch[inside]


def _blended(image: np.ndarray, predict: Callable, size: Sequence[int], overlap: float, batch: int):
    """Of an image that is nowhere smaller than a window."""
    starts = [_starts(n, edge, overlap) for n, edge in zip(image.shape[1:], size, strict=True)]
    places = [tuple(map(slice, start, np.add(start, size))) for start in product(*starts)]
    alone = size[0] == 1 and len(starts[1]) == len(starts[2]) == 1  # nothing overlaps
    weight = _importance(size)
    total = weights = None
    begin = 0
    for index in range(0, len(places), batch):
        group = places[index : index + batch]
        logits = predict(np.stack([image[(slice(None), *place)] for place in group]))
        if alone:
            yield np.moveaxis(logits[:, :, 0], 0, 1)
            continue
        total, weights = _longer(total, weights, (logits.shape[1], group[-1][0].stop - begin, *image.shape[2:]))
        for place, one in zip(group, logits, strict=True):
            there = (slice(place[0].start - begin, place[0].stop - begin), *place[1:])
            total[(slice(None), *there)] += one * weight
            weights[there] += weight
        following = places[index + batch][0].start if index + batch < len(places) else image.shape[1]
        if (done := following - begin) > 0:
            yield total[:, :done] / weights[:done]
            total, weights, begin = total[:, done:], weights[done:], following


def _starts(length: int, edge: int, overlap: float) -> list[int]:
    step = max(1, int(edge * (1 - overlap)))
    return [min(start, length - edge) for start in range(0, length - edge + step, step)]


def _importance(size: Sequence[int]) -> np.ndarray:
    weight = np.ones((), dtype=np.float32)
    for edge in size:
        distance = np.arange(edge, dtype=np.float32) - (edge - 1) / 2
        weight = weight[..., None] * np.exp(-(distance**2) / (2 * (SIGMA * edge) ** 2)).astype(np.float32)
    return np.maximum(weight, max(float(weight.min()), LOWEST))


def _longer(total: np.ndarray | None, weights: np.ndarray | None, shape: Sequence[int]):
    """Both sums with as many slices as shape (K, slices, rows, columns) says, the new ones empty."""
    old = 0 if total is None else total.shape[1]
    if old == shape[1]:
        return total, weights
    more = np.zeros((shape[0], shape[1] - old, *shape[2:]), dtype=np.float32)
    if total is None:
        return more, more[0].copy()
    return np.concatenate([total, more], axis=1), np.concatenate([weights, more[0]])
