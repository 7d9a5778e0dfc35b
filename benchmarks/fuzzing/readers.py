"""All readers of medkd, each with valid files to start from."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import image_seeds, reads, record_seeds

__all__ = ["READERS", "Reader", "seed_files"]


@dataclass(frozen=True)
class Reader:
    """A reader and its files.

    Attributes:
        target: name of the mutated file in the folder.
        make: writes the valid files into a folder.
        read: reads the folder.
        kind: of mutations, see `mutate`.
        seeds: further names of valid files in the folder that the target may be a copy of.
    """

    target: str
    make: Callable[[Path], Any]
    read: Callable[[Path], Any]
    kind: str = "bytes"
    seeds: tuple[str, ...] = field(default=())


READERS = {
    "nifti": Reader("a.nii", image_seeds.nifti, reads.volume),
    "nifti_gz": Reader("a.nii.gz", image_seeds.nifti_gz, reads.volume, "gzip"),
    "nifti_label": Reader("a.nii", image_seeds.nifti_pair, reads.pair),
    "nrrd": Reader("a.nrrd", image_seeds.nrrd, reads.volume),
    "nhdr": Reader("a.nhdr", image_seeds.nhdr, reads.volume),
    "metaimage": Reader("a.mha", image_seeds.metaimage, reads.volume),
    "mhd": Reader("a.mhd", image_seeds.mhd, reads.volume),
    "dicom": Reader("001.dcm", image_seeds.dicom, reads.volume_folder),
    "png": Reader("a.png", image_seeds.png, reads.picture, seeds=("palette", "deep", "grey", "alpha")),
    "jpeg": Reader("a.jpg", image_seeds.jpeg, reads.picture, seeds=("exif", "cmyk")),
    "tiff": Reader("a.tif", image_seeds.tiff, reads.picture, seeds=("pages", "float", "deep")),
    "bmp": Reader("a.bmp", image_seeds.bmp, reads.picture),
    "store": Reader("a.b2nd", image_seeds.store, reads.store),
    "datalist": Reader("datalist.json", record_seeds.datalist, reads.datalist, "json"),
    "split": Reader("split.json", record_seeds.split, reads.split, "json"),
    "patients": Reader("patients.csv", record_seeds.patients, reads.patients, "csv"),
    "record": Reader("config.yaml", record_seeds.record, reads.record, "yaml"),
    "metrics": Reader("run/metrics.csv", record_seeds.runs, reads.tables, "csv"),
    "summary": Reader("run/summary.json", record_seeds.runs, reads.summary, "json"),
    "environment": Reader("run/environment.json", record_seeds.runs, reads.page, "json"),
    "correction": Reader("run/correction.json", record_seeds.runs, reads.page, "json"),
    "mlflow": Reader("run/mlflow.json", record_seeds.runs, reads.mlflow, "json"),
    "plan": Reader("plan.yaml", record_seeds.plan, reads.plan, "yaml"),
    "experiment": Reader("plan.yaml", record_seeds.experiment, reads.experiment, "yaml"),
    "overlay": Reader("overlay.yaml", record_seeds.overlay, reads.overlay, "yaml"),
    "spec": Reader("spec.json", record_seeds.spec, reads.onnx_spec, "json"),
    "onnx": Reader("a.onnx", record_seeds.onnx, reads.onnx),
    "weights": Reader("model.pt", record_seeds.weights, reads.weights),
    "torchscript": Reader("a.ts", record_seeds.torchscript, reads.torchscript),
    "nnunet_plans": Reader("plans.json", record_seeds.nnunet, reads.nnunet, "json"),
    "nnunet_dataset": Reader("dataset.json", record_seeds.nnunet, reads.nnunet, "json"),
    "bundle_metadata": Reader("configs/metadata.json", record_seeds.bundle, reads.bundle, "json"),
    "soft_labels": Reader("a.npy", record_seeds.soft_labels, reads.cached),
    "progress": Reader(".predicted.jsonl", record_seeds.progress, reads.progress, "json"),
}


def seed_files(reader: Reader) -> tuple[dict[str, bytes], list[bytes]]:
    """Return the files of a reader's folder by name, and the contents that the target starts from."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        reader.make(folder)
        files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    starts = [files[reader.target], *(files.pop(seed) for seed in reader.seeds)]
    return files, starts
