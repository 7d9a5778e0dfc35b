"""Measure a training step on patches of volumes, the teacher online and cached: `benchmarks/soft_labels.py --mode 3d`."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.data import DataLoader, Dataset, MetaTensor
from monai.losses import DiceCELoss
from monai.transforms import Compose
from scipy.ndimage import gaussian_filter

from medkd import methods
from medkd.data import RandStoredPatch, ScaleWindowd, maps_shape, random_transforms, read_volume, write_volume
from medkd.networks import FeatureTaps, UNet, UNetPlusPlus
from medkd.teachers import CachedTeacher, CachedVolumeLabels, SingleTeacher, TeacherInferer
from medkd.teachers.geometry import Grid

__all__ = ["measure_volumes"]

_WINDOW = (-200, 300)
_SPACING = (3.0, 0.8, 0.8)


def make_volumes(folder: Path, count: int, shape: tuple[int, int, int]) -> list[dict[str, Any]]:
    """Write volumes of smooth noise with blobs as labels, as a data set keeps them; return their entries."""
    entries = []
    for number in range(count):
        noise = gaussian_filter(np.random.default_rng(number).standard_normal(shape), (1, 3, 3))
        label = (noise > np.quantile(noise, 0.95)).astype(np.uint8)
        files = {"image": str(folder / f"image{number}.b2nd"), "label": str(folder / f"label{number}.b2nd")}
        write_volume(files["image"], (noise / noise.std() * 150).astype(np.int16), np.diag([*_SPACING, 1]))
        write_volume(files["label"], label, np.diag([*_SPACING, 1]))
        slices = {"1": np.flatnonzero(label.any(axis=(1, 2))).tolist()}
        entries.append({**files, "case": f"{number}", "shape": shape, "spacing": _SPACING, "slices_with": slices})
    return entries


def read_image(item: dict[str, Any]) -> dict[str, Any]:
    """Return an item with its image, normalised."""
    voxels, affine = read_volume(item["image"])
    image = MetaTensor(torch.from_numpy(voxels[None].astype(np.float32)), affine=affine)
    return dict(ScaleWindowd("image", _WINDOW)({**item, "image": image}))


def stepper(
    data: Any, keys: list[str], patch: tuple[int, ...], spacing: Any, guide: Callable | None, width: int
) -> Callable:
    """Return a function that trains on the next batch of two and returns the CPU seconds, loading included."""
    torch.manual_seed(0)
    network = UNet(3, 1, 2, width=width)
    student = FeatureTaps(network, **network.default_taps())
    task = DiceCELoss(softmax=True, to_onehot_y=True)
    loss = methods.build("none" if guide is None else "kd", task, student, student)
    read = RandStoredPatch(patch, spacing, (1,), pad_value=_WINDOW[0])
    moves = Compose([read, ScaleWindowd("image", _WINDOW), *random_transforms(keys, patch, ["rows", "columns"])])
    moves.set_random_state(0)
    batches = cycle(DataLoader(Dataset(data, moves), batch_size=2, num_workers=0))
    optimizer = torch.optim.Adam(student.parameters())

    def step() -> float:
        start = time.process_time()
        batch = next(batches)
        with torch.no_grad():
            guidance = None if guide is None else guide(batch)
        loss(student(batch["image"]), guidance, batch["label"].long()).backward()
        optimizer.step()
        optimizer.zero_grad()
        return time.process_time() - start

    return step


def measure_volumes(rounds: int, student_width: int, teacher_width: int, size: int) -> None:
    """Print one row per way to train: medians over interleaved rounds, as ratios of CPU time to supervised training.

    Args:
        rounds: steps of each way.
        student_width: of a UNet.
        teacher_width: of a UNet++.
        size: rows and columns of a patch, which has half as many slices. Volumes are three times as large in the plane.
    """
    patch, shape = (size // 2, size, size), (size, 3 * size, 3 * size)
    network = UNetPlusPlus(3, 1, 2, width=teacher_width).eval().requires_grad_(False)
    teacher = SingleTeacher(FeatureTaps(network))
    print(
        f"patches of {patch} voxels, volumes of {shape}, batch 2, {torch.get_num_threads()} thread(s), {rounds} rounds"
    )
    with tempfile.TemporaryDirectory() as folder:
        entries = make_volumes(Path(folder), 2, shape)
        for factor in (1, 1.25):
            spacing = None if factor == 1 else tuple(factor * mm for mm in _SPACING)
            inferer = TeacherInferer([Grid(None, patch)], sw_batch_size=2, overlap=0.0)
            start = time.process_time()
            cached = CachedVolumeLabels(
                entries, teacher, Path(folder) / "soft", "cpu", read_image, inferer, patch, spacing
            )
            seconds = (time.process_time() - start) / len(entries)
            share = sum(file.stat().st_size / (2 * np.prod(maps_shape(file))) for file in cached.files) / len(entries)
            print(
                f"\nstudent at {factor} times the volumes' spacing: cached in {seconds:.0f} CPU s a volume, {share:.2f} of the"
            )
            print("size in half precision\n")
            _compare(_ways(entries, cached, teacher, patch, spacing, student_width), rounds)


def _ways(
    entries: Any, cached: Any, teacher: SingleTeacher, patch: tuple[int, ...], spacing: Any, width: int
) -> dict[str, Callable]:
    keys, from_cache = ["image", "label"], CachedTeacher(teacher)
    return {
        "supervised": stepper(entries, keys, patch, spacing, None, width),
        "kd, online": stepper(entries, keys, patch, spacing, lambda b: teacher(b["image"], b["label"]), width),
        "kd, cached": stepper(
            cached, [*keys, "soft_labels"], patch, spacing, lambda b: from_cache(b["soft_labels"], b["label"]), width
        ),
    }


def _compare(ways: dict[str, Callable], rounds: int) -> None:
    for step in ways.values():
        step()
    times: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, step in ways.items():
            times[way].append(step())
    print("| | step, CPU s | step / supervised |\n|---|---|---|")
    for way, values in times.items():
        ratio = statistics.median(a / b for a, b in zip(values, times["supervised"], strict=True))
        print(f"| {way} | {statistics.median(values):.3f} | {ratio:.2f} |", flush=True)
