"""Measure the cost of PLC-KD: its team online and cached, relative to supervised training, and the correction chain.

    python benchmarks/soft_labels.py                      # TransUNet teaches UNet at 224 x 224, the networks of the bundles
    python benchmarks/soft_labels.py --size 64 --teacher_width 16 --teacher_layers 4 --student_width 4 --batch 8
    python benchmarks/soft_labels.py --mode 3d --size 64 --teacher_width 16 --student_width 16      # kd on patches of volumes

Images are synthetic. The labels are the teacher's predictions, except blobs of 5 % of the pixels. The assistants are copies of
the teacher and correct none of these, so the similarity correction has to search for all: more than in any run so far.
"""

from __future__ import annotations

import copy
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from itertools import cycle
from pathlib import Path

import fire
import torch
from monai.data import CacheDataset, DataLoader, Dataset
from monai.losses import DiceCELoss
from monai.transforms import Compose, EnsureTyped, RandFlipd, RandRotate90d
from soft_label_volumes import measure_volumes  # beside this file
from torch import Tensor, nn
from torch.nn import functional as F

from medkd import methods
from medkd.correction import Correction, SoftLabels, TeacherTeam, TeamOutputs
from medkd.networks import FeatureTaps, TransUNet, UNet
from medkd.teachers import CachedSoftLabels, CachedTeacher

_INCORRECT = 0.05  # share of the pixels
_CHAIN: list[float] = []


def tapped(network: nn.Module) -> FeatureTaps:
    """Return the network with its default taps."""
    return FeatureTaps(network, **network.default_taps())


def make_images(count: int, size: int, teacher: nn.Module) -> Dataset:
    """Return images of coloured noise, with labels that the teacher predicts correctly except in blobs."""
    images = F.interpolate(torch.rand(count, 3, size // 8, size // 8), size, mode="bilinear") * 2 - 1
    blobs = F.avg_pool2d(torch.rand(count, 1, size, size), 7, 1, 3)
    blobs = blobs > blobs.flatten(1).quantile(1 - _INCORRECT, dim=1).reshape(-1, 1, 1, 1)
    with torch.no_grad():
        logits = torch.cat([teacher(image[None]) for image in images])
        gap = (logits[:, 1] - logits[:, 0]).flatten().kthvalue(int(0.8 * logits[:, 0].numel())).values
        teacher.head.bias[1] -= gap  # a fifth of the pixels is lesion
        label = (logits[:, 1:] - logits[:, :1] > gap) ^ blobs
    items = [
        {"image": x, "label": y.long(), "case": f"{i}"} for i, (x, y) in enumerate(zip(images, label, strict=True))
    ]
    return Dataset(items)


def loader(data: Dataset, batch: int, keys: list[str]) -> DataLoader:
    """Return a loader with random flips and rotations."""
    transforms = [
        *(RandFlipd(keys, 0.5, axis) for axis in (0, 1)),
        RandRotate90d(keys, 0.75),
        EnsureTyped(keys, track_meta=False),
    ]
    return DataLoader(CacheDataset(data, Compose(transforms), progress=False), batch_size=batch)


class TimedCorrection(Correction):
    """A correction that records the seconds of the chain."""

    def __call__(self, outputs: TeamOutputs, target: Tensor) -> SoftLabels:
        start = time.perf_counter()
        labels = super().__call__(outputs, target)
        _CHAIN.append(time.perf_counter() - start)
        return labels


def stepper(
    student_width: int, teacher: FeatureTaps, method: str, guide: Callable | None, batches: DataLoader
) -> Callable[[], float]:
    """Return a function that trains on the next batch and returns the seconds, loading included."""
    torch.manual_seed(0)
    student = tapped(UNet(2, 3, 2, width=student_width))
    loss = methods.build(method, DiceCELoss(softmax=True, to_onehot_y=True), student, teacher)
    optimizer, stream = torch.optim.Adam(student.parameters()), cycle(batches)

    def step() -> float:
        start = time.perf_counter()
        batch = next(stream)
        with torch.no_grad():
            guidance = None if guide is None else guide(batch)
        loss(student(batch["image"]), guidance, batch["label"]).backward()
        optimizer.step()
        optimizer.zero_grad()
        return time.perf_counter() - start

    return step


def median_ratio(first: list[float], second: list[float]) -> float:
    """Return the median of the ratios within rounds."""
    return statistics.median(a / b for a, b in zip(first, second, strict=True))


def main(
    size: int = 224,
    batch: int = 2,
    rounds: int = 7,
    teacher_width: int = 64,
    teacher_layers: int = 12,
    student_width: int = 64,
    max_candidates: int | None = None,
    seed: int = 0,
    mode: str = "2d",
) -> None:
    """Print one row per way to train: medians over interleaved rounds, as ratios to supervised training."""
    torch.manual_seed(seed)
    if mode == "3d":
        measure_volumes(rounds, student_width, teacher_width, size)
        return
    sizes = {"width": teacher_width, "hidden_size": 12 * teacher_width, "mlp_dim": 48 * teacher_width}
    network = TransUNet(2, 3, 2, size, num_layers=teacher_layers, **sizes).eval().requires_grad_(False)
    data = make_images(2 * batch, size, network)
    team = TeacherTeam(tapped(network), copy.deepcopy(network), copy.deepcopy(network))
    team.correction = TimedCorrection(max_candidates=max_candidates)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        with redirect_stdout(StringIO()):
            cached_data = CachedSoftLabels(data, team, Path(folder), "cpu")
        seconds_per_image = (time.perf_counter() - start) / len(data)
        mebibytes = sum(file.stat().st_size for file in cached_data.files) / len(data) / 2**20
        keys = ["image", "label"]
        plain, cached = loader(data, batch, keys), loader(cached_data, batch, [*keys, "soft_labels"])
    teacher, control, from_cache = team.teacher, TeacherTeam(team.teacher, swap=True), CachedTeacher(team)
    ways = {
        "supervised": stepper(student_width, teacher, "none", None, plain),
        "kd": stepper(student_width, teacher, "kd", lambda b: teacher(b["image"]), plain),
        "swap": stepper(student_width, teacher, "swap", lambda b: control(b["image"], b["label"]), plain),
        "plckd, online": stepper(student_width, teacher, "plckd", lambda b: team(b["image"], b["label"]), plain),
        "plckd, cached": stepper(
            student_width, teacher, "plckd", lambda b: from_cache(b["soft_labels"], b["label"]), cached
        ),
    }
    for step in ways.values():
        step()
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    chain: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, step in ways.items():
            _CHAIN.clear()
            seconds[way].append(step())
            chain[way].append(sum(_CHAIN))
    sizes = (f"{sum(p.numel() for p in net.parameters()):,}" for net in (network, UNet(2, 3, 2, width=student_width)))
    print(f"{size} x {size}, batch {batch}, {torch.get_num_threads()} thread(s), {rounds} rounds")
    print(f"parameters of teacher and student: {' and '.join(sizes)}")
    print(f"cached: {seconds_per_image:.2f} s and {mebibytes:.2f} MiB per image\n")
    print("| | step, s | step / supervised | step / kd | chain / step |\n|---|---|---|---|---|")
    for way, values in seconds.items():
        to_plain, to_kd = (median_ratio(values, seconds[other]) for other in ("supervised", "kd"))
        share = median_ratio(chain[way], values)
        print(f"| {way} | {statistics.median(values):.3f} | {to_plain:.2f} | {to_kd:.2f} | {share:.3f} |", flush=True)


if __name__ == "__main__":
    fire.Fire(main)
