"""`medkd demo`: the whole way from raw images to a table and pictures, on drawn CT, in minutes on two cores."""

from __future__ import annotations

import time
from pathlib import Path

import torch
from monai.bundle import ConfigParser
from torch import nn

from medkd.metrics import milliseconds_per_slice
from medkd.phantoms import make_kits19
from medkd.reports.tables import Run, triplet_table
from medkd.runs.files import write_atomically
from medkd.visuals import plot_runs

from .commands import BUNDLES, compose, prepare, run_bundle

__all__ = ["demo"]

_EDGE = 64
# Tiny networks: the teacher of the bundle at width 8, and a UNet of width 4 in the place of the ResNet student, whose
# stride of 32 would leave four pixels of such an image.
_OPTIONS = {
    "target": "organ",
    "image_size": f"[{_EDGE},{_EDGE}]",
    "max_epochs": "12",
    "batch_size": "4",
    "val_interval": "3",
    "learning_rate": "0.01",
    "teacher_width": "8",
    "student_width": "4",
    "network_def::_target_": "medkd.networks.UNet",
}
_RUNS = {
    "teacher": ("train", {"batch_size": "8", "learning_rate": "0.005"}),
    "student": ("train", {}),
    # weight 0.1 as in EMKD: in so few steps the preset's weight of 1 (times T^2) drowns the task
    "student + KD": ("distill", {"method": "kd", "method_args::weight": "0.1"}),
    "student + HLFD": ("distill", {"method": "hlfd"}),
}


def demo(output_dir: Path, seed: int = 0) -> None:
    """Draws phantoms in KiTS19's layout, prepares them, trains and evaluates four networks, writes table and overlays.

    Args:
        output_dir: everything goes here; must not exist.
        seed: of the drawing and of every run.

    Raises:
        FileExistsError: when the folder exists.
    """
    if output_dir.exists():
        raise FileExistsError(f"output_dir {output_dir} exists already: remove it or choose another with --output_dir")
    # For networks this small a second thread gains nothing, and on a machine that is busy it costs a lot.
    torch.set_num_threads(1)
    begun = time.monotonic()
    raw, data = output_dir / "raw", output_dir / "data"
    _step(1, "drawing 12 CT phantoms in the layout of KiTS19")
    make_kits19(raw, cases=12, size=_EDGE, slices=(20, 30), seed=seed)
    _step(2, "preparing them: checks, patient-level split, slice store")
    prepare("kits19", ["--source", str(raw), "--dataset_dir", str(data), "--seed", str(seed)])
    folders = {title: output_dir / "runs" / title.replace(" + ", "_").lower() for title in _RUNS}
    for number, (title, (verb, options)) in enumerate(_RUNS.items(), start=3):
        _step(number, f"training and testing the {title}")
        _train(verb, title, {**_OPTIONS, **options, "seed": str(seed)}, data, folders)
    _step(7, "table and pictures")
    _report(output_dir, data, folders)
    print(_closing(output_dir, time.monotonic() - begun))


def _step(number: int, text: str) -> None:
    print(f"\n[{number}/7] {text}", flush=True)


def _train(verb: str, title: str, options: dict[str, str], data: Path, folders: dict[str, Path]) -> None:
    role = "teacher" if title == "teacher" else "student"
    if role == "teacher":
        # the overlay puts the teacher's definition in the place of the student's
        options = {name: value for name, value in options.items() if not name.startswith("network_def")}
    options = {**options, "dataset_dir": str(data), "output_dir": str(folders[title])}
    if verb == "distill":
        options["teacher"] = str(folders["teacher"])
    run_bundle(
        compose(verb, "kits19", role, [word for name, value in options.items() for word in (f"--{name}", value)])
    )


def _bundle_parser(data: Path, output_dir: Path) -> ConfigParser:
    """The bundle's configuration at the demo's size."""
    parser = ConfigParser(ConfigParser.load_config_file(BUNDLES / "kits19/configs/train.yaml"))
    options = {**_OPTIONS, "image_size": [_EDGE, _EDGE], "teacher_width": 8, "student_width": 4}
    for name, value in {**options, "dataset_dir": str(data), "output_dir": str(output_dir)}.items():
        parser[name] = value
    return parser


def _report(output_dir: Path, data: Path, folders: dict[str, Path]) -> None:
    parser = _bundle_parser(data, output_dir)
    networks: dict[str, nn.Module] = {
        title: parser.get_parsed_content("teacher_def" if title == "teacher" else "network_def") for title in folders
    }
    runs = [
        Run(
            title,
            folders[title],
            sum(parameter.numel() for parameter in network.parameters()),
            milliseconds_per_slice(network, (1, _EDGE, _EDGE)),
        )
        for title, network in networks.items()
    ]
    table = triplet_table(runs)
    write_atomically(output_dir / "table.csv", table.to_csv)
    write_atomically(output_dir / "table.md", lambda path: path.write_text(table.to_markdown() + "\n"))
    print(table.to_markdown())
    entries, preprocessing = (
        parser.get_parsed_content("test::data"),
        parser.get_parsed_content("validate::preprocessing"),
    )
    plot_runs(folders, entries, preprocessing, output_dir / "overlays")


def _closing(output_dir: Path, seconds: float) -> str:
    return f"""
Done in {seconds:.0f} s. The images are drawn and the networks tiny: the numbers show that everything works, not which
method is better. In {output_dir}:
  table.md, table.csv     teacher, student, student + KD, student + HLFD (mean and deviation over test cases, one seed)
  overlays/               worst, median and best test case, the four predictions side by side
  runs/<name>/            model.pt, config.yaml, environment.json, metrics.csv, summary.json, predictions, TensorBoard events
  data/, raw/             the prepared and the drawn images

On your own KiTS19 download (or imagesTr/ and labelsTr/ with 0 background, 1 kidney, 2 tumour):
  medkd prepare kits19 --source KITS19_FOLDER --dataset_dir DATA
  medkd train kits19 --role teacher --dataset_dir DATA --output_dir TEACHER
  medkd distill kits19 --method hlfd --teacher TEACHER --dataset_dir DATA --output_dir STUDENT
  medkd infer kits19 --model STUDENT --input SCAN.nii.gz --output_dir PREDICTIONS"""
