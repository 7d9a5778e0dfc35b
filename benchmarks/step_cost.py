"""Measure what a method adds to a training step: time and memory, relative to the step that every distillation needs.

The floor is the teacher's forward, and the student's forward and backward with the task loss. Each round measures floor and
methods on the same tensors, so that a noisy machine slows both. Of a method with ``+unlabelled`` behind its name, as in
``--only kd+unlabelled``, half of the images have no label; without ``--only``, kd is measured so as well. ``+standardize``
behind kd or dkd standardizes the logits, of three or more ``--classes``.

    python benchmarks/step_cost.py --size 256
    python benchmarks/step_cost.py --size 64 --dims 3 --added

With ``--added`` a round has one whole step: the floor. Of a method only the loss runs, on the same feature maps: forward,
backward to the taps, and the step of its optimizer. Its time beyond the task loss is added to the floor. Use it for sizes at
which twenty rounds of whole steps take hours.
"""

from __future__ import annotations

import math
import statistics
import time
import warnings
from collections.abc import Callable
from functools import partial

import fire
import torch
from monai.losses import DiceCELoss
from torch import Tensor

from medkd import methods
from medkd.losses import CombinedLoss
from medkd.networks import Features, FeatureTaps, UNet, UNetPlusPlus

WIDTH, BATCH = 16, 2
_HALF, _STANDARDIZED = "+unlabelled", "+standardize"


def networks(dims: int, classes: int = 2) -> tuple[FeatureTaps, FeatureTaps]:
    """Return a UNet of width 16 as the student and a UNet++ of width 16 as the teacher."""
    student, teacher = (
        UNet(dims, 1, classes, width=WIDTH),
        UNetPlusPlus(dims, 1, classes, width=WIDTH, deep_supervision=True),
    )
    student, teacher = (FeatureTaps(network, **network.default_taps()) for network in (student, teacher))
    return student.train(), teacher.eval().requires_grad_(False)


def step(
    student: FeatureTaps, teacher: FeatureTaps, loss: Callable[..., Tensor], image: Tensor, label: Tensor
) -> float:
    """Return the CPU seconds of one step."""
    start = time.process_time()
    with torch.no_grad():
        guide = teacher(image)
    loss(student(image), guide, label).backward()
    module = combined_of(loss)
    module.step()
    seconds = time.process_time() - start
    for parameter in (*student.parameters(), *module.parameters()):
        parameter.grad = None
    return seconds


def combined_of(loss: Callable[..., Tensor]) -> CombinedLoss:
    """Return the loss itself, without the indices of labelled images that `main` binds to it."""
    return loss.func if isinstance(loss, partial) else loss


def loss_step(maps: Features, guide: Features, loss: Callable[..., Tensor], label: Tensor) -> float:
    """Return the CPU seconds of the loss alone, forward and backward to the student's feature maps."""
    leaves = Features(*(_leaf(value) for value in maps))
    start = time.process_time()
    loss(leaves, guide, label).backward()
    combined_of(loss).step()
    return time.process_time() - start


def _leaf(value: Tensor | tuple[Tensor, ...]) -> Tensor | tuple[Tensor, ...]:
    return tuple(map(_leaf, value)) if isinstance(value, tuple) else value.detach().requires_grad_()


def saved_bytes(
    student: FeatureTaps, teacher: FeatureTaps, loss: Callable[..., Tensor], image: Tensor, label: Tensor
) -> int:
    """Return the bytes that autograd keeps for the backward, each storage counted once."""
    storages: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.no_grad():
        guide = teacher(image)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        value = loss(student(image), guide, label)  # alive while hooks run, so that no address is reused
    del value
    return sum(storages.values())


def interval(ratios: list[float]) -> tuple[float, float, float]:
    """Return the median and its 95 % interval by order statistics."""
    ordered = sorted(ratios)
    reach = math.floor(len(ordered) / 2 - 0.98 * math.sqrt(len(ordered)))
    return statistics.median(ordered), ordered[max(reach, 0)], ordered[-1 - max(reach, 0)]


def _build(name: str, task: Callable, student: FeatureTaps, teacher: FeatureTaps) -> CombinedLoss:
    method, _, variant = name.partition("+")
    arguments = {"pseudo": {"labelled": True}}.get(method, {})  # all images have labels
    if f"+{variant}" == _STANDARDIZED:
        arguments = {"standardize": True}
    return methods.build(method, task, student, teacher, arguments or None)


def main(
    size: int = 256,
    dims: int = 2,
    classes: int = 2,
    rounds: int = 20,
    added: bool = False,
    only: str | tuple[str, ...] = (),
    seed: int = 0,
) -> None:
    """Print a table: method, step / floor (median and its 95 % interval), MiB kept for the backward beyond the floor."""
    warnings.filterwarnings("ignore", message="DKDLoss")
    torch.manual_seed(seed)
    student, teacher = networks(dims, classes)
    image = torch.rand(BATCH, 1, *[size] * dims)
    label = (torch.rand(BATCH, 1, *[max(size // 16, 1)] * dims) > 0.7).float()
    label = torch.nn.functional.interpolate(label, image.shape[2:])
    task: Callable = DiceCELoss(softmax=True, to_onehot_y=True)
    names = (
        only.split(",")
        if isinstance(only, str)
        else list(only)
        or [name for name in methods.names() if name != "none" and methods.team_arguments(name) is None]
        + [f"kd{_HALF}"]
    )
    floor = methods.build("none", task, student)
    losses = {name: _build(name, task, student, teacher) for name in names}
    half = torch.arange(BATCH // 2)
    losses = {name: partial(loss, labelled=half) if name.endswith(_HALF) else loss for name, loss in losses.items()}
    ratios: dict[str, list[float]] = {name: [] for name in names}
    floors = []
    for loss in (floor, *losses.values()):
        step(student, teacher, loss, image, label)  # warm caches
    with torch.no_grad():
        maps, guide = student(image), teacher(image)
    for number in range(rounds):
        floors.append(step(student, teacher, floor, image, label))
        for name in names if number % 2 else reversed(names):
            if added:
                extra = loss_step(maps, guide, losses[name], label) - loss_step(maps, guide, floor, label)
                ratios[name].append(1 + extra / floors[-1])
            else:
                # the floor runs before each method, so that both are close in time
                floors.append(step(student, teacher, floor, image, label))
                ratios[name].append(step(student, teacher, losses[name], image, label) / floors[-1])
    least = saved_bytes(student, teacher, floor, image, label)
    shape = " x ".join([str(size)] * dims)
    kind = "losses alone" if added else "whole steps"
    print(f"{shape}, batch {BATCH}, {kind}, {torch.get_num_threads()} thread(s), {rounds} rounds;", end=" ")
    print(f"floor {statistics.median(floors):.3f} s\n")
    print("| method | step / floor | 95 % interval | MiB beyond the floor |\n|---|---|---|---|")
    for name in names:
        middle, low, high = interval(ratios[name])
        extra = (saved_bytes(student, teacher, losses[name], image, label) - least) / 2**20
        print(f"| {name} | {middle:.3f} | {low:.3f} to {high:.3f} | {extra:.2f} |", flush=True)


if __name__ == "__main__":
    fire.Fire(main)
