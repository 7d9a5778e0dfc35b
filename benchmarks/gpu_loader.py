"""Measure images per second of a training of kits19: from its data loader, and from tensors on the device (see `gpu.py`)."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import mean

import torch
from ignite.engine import Events
from loader import write_cases
from monai.bundle import ConfigParser

from medkd.configs.bundles import BUNDLES, config_files
from medkd.data_prep import kits19
from medkd.networks import FeatureTaps, UNetPlusPlus


def loader_rows(options: argparse.Namespace, device: torch.device) -> list[tuple]:
    """Return the rows: a student alone and one with a teacher, by the number of workers."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_cases(folder / "raw", options.cases, options.slices, options.edge)
        kits19.prepare(folder / "raw", folder / "data", split="sorted")
        return [
            row
            for method in ("none", "kd")
            for workers in options.workers
            for row in compare(method, workers, folder / "data", options, device)
        ]


def compare(
    method: str, workers: int, data: Path, options: argparse.Namespace, device: torch.device
) -> Iterator[tuple]:
    """Yield one row: the trainer of the bundle with its loader, and the same trainer with batches on the device."""
    loaded, busy = images_per_second(trainer(method, workers, data, options, device), options.epochs, device)
    resident = trainer(method, 0, data, options, device)
    batches = [
        {key: value.to(device) for key, value in batch.items() if key in ("image", "label")}
        for batch in resident.data_loader
    ]
    resident.data_loader = batches
    ceiling, _ = images_per_second(resident, options.epochs, device)
    yield method, workers, loaded, ceiling, loaded / ceiling, busy


def trainer(method: str, workers: int, data: Path, options: argparse.Namespace, device: torch.device):
    """Return the trainer that ``medkd train kits19`` builds, without its handlers; with a random teacher for a method."""
    parser = ConfigParser()
    overlays = () if method == "none" else (BUNDLES / "overlays/distill.yaml",)
    parser.read_config([str(file) for file in (*config_files("train", "kits19"), *overlays)])
    values = {
        "dataset_dir": str(data),
        "output_dir": str(data / "run"),
        "device": str(device),
        "num_workers": workers,
        "image_size": [options.edge] * 2,
        "max_epochs": options.epochs + 1,
        "train::handlers": [],
        "method": method,
    }
    if options.width:
        values |= {"student_width": options.width, "teacher_width": options.width}
    for name, value in values.items():
        parser[name] = value
    if overlays:  # no file holds a teacher here
        network = UNetPlusPlus(2, 1, 2, width=options.width or 64, deep_supervision=True).to(device)
        parser["teacher_network"] = network
        parser["teacher_features"] = FeatureTaps(network, **network.default_taps())
        parser["guide"] = parser["teacher_features"]
    return parser.get_parsed_content("train::trainer")


def images_per_second(engine, epochs: int, device: torch.device) -> tuple[float, float | None]:
    """Return images per second of the epochs after the first, and how many percent of the time the GPU was busy."""
    counted, marks = [0], []

    def count() -> None:
        counted[0] += len(engine.state.output["image"])

    def mark() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize()
        marks.append((time.perf_counter(), counted[0]))

    engine.add_event_handler(Events.ITERATION_COMPLETED, count)
    engine.add_event_handler(Events.EPOCH_COMPLETED, mark)
    with Utilisation(device) as busy:
        engine.run()
    (start, before), (end, after) = marks[0], marks[-1]
    return (after - before) / (end - start), busy.percent(since=start)


class Utilisation:
    """Ask nvidia-smi ten times a second how busy the GPU is."""

    def __init__(self, device: torch.device) -> None:
        words = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "-lms", "100"]
        self.command = words if device.type == "cuda" and shutil.which("nvidia-smi") else None

    def __enter__(self) -> Utilisation:
        self.start = time.perf_counter()
        self.process = (
            None if self.command is None else subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.end = time.perf_counter()
        self.values: list[float] = []
        if self.process is not None:
            self.process.terminate()
            output, _ = self.process.communicate()
            self.values = [float(line) for line in output.splitlines() if line.strip().isdigit()]

    def percent(self, since: float) -> float | None:
        """Return the mean from a time on; None without nvidia-smi."""
        first = round(len(self.values) * (since - self.start) / (self.end - self.start))
        return mean(self.values[first:]) if self.values[first:] else None
