"""Inference of files: one pipeline for exported networks, without torch, and for networks of torch."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from medkd.inferers.pipeline import OneBeside, read_ahead
from medkd.io import (
    PICTURES,
    VOLUMES,
    LabelFormat,
    VolumeTable,
    find_images,
    image_files,
    remove_components,
    voxel_volume,
    write_prediction,
)
from medkd.runs.errors import ALL_BACKGROUND, counted, one_line_errors
from medkd.runs.predicted import PredictedCases

from .arrays import Model
from .prediction import predict_picture, predict_scan
from .scans import Scan, read_image

__all__ = ["Components", "infer"]


class Components(NamedTuple):
    """Which connected components of a prediction are kept, see `medkd.io.remove_components`."""

    largest: bool = False
    """Keep the largest component of each class only."""
    min_volume: float = 0.0
    """Remove components below this volume: ml, or pixels of pictures."""


def infer(
    model: Model,
    source: str | Path,
    output_dir: str | Path,
    save_probabilities: bool = False,
    overlap: float | None = None,
    batch: int | None = None,
    components: Components | None = None,
    label_format: LabelFormat | None = None,
    resample_channels: bool = False,
    recorded: Mapping[str, Any] | None = None,
) -> None:
    """Write the labels of one file, or of all files in a folder, in their own geometry, and print one line for each.

    Args:
        model: a network, which describes its own input.
        source: a file, a folder with a DICOM series, or a folder of these.
        output_dir: folder for the predictions; it must differ from the input's and hold none of the predictions.
        save_probabilities: write the probabilities of the foreground classes too.
        overlap: of neighbouring windows, a share of their edges; None: the model's own.
        batch: windows at once; None: 8 slices, or 2 windows of a volume.
        components: connected components that are kept; None: all.
        label_format: of predicted volumes; None: NIfTI.
        resample_channels: resample channels on another grid than the first onto it; else such an image is refused.
        recorded: what an interrupted call records as its options; None: those of this function.

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
    volumes = VolumeTable(folder, spec.classes, "pixels" if is_pictures else "ml")
    options = _Options(save_probabilities, overlap, batch, components or Components(), label_format, resample_channels)
    cases = _Cases(model, folder, volumes, options)
    if recorded is None:
        recorded = options.recorded() | ({} if model.precision == "float32" else {"precision": model.precision})
    with PredictedCases(folder, model.path, recorded) as predicted:
        remaining = [items[index] for index in predicted.remaining(items)]
        volumes.begin([item["case"] for item in remaining])
        failed, is_empty = _infer(cases, remaining, predicted)
    if len(failed) < len(items):
        print(volumes.summary([item["case"] for item in items]), flush=True)
    if is_empty and len(failed) < len(remaining):
        print(ALL_BACKGROUND, flush=True)
    if failed and len(failed) == len(items):
        raise ValueError(
            f"{len(failed)} of {counted(len(failed), 'case')} failed, nothing was written: {', '.join(failed)}"
        )
    if failed:
        raise ValueError(f"{len(failed)} of {len(items)} cases failed: {', '.join(failed)}")


def _infer(cases: _Cases, items: list[dict[str, Any]], predicted: PredictedCases) -> tuple[list[str], bool]:
    """Return the names of the failed cases, and whether all predictions are background.

    The next case is read, and the case before is written, while the network predicts. Lines on the console keep the order
    of the cases.
    """
    failed, is_empty = [], True
    with OneBeside() as writer, read_ahead(cases.read, items) as reading:
        for item, take in reading:
            try:
                prediction = cases.predict(take())
            except Exception as error:
                message = one_line_errors(error)
                if message is None:
                    raise
                writer.wait()  # the case before is reported first
                failed.append(item["case"])
                path = image_files(item["image"])[0]
                print(message if path in message else f"{path}: {message}", file=sys.stderr, flush=True)
                continue
            is_empty = is_empty and not prediction.labels.any()
            writer.start(cases.write, item, prediction, predicted)
    return failed, is_empty


class _Prediction(NamedTuple):
    """Labels, foreground probabilities and affine of a case; a picture has no affine."""

    labels: np.ndarray
    probabilities: np.ndarray | None
    affine: np.ndarray | None


@dataclass(frozen=True)
class _Options:
    """The options of `infer` that change predictions."""

    save_probabilities: bool
    overlap: float | None
    batch: int | None
    components: Components
    label_format: LabelFormat
    resample_channels: bool

    def recorded(self) -> dict[str, Any]:
        """Return the options as an interrupted call records them; an earlier version's record lacks the newer ones."""
        options: dict[str, Any] = {
            "save_probabilities": self.save_probabilities,
            "overlap": self.overlap,
            "batch": self.batch,
        }
        if any(self.components):
            options |= self.components._asdict()
        if self.label_format.name != "nifti":
            options |= asdict(self.label_format)
        if self.resample_channels:
            options["resample_channels"] = True
        return options


class _Cases(NamedTuple):
    """Predict cases and write what was predicted."""

    model: Model
    folder: Path
    volumes: VolumeTable
    options: _Options

    def read(self, item: dict[str, Any]) -> Scan | np.ndarray:
        """Read an image of `find_images`: a scan, or the array of a picture.

        Raises:
            ValueError: for an image that cannot be used.
        """
        if reason := item.get("refused"):
            raise ValueError(reason)
        paths, options = [Path(file) for file in image_files(item["image"])], self.options
        options.label_format.check_source(paths[0])
        if self.model.description.kind == "pictures":
            return read_image(paths[0], self.model.description)
        return Scan(paths, self.model.description, options.resample_channels, self.model.arrays.in_float32)

    def predict(self, image: Scan | np.ndarray) -> _Prediction:
        """Return the prediction for what `read` returned."""
        if isinstance(image, np.ndarray):
            return _Prediction(*predict_picture(image, self.model))
        options = self.options
        found = predict_scan(image, self.model, options.save_probabilities, options.overlap, options.batch)
        return _Prediction(*found)

    def write(self, item: dict[str, Any], prediction: _Prediction, predicted: PredictedCases) -> None:
        """Write the files of a case, record that, and print one line."""
        raw, probabilities, affine = prediction
        case, source = item["case"], image_files(item["image"])[0]
        classes = self.model.description.num_classes
        if self.options.save_probabilities and probabilities is not None:
            write_prediction(probabilities, self.folder, f"{case}_probabilities", source, affine, classes)
        labels = _clean(raw, self.options.components, affine)
        write_prediction(labels, self.folder, case, source, affine, classes, self.options.label_format)
        removed = self.volumes.add(case, labels[0], affine, None if labels is raw else raw[0])
        predicted.add(case, item["image"])
        print(f"{source}: done{removed}", flush=True)


def _clean(labels: np.ndarray, components: Components, affine: np.ndarray | None) -> np.ndarray:
    """Return labels ``(1, *spatial)`` without the components that are not wanted."""
    if not any(components):
        return labels
    return remove_components(labels[0], *components, volume=voxel_volume(affine, labels.ndim - 1))[None]
