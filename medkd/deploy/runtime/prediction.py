"""Labels and probabilities of one picture or scan by an exported network, window by window."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from medkd.inferers.blending import Windows, blend_windows, resize_stretches
from medkd.io import size_at_spacing

from .onnx_model import OnnxModel
from .resample import NUMPY, resize
from .scans import Scan, read_image

__all__ = ["predict_picture", "predict_scan"]


def predict_picture(path: Path, model: OnnxModel) -> tuple[np.ndarray, np.ndarray, None]:
    """Predict labels ``(1, rows, columns)`` and foreground probabilities ``(K - 1, rows, columns)``; no affine."""
    image = read_image(path, model.description)
    logits = resize(model(resize(image, model.description.size)[None])[0], image.shape[1:])
    return _labels(logits), _foreground(logits), None


def predict_scan(
    scan: Scan, model: OnnxModel, save_probabilities: bool, overlap: float | None, batch: int | None
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """Predict labels and, where they are saved, foreground probabilities, on the file's axes; return its affine too."""
    shape = scan.image.shape[1:]
    labels = np.empty((1, *shape), dtype=np.uint8)
    probabilities = np.empty((len(model.description.classes), *shape), dtype=np.float32) if save_probabilities else None
    begin = 0
    for logits in _stretches(scan, model, overlap, batch):
        rows = slice(begin, begin := begin + logits.shape[1])
        labels[:, rows] = _labels(logits)
        if probabilities is not None:
            probabilities[:, rows] = _foreground(logits)
    return scan.as_in_file(labels), None if probabilities is None else scan.as_in_file(probabilities), scan.affine


def _stretches(scan: Scan, model: OnnxModel, overlap: float | None, batch: int | None) -> Iterator[np.ndarray]:
    """Yield logits ``(K, slices, rows, columns)`` on the scan's grid, one stretch of slices after the other."""
    spec, image = model.description, scan.image
    shape = image.shape[1:]
    overlap = spec.overlap if overlap is None else overlap
    if spec.kind == "slices":
        windows = Windows((1, *spec.size), overlap, batch or 8, spec.padding)
        yield from blend_windows(image, _slice_by_slice(model), windows, NUMPY)
        return
    size = size_at_spacing(shape, scan.spacing, spec.spacing)
    windows = Windows(spec.size, overlap, batch or 2, spec.padding)
    yield from resize_stretches(blend_windows(resize(image, size), model, windows, NUMPY), size, shape, NUMPY)


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
