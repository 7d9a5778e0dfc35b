"""Students, exported files and the scan of `inference.py`."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nib
import numpy as np
import onnx
import torch

from medkd.cli.main import main as medkd
from medkd.deploy.runtime import KEY, OnnxModel
from medkd.networks import ResNetFCN, UNet, load_weights
from medkd.phantoms.kits19 import make_kits19, make_phantom
from medkd.runs.checksums import append_checksum

WINDOW = (-200, 300)  # HU, of kits19
DIFFERENT_SLICES = 25  # of the phantom scan


class Student(NamedTuple):
    """A trained student in the forms that are compared."""

    weights: Path
    """Weights alone: the benchmark's sizes are not those of the training."""
    exported: dict[str, Path]
    """Format -> ONNX file, whose description has the benchmark's sizes."""
    dice: dict[tuple[str, str], float]
    """(runtime, precision) -> mean Dice that the export measured at the training's sizes; int8 files have "int8"."""


def make_student(kind: str, folder: Path, options: argparse.Namespace) -> Student:
    """Train a student on phantoms, unless there is one, and export it.

    Args:
        kind: "slices" or "volumes".
        folder: for all files.
        options: of the benchmark.
    """
    folder.mkdir()
    of_kind = {
        "slices": (options.model, options.dataset_dir),
        "volumes": (options.volume_model, options.volume_dataset_dir),
    }
    model, data = of_kind[kind]
    if model is None:
        model, data = _train(kind, folder, options)
    exported, dice = {}, {}
    for form in ("onnx", "onnx-int8"):
        folders = ("--model", model, "--dataset_dir", data, "--output_dir", folder / form)
        _run("export", "--format", form, *folders)
        file = next((folder / form).glob("*.onnx"))
        dice |= _dice(json.loads(file.with_name(f"{file.name}.json").read_text()), form)
        _set_sizes(file, kind, options)
        exported[form] = file
    weights = folder / "weights.pt"
    torch.save(load_weights(network_of(kind, options), model).state_dict(), weights)
    return Student(weights, exported, dice)


def network_of(kind: str, options: argparse.Namespace) -> torch.nn.Module:
    """Return the student of the bundle for two classes, with random weights."""
    return ResNetFCN(2, 1, 2, width=options.width) if kind == "slices" else UNet(3, 1, 2, width=options.volume_width)


def write_scan(path: Path, slices: int, size: int) -> Path:
    """Write a scan that repeats a few slices. The window of gzip is shorter than a slice, so repetition does not compress."""
    image = make_phantom(np.random.default_rng(0), (min(DIFFERENT_SLICES, slices), size, size), small=False)[0]
    array = np.moveaxis(image[np.arange(slices) % len(image)], 0, -1)
    nib.save(nib.Nifti1Image(np.asfortranarray(array), np.diag([-0.78, -0.78, 3.0, 1.0])), path)
    return path


def write_torchscript(student: Student, options: argparse.Namespace, path: Path) -> Path:
    """Write the 3-D student as TorchScript, for an environment without medkd."""
    network = load_weights(network_of("volumes", options), student.weights).eval()
    torch.jit.trace(network, torch.zeros(1, 1, *options.patch)).save(str(path))
    return path


def _run(*words: object) -> None:
    """Run a command of medkd in this process, with its output on stderr."""
    with redirect_stdout(sys.stderr):
        if medkd([str(word) for word in words]):
            raise SystemExit(f"medkd {words[0]} failed, see above")


def _train(kind: str, folder: Path, options: argparse.Namespace) -> tuple[Path, Path]:
    """Train a student on phantoms; return the folders of run and data set."""
    make_kits19(folder / "raw", cases=10, size=96, slices=(16, 24))
    _run("prepare", "kits19", "--source", folder / "raw", "--dataset_dir", folder / "data")
    sizes = {
        "slices": ("--image_size", "[96,96]", "--student_width", options.width),
        "volumes": (
            *("--mode", "3d", "--patch_size", "[16,48,48]", "--spacing", "$None"),
            *("--student_width", options.volume_width, "--overlap", 0),
        ),
    }
    words = ("--target", "organ", *sizes[kind], "--max_epochs", options.epochs, "--val_interval", 2, "--device", "cpu")
    _run("train", "kits19", *words, "--dataset_dir", folder / "data", "--output_dir", folder / "run")
    return folder / "run", folder / "data"


def _dice(report: dict[str, Any], form: str) -> dict[tuple[str, str], float]:
    """Return the Dice of each runtime and precision in the report of an export."""
    dice = {}
    for entry in report["runtimes"]:
        if "refused" not in entry:
            precision = "int8" if form == "onnx-int8" and entry["precision"] == "float32" else entry["precision"]
            if form == "onnx" or precision == "int8":
                dice[entry["runtime"], precision] = _mean(entry["dice"], "exported")
    if form == "onnx":
        dice["torch", "float32"] = _mean(report["dice"], "original")
    return dice


def _mean(by_class: dict[str, dict[str, Any]], name: str) -> float:
    values = [means[name] for means in by_class.values() if means[name] is not None]
    return float(np.mean(values)) if values else float("nan")


def _set_sizes(file: Path, kind: str, options: argparse.Namespace) -> None:
    """Give an ONNX file the benchmark's sizes; what the export measured stays in it."""
    spec = OnnxModel(file, device="cpu").description
    if spec.num_classes != 2 or spec.channels != 1:
        raise SystemExit(f"{file}: found {spec.channels} channels, {spec.num_classes} classes, expected 1 and 2")
    size, spacing = ((options.size, options.size), None) if kind == "slices" else (options.patch, options.spacing)
    spec = dataclasses.replace(spec, size=tuple(size), spacing=spacing and tuple(spacing))
    spec = dataclasses.replace(spec, per_case=None, intensities=WINDOW, clip=True, overlap=options.overlap)
    model = onnx.load(file)
    properties = {entry.key: entry.value for entry in model.metadata_props}
    onnx.helper.set_model_props(model, {**properties, KEY: spec.to_json()})
    model.DiscardUnknownFields()  # the checksum of the old content
    onnx.save(model, file)
    append_checksum(file)
