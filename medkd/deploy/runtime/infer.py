"""Prediction of files with an exported network, as `medkd infer` does it with torch."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from medkd.io import PICTURES, VOLUMES, find_images, write_prediction
from medkd.runs.errors import one_line_errors

from .model import OnnxModel
from .resample import on_grid, resize
from .scans import Scan, read_image
from .spec import ModelSpec
from .windows import blended_logits

__all__ = ["infer"]


def infer(
    model: OnnxModel,
    source: str | Path,
    output_dir: str | Path,
    save_probabilities: bool = False,
    overlap: float | None = None,
    batch: int | None = None,
) -> None:
    """Writes the labels of one file, or of all in a folder, in their own geometry; a line for each.

    Args:
        model: says itself what it must be given.
        source: file, folder with a DICOM series, or folder of these.
        output_dir: must not be the input's, nor hold one of the predictions.
        save_probabilities: write those of the foreground classes too.
        overlap: of windows; None: the model's own.
        batch: windows at once; None: 8 slices, or 2 windows of a volume.

    Raises:
        ValueError: at the end, when any case failed; the predictions of the others are written by then. And see
            `medkd.io.find_images`.
    """
    about, folder = model.description, Path(output_dir)
    pictures = about.kind == "pictures"
    items = find_images(source, PICTURES if pictures else VOLUMES, folder, series=not pictures)
    failed = []
    for item in items:
        path = Path(item["image"])
        try:
            if pictures:
                labels, probabilities, affine = *_picture(path, model), None
            else:
                labels, probabilities, affine = _scan(path, model, save_probabilities, overlap, batch)
            found = {"": labels, "_probabilities": probabilities} if save_probabilities else {"": labels}
            for postfix, array in found.items():
                write_prediction(array, folder, item["case"] + postfix, str(path), affine, about.num_classes)
        except Exception as error:
            message = one_line_errors(error)
            if message is None:
                raise
            failed.append(item["case"])
            print(f"{path}: {message}", file=sys.stderr, flush=True)
            continue
        print(f"{path}: done", flush=True)
    if failed:
        raise ValueError(f"{len(failed)} of {len(items)} cases failed: {', '.join(failed)}")


def _picture(path: Path, model: OnnxModel) -> tuple[np.ndarray, np.ndarray]:
    image = read_image(path, model.description)
    logits = resize(model(resize(image, model.description.size)[None])[0], image.shape[1:])
    return _labels(logits), _foreground(logits)


def _scan(path: Path, model: OnnxModel, wanted: bool, overlap: float | None, batch: int | None):
    """Labels, the foreground's probabilities (None unless wanted), and the affine of a volume."""
    scan = Scan(path, model.description)
    shape = scan.image.shape[1:]
    labels = np.empty((1, *shape), dtype=np.uint8)
    probabilities = np.empty((len(model.description.classes), *shape), dtype=np.float32) if wanted else None
    begin = 0
    for logits in _stretches(scan, model, overlap, batch):
        rows = slice(begin, begin := begin + logits.shape[1])
        labels[:, rows] = _labels(logits)
        if wanted:
            probabilities[:, rows] = _foreground(logits)
    return scan.as_in_file(labels), scan.as_in_file(probabilities) if wanted else None, scan.affine


def _stretches(scan: Scan, model: OnnxModel, overlap: float | None, batch: int | None) -> Iterator[np.ndarray]:
    """Logits (K, slices, rows, columns) on the scan's grid, one stretch of slices after the other."""
    about, image = model.description, scan.image
    shape = image.shape[1:]
    overlap = about.overlap if overlap is None else overlap
    if about.kind == "slices":
        yield from blended_logits(image, _slice_by_slice(model), (1, *about.size), overlap, batch or 8, about.padding)
        return
    size = _network_size(shape, scan.spacing, about)
    image = resize(image, size)
    yield from on_grid(blended_logits(image, model, about.size, overlap, batch or 2, about.padding), size, shape)


def _network_size(shape: tuple[int, ...], own: tuple[float, ...], about: ModelSpec) -> tuple[int, ...]:
    if about.spacing is None:
        return shape
    return tuple(max(1, round(n * mm / wanted)) for n, mm, wanted in zip(shape, own, about.spacing, strict=True))


def _slice_by_slice(model: OnnxModel):
    """For windows of one slice, which a network of slices sees without that axis."""
    return lambda windows: model(windows[:, :, 0])[:, :, None]


def _labels(logits: np.ndarray) -> np.ndarray:
    return logits.argmax(axis=0).astype(np.uint8)[None]


def _foreground(logits: np.ndarray) -> np.ndarray:
    shifted = np.exp(logits - logits.max(axis=0))
    return (shifted / shifted.sum(axis=0))[1:]
