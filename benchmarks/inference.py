"""Measure inference from NIfTI to NIfTI in 2-D and in 3-D: runtimes, parts, memory, and what a user might take instead.

    python benchmarks/inference.py [--model RUN --dataset_dir DATA] [--volume_model RUN --volume_dataset_dir DATA]
                                   [--nnunet VENV/bin/python] [--threads 1 2]

`medkd infer` on one phantom scan, each row in its own process, with trained networks of the bundle's size: eager torch,
channels last, `torch.compile`, and each ONNX file in each runtime that is installed. In 3-D, the same network by MONAI's
transforms and `SlidingWindowInferer`, and by nnU-Net's predictor in a separate environment (`pip install nnunetv2`). Without
runs, students are trained on phantoms first (some minutes). A last table has the 2-D network alone.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from inference_students import WINDOW, Student, make_student, network_of, write_scan, write_torchscript
from tabulate import tabulate
from watch import PARTS

from medkd.deploy.runtime import OnnxModel
from medkd.deploy.runtime.runtimes import installed_runtimes
from medkd.networks import load_weights

GIB = 2**30
HERE = Path(__file__).parent
SCAN_HEADERS = (
    *("", "scan, s", "network, s", "the rest, %", "CPU, s", "times eager"),
    *(f"{part}, CPU s" for part in PARTS),
    *("above the model, GiB", "largest, GiB", "Dice"),
)
NETWORK_HEADERS = ("", "ms per slice", "times eager", "Dice", "change of Dice")
TORCH_FORMS = {"eager torch": "eager", "torch, channels last": "channels_last", "torch.compile": "compile"}
TITLES = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}
Command = tuple[list[str], tuple[str, str]]  # command line, (runtime, precision) of its Dice


def main(arguments: list[str] | None = None) -> None:
    """Print the tables."""
    options = _parser().parse_args(arguments)
    for run, data in (("model", "dataset_dir"), ("volume_model", "volume_dataset_dir")):
        if (getattr(options, run) is None) != (getattr(options, data) is None):
            raise SystemExit(f"--{run} and --{data}: found one of them, expected both or none")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        students = {kind: make_student(kind, folder / kind, options) for kind in options.kinds}
        scan = write_scan(folder / "scan.nii.gz", options.slices, options.size)
        for threads in options.threads:
            for kind, student in students.items():
                title = f"{kind}: {options.slices} slices of {options.size} x {options.size}, threads: {threads}"
                _print(title, SCAN_HEADERS, scan_rows(kind, student, folder, scan, threads, options))
            if "slices" in students:
                title = f"{options.batch} slices of {options.size} x {options.size} at once, threads: {threads}"
                _print(title, NETWORK_HEADERS, network_rows(options, students["slices"], threads))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="folder of a 2-D run of volumes, two classes")
    parser.add_argument("--dataset_dir", type=Path, help="data set of that run")
    parser.add_argument("--volume_model", type=Path, help="folder of a 3-D run, two classes")
    parser.add_argument("--volume_dataset_dir", type=Path, help="data set of that run")
    parser.add_argument("--nnunet", help="python of an environment with nnunetv2")
    parser.add_argument("--kinds", nargs="+", choices=("slices", "volumes"), default=["slices", "volumes"])
    parser.add_argument("--width", type=int, default=64, help="of the 2-D student")
    parser.add_argument("--volume_width", type=int, default=16, help="of the 3-D student")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--slices", type=int, default=200)
    parser.add_argument("--patch", type=int, nargs=3, default=[64, 128, 128], help="3-D windows")
    parser.add_argument("--spacing", type=float, nargs=3, default=[3.0, 3.0, 3.0], help="mm, in 3-D")
    parser.add_argument("--overlap", type=float, default=0.5, help="of 3-D windows")
    parser.add_argument("--epochs", type=int, default=20, help="of students that are trained")
    parser.add_argument("--batch", type=int, default=8, help="slices per batch of the network alone")
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--rounds", type=int, default=5, help="of the network alone")
    parser.add_argument("--only", nargs="+", help="only rows of scans whose names contain one of these words")
    return parser


def _print(title: str, headers: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    print(f"\n{title}\n", tabulate(rows, headers, tablefmt="github", floatfmt=".4g"), sep="\n", flush=True)


def commands(kind: str, student: Student, folder: Path, scan: Path, options: argparse.Namespace) -> dict[str, Command]:
    """Return row -> command line, where REPORT and OUTPUT stand for paths."""
    medkd = [sys.executable, str(HERE / "watched_infer.py"), "REPORT"]
    places = ["--input", str(scan), "--output_dir", "OUTPUT"]
    torch_words = ["infer", "kits19", "--model", str(student.weights), "--device", "cpu"]
    if kind == "slices":
        size = f"[{options.size},{options.size}]"
        torch_words += ["--student_width", str(options.width), "--image_size", size]
    else:
        torch_words += ["--mode", "3d", "--student_width", str(options.volume_width), "--overlap", str(options.overlap)]
        torch_words += ["--patch_size", str(options.patch), "--spacing", str(options.spacing)]
    eager = ("torch", "float32")
    rows = {name: ([*medkd, form, *torch_words, *places], eager) for name, form in TORCH_FORMS.items()}
    for runtime, precision in student.dice:
        if runtime != "torch":
            file = student.exported["onnx-int8" if precision == "int8" else "onnx"]
            words = ["infer", "--model", str(file), "--runtime", runtime, *places]
            words += ["--precision", "bf16"] if precision == "bf16" else []
            name = f"{TITLES[runtime]} {precision}"
            rows[name] = ([*medkd, "", *words], (runtime, precision))
    if kind == "volumes":
        job = str(_write_job(student, folder, scan, options))
        rows["MONAI's bundle way"] = ([sys.executable, str(HERE / "monai_infer.py"), "REPORT", job], eager)
        if options.nnunet:
            rows["nnU-Net's predictor"] = ([options.nnunet, str(HERE / "nnunet_infer.py"), "REPORT", job], eager)
    rows = {f"{kind}, {name}": row for name, row in rows.items()}
    return {name: row for name, row in rows.items() if not options.only or any(word in name for word in options.only)}


def _write_job(student: Student, folder: Path, scan: Path, options: argparse.Namespace) -> Path:
    """Write what the peers are to do."""
    job = {
        "scan": str(scan),
        "output": str(folder / "peer"),
        "weights": str(student.weights),
        "torchscript": str(write_torchscript(student, options, folder / "network.ts")),
        "num_classes": 2,
        "width": options.volume_width,
        "window": WINDOW,
        "patch": options.patch,
        "spacing": options.spacing,
        "overlap": options.overlap,
    }
    file = folder / "job.json"
    file.write_text(json.dumps(job))
    return file


def scan_rows(
    kind: str, student: Student, folder: Path, scan: Path, threads: int, options: argparse.Namespace
) -> list[tuple]:
    """Run each inference in its own process; return the rows of a table of scans."""
    rows, eager = [], None
    for name, (words, dice) in commands(kind, student, folder, scan, options).items():
        measured = _measure(words, folder, threads)
        if measured is None:  # the other rows took minutes
            rows.append((name, "failed, see above"))
            continue
        if measured.get("torch") and dice[0] in TITLES:
            raise SystemExit(f"{name}: torch was imported")
        cpu, rest = measured["cpu"], 100 * (1 - measured["network"] / measured["seconds"])
        eager = cpu if name.endswith("eager torch") else eager
        times = (measured["seconds"], measured["network"], rest, cpu, eager and eager / cpu)
        memory = (measured["above"] / GIB, measured["largest"] / GIB)
        rows.append((name, *times, *measured["parts"].values(), *memory, student.dice[dice]))
    return rows


def _measure(words: list[str], folder: Path, threads: int) -> dict[str, Any] | None:
    """Run an inference; return its report, or None if it failed."""
    report = folder / "report.json"
    with tempfile.TemporaryDirectory(dir=folder) as output:
        places = {"REPORT": str(report), "OUTPUT": f"{output}/out"}
        names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")  # torch takes the second for its own, where it is set
        environment = {**os.environ, **dict.fromkeys(names, str(threads))}
        command = [places.get(word, word) for word in words]
        if subprocess.run(command, env=environment, stdout=subprocess.DEVNULL).returncode:
            print(f"failed: {' '.join(command)}", file=sys.stderr, flush=True)
            return None
    return json.loads(report.read_text())


def network_rows(options: argparse.Namespace, student: Student, threads: int) -> list[tuple]:
    """Return the rows of the 2-D network alone, interleaved within each round."""
    torch.set_num_threads(threads)
    eager = load_weights(network_of("slices", options), student.weights).eval()
    in_channels_last = load_weights(network_of("slices", options), student.weights).eval()
    in_channels_last = in_channels_last.to(memory_format=torch.channels_last)
    calls: dict[str, tuple[Any, tuple[str, str]]] = {
        "eager": (lambda x: eager(torch.from_numpy(x)), ("torch", "float32")),
        "channels last": (
            lambda x: in_channels_last(torch.from_numpy(x).contiguous(memory_format=torch.channels_last)),
            ("torch", "float32"),
        ),
    }
    for runtime in installed_runtimes():
        for form, precision in (("onnx", "float32"), ("onnx-int8", "int8")):
            model = OnnxModel(student.exported[form], threads, "cpu", runtime)
            calls[f"{TITLES[runtime]}, {form}"] = (model, (runtime, precision))
    batch = np.random.default_rng(0).uniform(-1, 1, (options.batch, 1, options.size, options.size)).astype(np.float32)
    times: dict[str, list[float]] = {name: [] for name in calls}
    with torch.inference_mode():
        for number in range(options.rounds + 1):
            for name, (call, _) in calls.items():
                start = time.process_time()
                call(batch)
                if number:  # the first round prepares kernels
                    times[name].append((time.process_time() - start) / options.batch)
    rows = []
    for name, seconds in times.items():
        faster = median(a / b for a, b in zip(times["eager"], seconds, strict=True))
        dice = student.dice[calls[name][1]]
        rows.append((name, 1e3 * median(seconds), faster, dice, dice - student.dice["torch", "float32"]))
    return rows


if __name__ == "__main__":
    main()
