"""Reads the files of a folder as medkd does, one function for each kind of file."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def volume(folder: Path) -> Any:
    from medkd.io import read_volume_file

    return read_volume_file(next(path for path in folder.iterdir() if path.name.startswith("a.")))


def volume_folder(folder: Path) -> Any:
    from medkd.io import read_volume_file

    return read_volume_file(folder)


def pair(folder: Path) -> Any:
    from medkd.data_prep._cases import CaseFiles
    from medkd.data_prep._volumes import read_pair

    return read_pair(CaseFiles((folder / "image.nii",), folder / "a.nii"))


def picture(folder: Path) -> Any:
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


def store(folder: Path) -> Any:
    from medkd.data import read_slice, read_volume

    return read_slice(folder / "a.b2nd", 1), read_volume(folder / "a.b2nd")


def datalist(folder: Path) -> Any:
    from medkd.data import SliceDataset, data_classes, data_values, load_datalist

    for split in ("training", "validation", "test"):
        SliceDataset(load_datalist(folder, split), target=(1,))[0]
    return data_values(folder), data_classes(folder), data_classes(folder, "tumour")


def split(folder: Path) -> Any:
    from medkd.data.splits import split_cases

    return split_cases(dict(zip("abcde", "vwxyz", strict=True)), str(folder / "split.json"))


def patients(folder: Path) -> Any:
    from medkd.data_prep._splits import read_patients

    return read_patients(folder / "patients.csv", list("abcdef"))


def record(folder: Path) -> Any:
    from medkd.runs import RunFolder, check_model, check_student, recorded
    from medkd.runs.rebuild import load_parser

    check_student(folder, "infer")
    check_model(folder, target="tumour", window=[-200, 300])
    recorded(folder, "window", None)
    return load_parser(RunFolder(folder)).get_parsed_content("network_def")


def tables(folder: Path) -> Any:
    from medkd.reports.tables.experiment import results
    from medkd.reports.tables.folders import experiment_of_runs
    from medkd.reports.tables.render import task_tables

    experiment = experiment_of_runs({"KD": folder / "run", "Student": folder / "other"})
    table = results(experiment)
    return task_tables(table, {}, experiment.baseline)


def summary(folder: Path) -> Any:
    from medkd.runs import RunFolder

    return RunFolder(folder / "run").require_summary()


def page(folder: Path) -> Any:
    from medkd.reports.page.correction import correction
    from medkd.reports.page.runs import run_facts
    from medkd.reports.tables.folders import experiment_of_runs

    return [correction(run) for run in run_facts(experiment_of_runs({"KD": folder / "run"}))]


def mlflow(folder: Path) -> Any:
    from medkd.runs import RunFolder

    return RunFolder(folder / "run").read_mlflow()


def plan(folder: Path) -> Any:
    from medkd.cli.verbs.experiment import installed_bundles
    from medkd.experiments.check_plan import check_plan
    from medkd.experiments.plan import Plan
    from medkd.experiments.plan_file import load_plan

    content = load_plan(folder / "plan.yaml")
    check_plan(content, "plan.yaml", installed_bundles())
    return Plan(content, dict.fromkeys(content["tasks"], "DATA"), folder).jobs


def experiment(folder: Path) -> Any:
    from medkd.experiments import read_plan

    return read_plan(folder).jobs


def onnx_spec(folder: Path) -> Any:
    from medkd.deploy.runtime import ModelSpec

    return ModelSpec.from_json((folder / "spec.json").read_bytes().decode("utf-8", "replace"))


def onnx(folder: Path) -> Any:
    from medkd.deploy.runtime import OnnxModel

    return OnnxModel(folder / "a.onnx", threads=1, device="cpu")


def weights(folder: Path) -> Any:
    import torch

    from medkd.networks import load_weights

    return load_weights(torch.nn.Linear(3, 2), folder / "model.pt")


def torchscript(folder: Path) -> Any:
    from medkd.teachers.torchscript import read_torchscript

    return read_torchscript(folder / "a.ts")


def nnunet(folder: Path) -> Any:
    from medkd.teachers.nnunet_folder import read_nnunet

    return read_nnunet(folder)


def bundle(folder: Path) -> Any:
    from medkd.teachers.bundle_folder import read_bundle

    return read_bundle(folder)


def overlay(folder: Path) -> Any:
    from medkd.configs.bundles import config_files
    from medkd.configs.merge import merge_files

    return merge_files([*config_files("train", "kits19"), folder / "overlay.yaml"])


def cached(folder: Path) -> Any:
    import numpy as np

    from medkd.teachers.cached import _check, _is_complete

    if _is_complete(folder / "a.npy", (2, 8, 8)):
        _check(folder / "a.npy")
        np.load(folder / "a.npy")


def progress(folder: Path) -> Any:
    from medkd.runs import PredictedCases

    with PredictedCases(folder, folder / "model.pt", {}) as cases:
        return cases.remaining([{"case": "a", "image": str(folder / "model.pt")}])
