"""Labels and probabilities of one picture or scan by an exported network, window by window."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from medkd.inferers.blending import Windows, blend_windows, resize_stretches
from medkd.inferers.pipeline import consume_beside
from medkd.io import size_at_spacing

from .onnx_model import OnnxModel
from .resample import NUMPY, resize
from .scans import Scan

__all__ = ["predict_picture", "predict_scan"]


def predict_picture(image: np.ndarray, model: OnnxModel) -> tuple[np.ndarray, np.ndarray, None]:
    """Predict labels ``(1, rows, columns)`` and foreground probabilities ``(K - 1, rows, columns)``; no affine.

    Args:
        image: what `read_image` returns.
        model: the network.
    """
    logits = resize(model(resize(image, model.description.size)[None])[0], image.shape[1:])
    return _labels(logits), _foreground(logits), None


def predict_scan(
    scan: Scan, model: OnnxModel, save_probabilities: bool, overlap: float | None, batch: int | None
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """Predict labels and, where they are saved, foreground probabilities, on the file's axes; return its affine too."""
    spec, shape = model.description, scan.image.shape[1:]
    labels = np.empty((1, *shape), dtype=np.uint8)
    probabilities = np.empty((len(spec.classes), *shape), dtype=np.float32) if save_probabilities else None
    size = shape if spec.kind == "slices" else size_at_spacing(shape, scan.spacing, spec.spacing)

    def decide(stretches: Iterator[np.ndarray]) -> None:
        begin = 0
        for logits in resize_stretches(stretches, size, shape, NUMPY):
            rows = slice(begin, begin := begin + logits.shape[1])
            labels[:, rows] = _labels(logits)
            if probabilities is not None:
                probabilities[:, rows] = _foreground(logits)

    stretches = _stretches(resize(scan.image, size), model, overlap, batch)
    # slices come one by one out of a batch: all of it may wait while the next batch is predicted
    consume_beside(stretches, decide, waiting=(batch or 8) if spec.kind == "slices" else 1)
    return scan.as_in_file(labels), None if probabilities is None else scan.as_in_file(probabilities), scan.affine


def _stretches(image: np.ndarray, model: OnnxModel, overlap: float | None, batch: int | None) -> Iterator[np.ndarray]:
    """Yield logits ``(K, slices, rows, columns)`` on the network's grid, one stretch of slices after the other."""
    spec = model.description
    overlap = spec.overlap if overlap is None else overlap
    if spec.kind == "slices":
        windows = Windows((1, *spec.size), overlap, batch or 8, spec.padding)
        return blend_windows(image, _slice_by_slice(model), windows, NUMPY)
    return blend_windows(image, model, Windows(spec.size, overlap, batch or 2, spec.padding), NUMPY)


def _slice_by_slice(model: OnnxModel) -> Callable[[np.ndarray], np.ndarray]:
    """Adapt a 2-D network to windows of one slice."""
    return lambda windows: model(windows[:, :, 0])[:, :, None]


def _labels(logits: np.ndarray) -> np.ndarray:
    """Return the label map ``(1, *spatial)`` of logits ``(K, *spatial)``."""
    return logits.argmax(axis=0).astype(np.uint8)[None]


def _foreground(logits: np.ndarray) -> np.ndarray:
    """Return the softmax of logits ``(K, *spatial)`` without the background, ``(K - 1, *spatial)``."""
    shifted = np.exp(logits - logits.max(axis=0))
    return (shifted / shifted.sum(axis=0))[1:]
