"""Run the whole pipeline, from raw images to a table and overlays, on synthetic CT in a few minutes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser

from medkd.configs.bundles import BUNDLES
from medkd.configs.merge import merge_files
from medkd.configs.table import data_as_literals
from medkd.phantoms import make_kits19
from medkd.reports.tables import experiment_of_runs, write_report
from medkd.runs.escapes import without_escapes
from medkd.visuals import plot_runs

from .verbs.prepare import prepare
from .workflow import compose, run_bundle

__all__ = ["demo"]

_EDGE = 64  # pixels
# Tiny networks: the teacher of the bundle at width 8, and a UNet of width 4 in the place of the ResNet student, whose
# stride of 32 would leave four pixels of such an image.
_OPTIONS: dict[str, Any] = {
    "target": "organ",
    "image_size": [_EDGE, _EDGE],
    "max_epochs": 12,
    "batch_size": 4,
    "val_interval": 3,
    "learning_rate": 0.01,
    "teacher_width": 8,
    "student_width": 4,
    "network_def::_target_": "medkd.networks.UNet",
}
_RUNS: dict[str, tuple[str, dict[str, Any]]] = {
    "teacher": ("train", {"batch_size": 8, "learning_rate": 0.005}),
    "student": ("train", {}),
    # weight 0.1 as in EMKD: in so few steps the preset's weight of 1 (times T^2) drowns the task
    "student + KD": ("distill", {"method": "kd", "method_args::weight": 0.1}),
    "student + HLFD": ("distill", {"method": "hlfd"}),
}


def demo(output_dir: Path, seed: int = 0) -> None:
    """Make phantoms in the layout of KiTS19, prepare them, train and evaluate four networks, write a table and overlays.

    Args:
        output_dir: folder for everything; must not exist.
        seed: of the phantoms and of every run.

    Raises:
        FileExistsError: when the folder exists.
    """
    if output_dir.exists():
        raise FileExistsError(
            f"--output_dir {output_dir} exists already: remove it or choose another with --output_dir"
        )
    # For networks this small a second thread gains nothing, and on a machine that is busy it costs a lot.
    torch.set_num_threads(1)
    begun = time.monotonic()
    raw, data = output_dir / "raw", output_dir / "data"
    _print_step(1, "making 12 CT phantoms in the layout of KiTS19")
    make_kits19(raw, cases=12, size=_EDGE, slices=(20, 30), seed=seed)
    _print_step(2, "preparing them: checks, patient-level split, slice store")
    prepare("kits19", {"source": [str(raw)], "dataset_dir": [str(data)], "seed": [str(seed)]})
    folders = {title: output_dir / "runs" / title.replace(" + ", "_").lower() for title in _RUNS}
    for number, title in enumerate(_RUNS, start=3):
        _print_step(number, f"training and testing the {title}")
        _train(title, data, folders, seed)
    _print_step(7, "table and pictures")
    _write_results(output_dir, data, folders)
    print(_closing(output_dir, time.monotonic() - begun))


def _print_step(number: int, text: str) -> None:
    print(f"\n[{number}/7] {text}", flush=True)


def _train(title: str, data: Path, folders: dict[str, Path], seed: int) -> None:
    verb, changes = _RUNS[title]
    role = "teacher" if title == "teacher" else "student"
    options = {**_OPTIONS, **changes, "seed": seed, "dataset_dir": str(data), "output_dir": str(folders[title])}
    if role == "teacher":
        del options["network_def::_target_"]  # the overlay puts the teacher's definition in the place of the student's
    if verb == "distill":
        options["teacher"] = str(folders["teacher"])
    run_bundle(compose(verb, "kits19", options, role=role))


def _write_results(output_dir: Path, data: Path, folders: dict[str, Path]) -> None:
    print(without_escapes(write_report(experiment_of_runs(folders, "student"), output_dir).text))
    parser = ConfigParser(merge_files([BUNDLES / "kits19/configs/train.yaml"]))
    options = {**_OPTIONS, "dataset_dir": str(data), "output_dir": str(output_dir)}
    for name, value in data_as_literals(options).items():
        parser[name] = value
    cases, preprocessing = (parser.get_parsed_content(name) for name in ("test::data", "validate::preprocessing"))
    plot_runs(folders, cases, preprocessing, output_dir / "overlays")


def _closing(output_dir: Path, seconds: float) -> str:
    return f"""
Done in {seconds:.0f} s. The images are synthetic and the networks tiny: the numbers show that everything works, not which
method is better. In {output_dir}:
  table.md, table.csv     teacher, student, student + KD, student + HLFD (means over test cases, one seed)
  overlays/               worst, median and best test case, the four predictions side by side
  runs/<name>/            model.pt, config.yaml, environment.json, metrics.csv, summary.json, predictions, TensorBoard events
  data/, raw/             the prepared and the synthetic images

On your own KiTS19 download (or imagesTr/ and labelsTr/ with 0 background, 1 kidney, 2 tumour):
  medkd prepare kits19 --source KITS19_FOLDER --dataset_dir DATA
  medkd train kits19 --role teacher --dataset_dir DATA --output_dir TEACHER
  medkd distill kits19 --method hlfd --teacher TEACHER --dataset_dir DATA --output_dir STUDENT
  medkd infer kits19 --model STUDENT --input SCAN.nii.gz --output_dir PREDICTIONS"""
