"""Labels and probabilities of one picture or scan by an exported network, window by window."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from medkd.inferers.blending import Windows, blend_windows, resize_stretches, window_starts
from medkd.inferers.pipeline import consume_beside
from medkd.io import size_at_spacing

from .arrays import Model
from .scans import Scan

__all__ = ["predict_picture", "predict_scan"]


def predict_picture(image: np.ndarray, model: Model) -> tuple[np.ndarray, np.ndarray, None]:
    """Predict labels ``(1, rows, columns)`` and foreground probabilities ``(K - 1, rows, columns)``; no affine.

    Args:
        image: what `read_image` returns.
        model: the network.
    """
    arrays = model.arrays
    inputs = arrays.resize(arrays.from_numpy(image), model.description.size)
    logits = arrays.resize(model(inputs[None])[0], image.shape[1:])
    return arrays.labels(logits), arrays.foreground(logits), None


def predict_scan(
    scan: Scan, model: Model, save_probabilities: bool, overlap: float | None, batch: int | None
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """Predict labels and, where they are saved, foreground probabilities, on the file's axes; return its affine too."""
    spec, arrays, shape = model.description, model.arrays, scan.image.shape[1:]
    labels = np.empty((1, *shape), dtype=np.uint8)
    probabilities = np.empty((len(spec.classes), *shape), dtype=np.float32) if save_probabilities else None
    size = shape if spec.kind == "slices" else size_at_spacing(shape, scan.spacing, spec.spacing)

    def decide(stretches: Iterator[Any]) -> None:
        begin = 0
        for logits in resize_stretches(stretches, size, shape, arrays.backend):
            rows = slice(begin, begin := begin + logits.shape[1])
            labels[:, rows] = arrays.labels(logits)
            if probabilities is not None:
                probabilities[:, rows] = arrays.foreground(logits)

    stretches = _stretches(arrays.resize(arrays.from_numpy(scan.image), size), model, overlap, batch)
    # slices come one by one out of a batch: all of it may wait while the next batch is predicted
    consume_beside(stretches, decide, waiting=(batch or 8) if spec.kind == "slices" else 1)
    return scan.as_in_file(labels), None if probabilities is None else scan.as_in_file(probabilities), scan.affine


def _stretches(image: Any, model: Model, overlap: float | None, batch: int | None) -> Iterator[Any]:
    """Yield logits ``(K, slices, rows, columns)`` on the network's grid, one stretch of slices after the other."""
    spec, backend, slices = model.description, model.arrays.backend, image.shape[1]
    overlap = spec.overlap if overlap is None else overlap
    if spec.kind == "slices":
        windows = Windows((1, *spec.size), overlap, batch or 8, spec.padding)
        return model.arrays.show(blend_windows(image, _slice_by_slice(model), windows, backend), slices, "slice")
    windows = Windows(spec.size, overlap, batch or 2, spec.padding)
    slabs = len(window_starts(max(slices, spec.size[0]), spec.size[0], overlap))
    return model.arrays.show(blend_windows(image, model, windows, backend), slabs, "slab")


def _slice_by_slice(model: Model) -> Callable[[Any], Any]:
    """Adapt a 2-D network to windows of one slice."""
    return lambda windows: model(windows[:, :, 0])[:, :, None]
