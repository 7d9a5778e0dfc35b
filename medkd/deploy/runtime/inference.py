"""Prediction of files with an exported network, as `medkd infer` does it with torch."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np

from medkd.inferers.blending import Windows, blend_windows, resize_stretches
from medkd.io import (
    PICTURES,
    VOLUMES,
    LabelFormat,
    VolumeTable,
    find_images,
    image_files,
    remove_components,
    size_at_spacing,
    voxel_volume,
    write_prediction,
)
from medkd.runs.errors import one_line_errors
from medkd.runs.predicted import PredictedCases

from .onnx_model import OnnxModel
from .resample import NUMPY, resize
from .scans import Scan, read_image

__all__ = ["Components", "infer"]


class Components(NamedTuple):
    """Which connected components of a prediction are kept, see `medkd.io.remove_components`."""

    largest: bool = False
    """Keep the largest component of each class only."""
    min_volume: float = 0.0
    """Remove components below this volume: ml, or pixels of pictures."""


def infer(
    model: OnnxModel,
    source: str | Path,
    output_dir: str | Path,
    save_probabilities: bool = False,
    overlap: float | None = None,
    batch: int | None = None,
    components: Components | None = None,
    label_format: LabelFormat | None = None,
    resample_channels: bool = False,
) -> None:
    """Write the labels of one file, or of all files in a folder, in their own geometry, and print one line for each.

    Args:
        model: an exported network, which describes its own input.
        source: a file, a folder with a DICOM series, or a folder of these.
        output_dir: folder for the predictions; it must differ from the input's and hold none of the predictions.
        save_probabilities: write the probabilities of the foreground classes too.
        overlap: of neighbouring windows, a share of their edges; None: the model's own.
        batch: windows at once; None: 8 slices, or 2 windows of a volume.
        components: connected components that are kept; None: all.
        label_format: of predicted volumes; None: NIfTI.
        resample_channels: resample channels on another grid than the first onto it; else such an image is refused.

    Raises:
        ValueError: at the end, when any case failed; the predictions of the others are written by then. See also
            `medkd.io.find_images` and `PredictedCases`.
        OSError: at once, when a prediction cannot be written. The same command goes on with the next case.
    """
    spec, folder = model.description, Path(output_dir)
    is_pictures = spec.kind == "pictures"
    label_format = label_format or LabelFormat(spec.classes, algorithm=f"medkd {spec.task}")
    suffixes = PICTURES if is_pictures else VOLUMES
    items = find_images(source, suffixes, folder, not is_pictures, label_format, spec.channel_names)
    options = {"save_probabilities": save_probabilities, "overlap": overlap, "batch": batch}
    components = components or Components()
    # an earlier version's record of an interrupted call has no such options
    if any(components):
        options |= components._asdict()
    if label_format.name != "nifti":
        options |= asdict(label_format)
    if resample_channels:
        options["resample_channels"] = True
    volumes = VolumeTable(folder, spec.classes, "pixels" if is_pictures else "ml")
    failed = []
    with PredictedCases(folder, model.path, options) as predicted:
        remaining = [items[index] for index in predicted.remaining(items)]
        volumes.begin([item["case"] for item in remaining])
        for item in remaining:
            paths, case = [Path(file) for file in image_files(item["image"])], item["case"]
            path = paths[0]
            try:
                if reason := item.get("refused"):
                    raise ValueError(reason)
                label_format.check_source(path)
                labels, probabilities, affine = (
                    _predict_picture(path, model)
                    if is_pictures
                    else _predict_scan(Scan(paths, spec, resample_channels), model, save_probabilities, overlap, batch)
                )
            except Exception as error:
                message = one_line_errors(error)
                if message is None:
                    raise
                failed.append(case)
                print(message if str(path) in message else f"{path}: {message}", file=sys.stderr, flush=True)
                continue
            if save_probabilities and probabilities is not None:
                write_prediction(probabilities, folder, f"{case}_probabilities", str(path), affine, spec.num_classes)
            cleaned = _clean(labels, components, affine)
            write_prediction(cleaned, folder, case, str(path), affine, spec.num_classes, label_format)
            removed = volumes.add(case, cleaned[0], affine, labels[0])
            predicted.add(case, item["image"])
            print(f"{path}: done{removed}", flush=True)
    if failed:
        raise ValueError(f"{len(failed)} of {len(items)} cases failed: {', '.join(failed)}")


def _clean(labels: np.ndarray, components: Components, affine: np.ndarray | None) -> np.ndarray:
    """Return labels ``(1, *spatial)`` without the components that are not wanted."""
    if not any(components):
        return labels
    return remove_components(labels[0], *components, volume=voxel_volume(affine, labels.ndim - 1))[None]


def _predict_picture(path: Path, model: OnnxModel) -> tuple[np.ndarray, np.ndarray, None]:
    """Predict labels ``(1, rows, columns)`` and foreground probabilities ``(K - 1, rows, columns)``; no affine."""
    image = read_image(path, model.description)
    logits = resize(model(resize(image, model.description.size)[None])[0], image.shape[1:])
    return _labels(logits), _foreground(logits), None


def _predict_scan(
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
