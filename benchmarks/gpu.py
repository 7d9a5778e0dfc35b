"""Measure training on a GPU: the cost of a step of every method, and whether the data loader keeps the GPU busy.

    python benchmarks/gpu.py
    python benchmarks/gpu.py --sizes 512x512 --precisions float16 --methods kd hlfd --parts steps

Steps: the floor is the teacher's forward, and the student's forward and backward with the task loss, of the networks of
`kits19` (slices: UNet++ of width 64 teaches ResNet18-FCN, batch 8; volumes: UNet++ of width 32 teaches a UNet of width 16,
batch 2). Every method takes the same tensors; `plckd` runs without its similarity correction. CUDA events time the steps. In
each round the floor runs before each method. Memory is the peak of PyTorch's allocator in a step, beyond the peak of the floor.

Loader: training of `kits19` on phantoms that are made here, at 512 x 512 and batch 8, from the stored slices, and from tensors
that are on the device already. Their ratio is what the loader leaves of the GPU's speed.

Without a GPU, ``--device cpu`` runs the script to see that it works. Its times are then those of the CPU.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial

import torch
from gpu_loader import loader_rows
from monai.losses import DiceCELoss
from monai.utils import set_determinism
from step_cost import combined_of, interval
from tabulate import tabulate
from torch import nn

from medkd import methods
from medkd.correction import TeacherTeam
from medkd.networks import FeatureTaps, ResNetFCN, UNet, UNetPlusPlus
from medkd.teachers import SingleTeacher

PRECISIONS = ("float32", "float16", "bfloat16")
SIZES = ("256x256", "512x512", "96x96x96")
STEP_HEADERS = ("method", "ms", "step / floor", "95 % from", "to", "MiB beyond the floor")
LOADER_HEADERS = ("method", "workers", "images/s", "from tensors on the device", "ratio", "GPU busy, %")


def main(arguments: list[str] | None = None) -> None:
    """Print the card, and both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="cuda, or cpu to try the script")
    parser.add_argument("--parts", nargs="+", choices=("steps", "loader"), default=("steps", "loader"))
    parser.add_argument("--sizes", nargs="+", default=SIZES)
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=PRECISIONS)
    parser.add_argument("--methods", nargs="+", choices=methods.names(), default=list(methods.names()))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--width", type=int, help="of all networks; those of kits19 if it is left out")
    parser.add_argument("--cases", type=int, default=12, help="phantoms for the loader")
    parser.add_argument("--slices", type=int, default=64, help="of a phantom")
    parser.add_argument(
        "--edge", type=int, default=512, help="rows and columns of a phantom and of the network's input"
    )
    parser.add_argument("--workers", type=int, nargs="+", default=(4, 8))
    parser.add_argument("--epochs", type=int, default=3, help="that are timed for the loader, after a first one")
    options = parser.parse_args(arguments)
    device = torch.device(options.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda: found no CUDA device, expected one (--device cpu tries the script)")
    set_determinism(0)  # as in a training: its algorithms are chosen so
    warnings.filterwarnings("ignore", message="DKDLoss")
    print(describe(device))
    for size in options.sizes if "steps" in options.parts else ():
        print_steps(size, options, device)
    if "loader" in options.parts:
        rows = loader_rows(options, device)
        print("", tabulate(rows, headers=LOADER_HEADERS, tablefmt="github", floatfmt=".2f"), sep="\n", flush=True)


def describe(device: torch.device) -> str:
    """Return the card and the versions in one line."""
    card = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU: a trial of the script, no measurement"
    return f"{card}; torch {torch.__version__}, CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}"


def networks(dims: int, width: int | None, device: torch.device) -> tuple[FeatureTaps, FeatureTaps]:
    """Return the student and the teacher of kits19, or both with a width of their own."""
    student = ResNetFCN(2, 1, 2, width=width or 64) if dims == 2 else UNet(3, 1, 2, width=width or 16)
    teacher = UNetPlusPlus(dims, 1, 2, width=width or (64 if dims == 2 else 32), deep_supervision=True)
    taps = [FeatureTaps(network, **network.default_taps()) for network in (student, teacher)]
    assert all(tapped.shapes for tapped in taps)  # found on the CPU
    return taps[0].train().to(device), taps[1].eval().requires_grad_(False).to(device)


def print_steps(size: str, options: argparse.Namespace, device: torch.device) -> None:
    """Print a table for each precision at one image size."""
    edges = [int(edge) for edge in size.split("x")]
    dims, batch = len(edges), 8 if len(edges) == 2 else 2
    student, teacher = networks(dims, options.width, device)
    image = torch.rand(batch, 1, *edges, device=device)
    label = (torch.rand(batch, 1, *[max(edge // 16, 1) for edge in edges], device=device) > 0.7).float()
    batch_tensors = image, torch.nn.functional.interpolate(label, edges)
    for precision in options.precisions:
        rows = list(step_rows(student, teacher, batch_tensors, precision, options))
        print(f"\n{size}, batch {batch}, {precision}, {options.rounds} rounds\n")
        print(tabulate(rows, headers=STEP_HEADERS, tablefmt="github", floatfmt=".3f"), flush=True)


def step_rows(
    student: FeatureTaps,
    teacher: FeatureTaps,
    batch: tuple[torch.Tensor, torch.Tensor],
    precision: str,
    options: argparse.Namespace,
) -> Iterator[tuple]:
    """Yield the row of each method."""
    device, task = batch[0].device, DiceCELoss(softmax=True, to_onehot_y=True)
    floor = methods.build("none", task, student)
    for method in options.methods:
        if method == "none":
            continue
        args = {"labelled": True} if method == "pseudo" else None
        loss = methods.build(method, task, student, teacher, args).to(device)
        floor_step = partial(train_step, student, SingleTeacher(teacher), floor, *batch, precision)
        step = partial(train_step, student, guide(method, teacher), loss, *batch, precision)
        times = measure(floor_step, step, options.rounds, device)
        middle, low, high = interval([own / base for base, own in times])
        extra = peak(step, device) - peak(floor_step, device)
        yield method, statistics.median(own for _, own in times), middle, low, high, extra


def guide(method: str, teacher: FeatureTaps) -> nn.Module:
    """Return what teaches: the teacher, or a team of three such networks without the similarity correction.

    The similarity correction takes its time by the number of incorrect pixels, which are too many of a random teacher: see
    benchmarks/correction.py.
    """
    team = methods.team_arguments(method)
    if team is None:
        return SingleTeacher(teacher)
    assistants = {role: teacher.network for role in ("false_pixel", "boundary") if team.get(role)}
    return TeacherTeam(teacher, **assistants, similarity=False, swap=team.get("swap", False))


def train_step(
    student: FeatureTaps,
    teacher: nn.Module,
    loss: Callable,
    image: torch.Tensor,
    label: torch.Tensor,
    precision: str,
) -> None:
    """Run one step without the optimizer's, which is the same for all methods."""
    half = precision != "float32"
    with torch.autocast(image.device.type, getattr(torch, precision)) if half else nullcontext():
        with torch.no_grad():
            guidance = teacher(image, label)
        features = student(image)
    loss(features, guidance, label).backward()
    combined_of(loss).step()
    for parameter in (*student.parameters(), *loss.parameters()):
        parameter.grad = None


def measure(
    floor: Callable[[], None], step: Callable[[], None], rounds: int, device: torch.device
) -> list[tuple[float, float]]:
    """Return the milliseconds of floor and step in each round, after two rounds that choose algorithms."""
    for _ in range(2):
        floor(), step()
    return [(milliseconds(floor, device), milliseconds(step, device)) for _ in range(rounds)]


def milliseconds(work: Callable[[], None], device: torch.device) -> float:
    """Return the time of some work: between two events on the GPU, or on the clock of the CPU."""
    if device.type != "cuda":
        start = time.perf_counter()
        work()
        return 1e3 * (time.perf_counter() - start)
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    begin.record()
    work()
    end.record()
    torch.cuda.synchronize()
    return begin.elapsed_time(end)


def peak(work: Callable[[], None], device: torch.device) -> float:
    """Return the peak MiB of some work beyond what was allocated before; 0 without a GPU."""
    if device.type != "cuda":
        return 0.0
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    work()
    return (torch.cuda.max_memory_allocated() - before) / 2**20


if __name__ == "__main__":
    main()
