"""All readers of medkd, each with valid files to start from."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import image_seeds, record_seeds

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


def _volume(folder: Path) -> Any:
    from medkd.io import read_volume_file

    return read_volume_file(next(path for path in folder.iterdir() if path.name.startswith("a.")))


def _volume_folder(folder: Path) -> Any:
    from medkd.io import read_volume_file

    return read_volume_file(folder)


def _pair(folder: Path) -> Any:
    from medkd.data_prep._cases import CaseFiles
    from medkd.data_prep._volumes import read_pair

    return read_pair(CaseFiles((folder / "image.nii",), folder / "a.nii"))


def _picture(folder: Path) -> Any:
    from medkd.io import open_picture, read_picture
    from medkd.io.masks import read_mask

    file = next(path for path in folder.iterdir() if path.name.startswith("a."))
    errors = []
    for read in (read_picture, open_picture, lambda path: read_mask(path, "0 and 255")):
        try:
            read(file)
        except (ValueError, OSError) as error:
            errors.append(error)
    if errors:
        raise errors[0]


def _store(folder: Path) -> Any:
    from medkd.data import read_slice, read_volume

    return read_slice(folder / "a.b2nd", 1), read_volume(folder / "a.b2nd")


def _datalist(folder: Path) -> Any:
    from medkd.data import SliceDataset, load_datalist
    from medkd.data.datalist import data_classes, data_values

    for split in ("training", "validation", "test"):
        SliceDataset(load_datalist(folder, split), target=(1,))[0]
    return data_values(folder), data_classes(folder), data_classes(folder, "tumour")


def _split(folder: Path) -> Any:
    from medkd.data.splits import split_cases

    return split_cases(dict(zip("abcde", "vwxyz", strict=True)), str(folder / "split.json"))


def _patients(folder: Path) -> Any:
    from medkd.data_prep._splits import read_patients

    return read_patients(folder / "patients.csv", list("abcdef"))


def _record(folder: Path) -> Any:
    from medkd.runs import RunFolder, check_model, check_student, recorded
    from medkd.runs.rebuild import load_parser

    check_student(folder, "infer")
    check_model(folder, target="tumour", window=[-200, 300])
    recorded(folder, "window", None)
    return load_parser(RunFolder(folder)).get_parsed_content("network_def")


def _tables(folder: Path) -> Any:
    from medkd.reports.tables.experiment import results
    from medkd.reports.tables.folders import experiment_of_runs
    from medkd.reports.tables.render import task_tables

    experiment = experiment_of_runs({"KD": folder / "run", "Student": folder / "other"})
    table = results(experiment)
    return task_tables(table, {}, experiment.baseline)


def _summary(folder: Path) -> Any:
    from medkd.runs import RunFolder

    return RunFolder(folder / "run").require_summary()


def _page(folder: Path) -> Any:
    from medkd.reports.page.correction import correction
    from medkd.reports.page.runs import run_facts
    from medkd.reports.tables.folders import experiment_of_runs

    return [correction(run) for run in run_facts(experiment_of_runs({"KD": folder / "run"}))]


def _mlflow(folder: Path) -> Any:
    from medkd.runs import RunFolder

    return RunFolder(folder / "run").read_mlflow()


def _plan(folder: Path) -> Any:
    from medkd.cli.verbs.experiment import installed_bundles
    from medkd.experiments.check_plan import check_plan
    from medkd.experiments.plan import Plan
    from medkd.experiments.plan_file import load_plan

    content = load_plan(folder / "plan.yaml")
    check_plan(content, "plan.yaml", installed_bundles())
    return Plan(content, dict.fromkeys(content["tasks"], "DATA"), folder).jobs


def _experiment(folder: Path) -> Any:
    from medkd.experiments import read_plan

    return read_plan(folder).jobs


def _onnx_spec(folder: Path) -> Any:
    from medkd.deploy.runtime import ModelSpec

    return ModelSpec.from_json((folder / "spec.json").read_bytes().decode("utf-8", "replace"))


def _onnx(folder: Path) -> Any:
    from medkd.deploy.runtime import OnnxModel

    return OnnxModel(folder / "a.onnx", threads=1, device="cpu")


def _weights(folder: Path) -> Any:
    import torch

    from medkd.networks import load_weights

    return load_weights(torch.nn.Linear(3, 2), folder / "model.pt")


def _torchscript(folder: Path) -> Any:
    from medkd.teachers.torchscript import read_torchscript

    return read_torchscript(folder / "a.ts")


def _nnunet(folder: Path) -> Any:
    from medkd.teachers.nnunet_folder import read_nnunet

    return read_nnunet(folder)


def _bundle(folder: Path) -> Any:
    from medkd.teachers.bundle_folder import read_bundle

    return read_bundle(folder)


def _overlay(folder: Path) -> Any:
    from medkd.configs.bundles import config_files
    from medkd.configs.merge import merge_files

    return merge_files([*config_files("train", "kits19"), folder / "overlay.yaml"])


def _cached(folder: Path) -> Any:
    import numpy as np

    from medkd.teachers.cached import _check, _is_complete

    if _is_complete(folder / "a.npy", (2, 8, 8)):
        _check(folder / "a.npy")
        np.load(folder / "a.npy")


def _progress(folder: Path) -> Any:
    from medkd.runs import PredictedCases

    with PredictedCases(folder, folder / "model.pt", {}) as cases:
        return cases.remaining([{"case": "a", "image": str(folder / "model.pt")}])


READERS = {
    "nifti": Reader("a.nii", image_seeds.nifti, _volume),
    "nifti_gz": Reader("a.nii.gz", image_seeds.nifti_gz, _volume, "gzip"),
    "nifti_label": Reader("a.nii", image_seeds.nifti_pair, _pair),
    "nrrd": Reader("a.nrrd", image_seeds.nrrd, _volume),
    "nhdr": Reader("a.nhdr", image_seeds.nhdr, _volume),
    "metaimage": Reader("a.mha", image_seeds.metaimage, _volume),
    "mhd": Reader("a.mhd", image_seeds.mhd, _volume),
    "dicom": Reader("001.dcm", image_seeds.dicom, _volume_folder),
    "png": Reader("a.png", image_seeds.png, _picture, seeds=("palette", "deep", "grey", "alpha")),
    "jpeg": Reader("a.jpg", image_seeds.jpeg, _picture, seeds=("exif", "cmyk")),
    "tiff": Reader("a.tif", image_seeds.tiff, _picture, seeds=("pages", "float", "deep")),
    "bmp": Reader("a.bmp", image_seeds.bmp, _picture),
    "store": Reader("a.b2nd", image_seeds.store, _store),
    "datalist": Reader("datalist.json", record_seeds.datalist, _datalist, "json"),
    "split": Reader("split.json", record_seeds.split, _split, "json"),
    "patients": Reader("patients.csv", record_seeds.patients, _patients, "csv"),
    "record": Reader("config.yaml", record_seeds.record, _record, "yaml"),
    "metrics": Reader("run/metrics.csv", record_seeds.runs, _tables, "csv"),
    "summary": Reader("run/summary.json", record_seeds.runs, _summary, "json"),
    "environment": Reader("run/environment.json", record_seeds.runs, _page, "json"),
    "correction": Reader("run/correction.json", record_seeds.runs, _page, "json"),
    "mlflow": Reader("run/mlflow.json", record_seeds.runs, _mlflow, "json"),
    "plan": Reader("plan.yaml", record_seeds.plan, _plan, "yaml"),
    "experiment": Reader("plan.yaml", record_seeds.experiment, _experiment, "yaml"),
    "overlay": Reader("overlay.yaml", record_seeds.overlay, _overlay, "yaml"),
    "spec": Reader("spec.json", record_seeds.spec, _onnx_spec, "json"),
    "onnx": Reader("a.onnx", record_seeds.onnx, _onnx),
    "weights": Reader("model.pt", record_seeds.weights, _weights),
    "torchscript": Reader("a.ts", record_seeds.torchscript, _torchscript),
    "nnunet_plans": Reader("plans.json", record_seeds.nnunet, _nnunet, "json"),
    "nnunet_dataset": Reader("dataset.json", record_seeds.nnunet, _nnunet, "json"),
    "bundle_metadata": Reader("configs/metadata.json", record_seeds.bundle, _bundle, "json"),
    "soft_labels": Reader("a.npy", record_seeds.soft_labels, _cached),
    "progress": Reader(".predicted.jsonl", record_seeds.progress, _progress, "json"),
}


def seed_files(reader: Reader) -> tuple[dict[str, bytes], list[bytes]]:
    """Return the files of a reader's folder by name, and the contents that the target starts from."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        reader.make(folder)
        files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    starts = [files[reader.target], *(files.pop(seed) for seed in reader.seeds)]
    return files, starts
