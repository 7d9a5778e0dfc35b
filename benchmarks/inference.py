"""Measure inference from NIfTI to NIfTI: time outside the network, memory above the model, ONNX Runtime and eager torch.

    python benchmarks/inference.py [--model RUN --dataset_dir DATA]

First table: `medkd infer` on one phantom scan, each row in its own process (see `watched_infer.py`), with networks of the
bundle's size. Second table: the 2-D network alone on batches of slices, interleaved within each round, and the Dice that the
export measured on the test split. Without --model and --dataset_dir, a student is trained on phantoms first (some minutes).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from statistics import median

import nibabel as nib
import numpy as np
import onnx
import torch
from tabulate import tabulate

from medkd.cli.main import main as medkd
from medkd.deploy.export.formats import save_onnx
from medkd.deploy.runtime import OnnxModel
from medkd.networks import ResNetFCN, UNet, load_weights
from medkd.phantoms.kits19 import make_kits19, make_phantom

GIB = 2**30
DIFFERENT_SLICES = 25  # of the phantom scan


def main(arguments: list[str] | None = None) -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="folder of a 2-D run of kits19")
    parser.add_argument("--dataset_dir", type=Path, help="data set of that run")
    parser.add_argument("--width", type=int, default=64, help="of the 2-D student")
    parser.add_argument("--volume_width", type=int, default=16, help="of the 3-D student, untrained")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--slices", type=int, default=200)
    parser.add_argument("--overlap", type=float, default=0.5, help="of 3-D windows")
    parser.add_argument("--epochs", type=int, default=20, help="of the student that is trained")
    parser.add_argument("--batch", type=int, default=8, help="slices per batch of the network alone")
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--only", nargs="+", help="run only the rows of the first table whose names contain one of these words"
    )
    options = parser.parse_args(arguments)
    if (options.model is None) != (options.dataset_dir is None):
        parser.error("--model and --dataset_dir: found one of them, expected both or none")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.model is None:
            options.model, options.dataset_dir = train(folder, options.width, options.epochs)
        exported = export(folder, options)
        scan = write_scan(folder / "scan.nii.gz", options.slices, options.size)
        for threads in options.threads:
            table_printer(
                f"{options.slices} slices of {options.size} x {options.size}, threads: {threads}", SCAN_HEADERS
            )(
                [
                    scan_row(name, words, folder, scan, threads)
                    for name, words in commands(folder, options, exported).items()
                ]
            )
        for threads in options.threads:
            table_printer(
                f"{options.batch} slices of {options.size} x {options.size} at once, threads: {threads}",
                NETWORK_HEADERS,
            )(network_rows(options, exported, threads))


SCAN_HEADERS = (
    "",
    "start, s",
    "scan, s",
    "network, s",
    "the rest, %",
    "the rest of CPU time, %",
    "above the model, GiB",
)
NETWORK_HEADERS = ("", "ms per slice", "times eager", "Dice", "change of Dice")


def table_printer(title: str, headers: tuple[str, ...]) -> Callable[[list[tuple]], None]:
    """Return a function that prints rows as a table."""
    return lambda rows: print(
        f"\n{title}\n", tabulate(rows, headers, tablefmt="github", floatfmt=".4g"), sep="\n", flush=True
    )


def run(*words: object) -> None:
    """Run a command of medkd in this process, with its output on stderr."""
    with redirect_stdout(sys.stderr):
        if medkd([str(word) for word in words]):
            raise SystemExit(f"medkd {words[0]} failed, see above")


def train(folder: Path, width: int, epochs: int) -> tuple[Path, Path]:
    """Train a student on phantoms; return the folders of run and data set."""
    make_kits19(folder / "raw", cases=10, size=96, slices=(16, 24))
    run("prepare", "kits19", "--source", folder / "raw", "--dataset_dir", folder / "data")
    options = ("--target", "organ", "--image_size", "[96,96]", "--student_width", width, "--max_epochs", epochs)
    folders = ("--dataset_dir", folder / "data", "--output_dir", folder / "run", "--device", "cpu")
    run("train", "kits19", *options, "--val_interval", 2, *folders)
    return folder / "run", folder / "data"


def export(folder: Path, options: argparse.Namespace) -> dict[str, Path]:
    """Export the student in both formats; return format -> file."""
    files = {}
    for form in ("onnx", "onnx-int8"):
        folders = ("--model", options.model, "--dataset_dir", options.dataset_dir, "--output_dir", folder / form)
        run("export", "kits19", "--format", form, "--student_width", options.width, *folders)
        files[form] = next((folder / form).glob("*.onnx"))
        # Its Dice was measured at the training size. With this size each slice is one window, as in the run with torch.
        spec = OnnxModel(files[form], device="cpu").description
        spec = dataclasses.replace(spec, size=(options.size, options.size))
        save_onnx(onnx.load(files[form]), spec, files[form])
    return files


def write_scan(path: Path, slices: int, size: int) -> Path:
    """Write a scan that repeats a few slices. The window of gzip is shorter than a slice, so repetition does not compress."""
    image = make_phantom(np.random.default_rng(0), (min(DIFFERENT_SLICES, slices), size, size), small=False)[0]
    array = np.moveaxis(image[np.arange(slices) % len(image)], 0, -1)
    nib.save(nib.Nifti1Image(np.asfortranarray(array), np.diag([-0.78, -0.78, 3.0, 1.0])), path)
    return path


def commands(folder: Path, options: argparse.Namespace, exported: dict[str, Path]) -> dict[str, list[str]]:
    """Return row -> arguments of `medkd infer`."""
    volume = folder / "volume.pt"
    torch.save(UNet(3, 1, 2, width=options.volume_width).state_dict(), volume)
    size = f"[{options.size},{options.size}]"
    slices = ["kits19", "--model", str(options.model), "--student_width", str(options.width), "--image_size", size]
    slices += ["--device", "cpu"]
    volumes = ["kits19", "--mode", "3d", "--model", str(volume), "--student_width", str(options.volume_width)]
    rows = {
        "slices, torch": slices,
        "slices, torch, probabilities": [*slices, "--save_probabilities", "True"],
        "slices, ONNX": ["--model", str(exported["onnx"])],
        "slices, ONNX int8": ["--model", str(exported["onnx-int8"])],
        "volumes, torch": [*volumes, "--device", "cpu", "--overlap", str(options.overlap)],
    }
    return {name: row for name, row in rows.items() if not options.only or any(word in name for word in options.only)}


def scan_row(name: str, words: list[str], folder: Path, scan: Path, threads: int) -> tuple:
    """Run one inference in its own process; return a row of the first table."""
    report = folder / "report.json"
    with tempfile.TemporaryDirectory(dir=folder) as output:
        command = ["infer", *words, "--input", str(scan), "--output_dir", f"{output}/out"]
        watched = [sys.executable, str(Path(__file__).with_name("watched_infer.py")), str(report), *command]
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        if subprocess.run(watched, env=environment, stdout=subprocess.DEVNULL).returncode:
            raise SystemExit(f"medkd {' '.join(command)} failed, see above")
    measured = json.loads(report.read_text())
    if "ONNX" in name and measured["torch"]:
        raise SystemExit(f"{name}: torch was imported")
    rest = 100 * (1 - measured["network"] / measured["seconds"])
    rest_cpu = 100 * (1 - measured["network_cpu"] / measured["cpu"])
    return (
        name,
        measured["startup"],
        measured["seconds"],
        measured["network"],
        rest,
        rest_cpu,
        measured["above"] / GIB,
    )


def network_rows(options: argparse.Namespace, exported: dict[str, Path], threads: int) -> list[tuple]:
    """Return the rows of the second table."""
    torch.set_num_threads(threads)
    classes = len(OnnxModel(exported["onnx"], threads, "cpu").description.classes) + 1
    eager = load_weights(ResNetFCN(2, 1, classes, width=options.width), options.model).eval()
    in_channels_last = load_weights(ResNetFCN(2, 1, classes, width=options.width), options.model).eval()
    in_channels_last = in_channels_last.to(memory_format=torch.channels_last)
    dice = {
        form: json.loads(path.with_name(f"{path.name}.json").read_text())["dice"] for form, path in exported.items()
    }
    calls = {
        "eager torch": lambda x: eager(torch.from_numpy(x)),
        "eager torch, channels last": lambda x: in_channels_last(
            torch.from_numpy(x).contiguous(memory_format=torch.channels_last)
        ),
        **{form: OnnxModel(path, threads, "cpu") for form, path in exported.items()},
    }
    batch = np.random.default_rng(0).uniform(-1, 1, (options.batch, 1, options.size, options.size)).astype(np.float32)
    times: dict[str, list[float]] = {name: [] for name in calls}
    with torch.inference_mode():
        for number in range(options.rounds + 1):
            for name, call in calls.items():
                start = time.perf_counter()
                call(batch)
                if number:  # the first round prepares kernels
                    times[name].append((time.perf_counter() - start) / options.batch)
    rows = []
    for name, seconds in times.items():
        faster = median(a / b for a, b in zip(times["eager torch"], seconds, strict=True))
        scores = dice.get(name, {})
        score = np.mean([values["exported"] for values in scores.values()]) if scores else None
        change = np.mean([values["change"] for values in scores.values()]) if scores else None
        rows.append((name, 1e3 * median(seconds), faster, score, change))
    return rows


if __name__ == "__main__":
    main()
