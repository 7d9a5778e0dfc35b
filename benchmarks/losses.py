"""Measure every loss beside its authors' code, or the plain formula where none is public: time, memory, value.

    python benchmarks/losses.py --authors FOLDER
    python benchmarks/losses.py --sizes 256 --only "AT,SPKD"

Forward and backward to the student's maps run on one thread, both sides in turn on the same tensors: logits 2 x 2 x n x n
(four classes where two have no gradient), a feature map 2 x 64 x (n/4) x (n/4), and for losses of several stages five encoder
maps of 16 to 256 channels at n to n/16. 3-D maps are 2 x 64 x (n/16)^3. Times are CPU times of the process, medians over the
rounds. The memory is what autograd keeps for the backward, the student's maps and parameters included, each storage counted
once. FOLDER holds checkouts of the authors' repositories (`authors_losses.py`); without it, plain formulas alone are compared.
"""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import fire
import torch
from authors_losses import SOURCES, Call, load_losses, on_cpu
from plain_losses import PLAIN
from torch import Tensor, nn
from torch.nn.modules.loss import _Loss

from medkd import losses
from medkd.losses.taps import tap_pair
from medkd.networks import Features

CHANNELS = (16, 32, 64, 128, 256)
_SHORTEST = 0.01
"""CPU seconds of one measurement."""


class Row(NamedTuple):
    """One row of the table: a loss, the maps that it reads, and their number of classes and axes."""

    loss: Callable[[], _Loss]
    tap: str
    classes: int = 2
    dims: int = 2


def _cirkd(**options: object) -> losses.CIRKDLoss:
    return losses.CIRKDLoss(2, 64, 64, 2, **options)


ROWS = {
    "KD": Row(losses.KDLoss, "logits"),
    "KD standardised": Row(lambda: losses.KDLoss(standardize=True), "logits", 4),
    "DKD": Row(losses.DKDLoss, "logits"),
    "DKD standardised": Row(lambda: losses.DKDLoss(standardize=True), "logits", 4),
    "CWD": Row(losses.CWDLoss, "logits"),
    "Dice-KD": Row(losses.DiceKDLoss, "logits"),
    "DIST": Row(lambda: losses.DISTLoss(4), "logits", 4),
    "AT": Row(losses.ATLoss, "penultimate"),
    "IMD (EMKD)": Row(lambda: losses.ATLoss(p=4), "penultimate"),
    "RAD (EMKD)": Row(losses.RADLoss, "penultimate"),
    "FitNet": Row(lambda: losses.FitNetLoss(2, 64, 64), "penultimate"),
    "SPKD": Row(losses.SPKDLoss, "penultimate"),
    "PA of 2 x 2 nodes": Row(lambda: losses.PALoss(grid=2, detach_norm=True), "penultimate"),
    "IFVD": Row(losses.IFVDLoss, "penultimate"),
    "CIRKD batch": Row(lambda: _cirkd(pixel_weight=0, region_weight=0), "penultimate"),
    "CIRKD memory": Row(lambda: _cirkd(batch_weight=0, max_nodes=1, anchors=2**30), "penultimate"),
    "HLFD": Row(lambda: losses.HLFDLoss(2, CHANNELS, 2, preset="repo"), "features"),
    "HIFD": Row(lambda: losses.HIFDLoss(2, CHANNELS, CHANNELS, 2), "features"),
    "IMF": Row(lambda: losses.IMFLoss(2, CHANNELS, CHANNELS, 2), "features"),
    "DCD": Row(lambda: losses.DCDLoss(2, 64, 64), "penultimate"),
    "DCD 3-D": Row(lambda: losses.DCDLoss(3, 64, 64), "penultimate", dims=3),
}


class Side(NamedTuple):
    """What was measured of one implementation at one size."""

    seconds: float
    kept: int
    value: float


def make_maps(size: int, row: Row, seed: int) -> Features:
    """Return random logits, encoder maps, a penultimate map and auxiliary logits of images of a size."""
    generator = torch.Generator().manual_seed(seed)

    def sample(channels: int, edge: int) -> Tensor:
        return torch.randn(2, channels, *[edge] * row.dims, generator=generator)

    if row.dims == 3:
        return Features(sample(2, 2), decoder=(sample(64, size // 16),))
    encoder = tuple(sample(channels, size // 2**i) for i, channels in enumerate(CHANNELS))
    maps = tuple(sample(row.classes, size) for _ in range(3))
    return Features(sample(row.classes, size), encoder, (sample(64, size // 4),), maps)


def _leaves(maps: Tensor | Features) -> Tensor | Features:
    """Return the maps as leaves of a new graph."""
    if isinstance(maps, Tensor):
        return maps.detach().requires_grad_()
    return Features(*(tuple(map(_leaves, part)) if isinstance(part, tuple) else _leaves(part) for part in maps))


def cpu_seconds(call: Call, student: Tensor | Features, teacher: Tensor | Features, label: Tensor) -> float:
    """Return the CPU seconds of a forward and a backward, a mean over so many that the clock is fine enough."""
    count, spent = 0, 0.0
    while spent < _SHORTEST:
        leaves = _leaves(student)
        start = time.process_time()
        call(leaves, teacher, label).backward()
        spent, count = spent + time.process_time() - start, count + 1
    return spent / count


def kept_bytes(call: Call, student: Tensor | Features, teacher: Tensor | Features, label: Tensor) -> tuple[int, float]:
    """Return the bytes that autograd keeps for the backward, each storage counted once, and the value."""
    storages: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        value = call(_leaves(student), teacher, label)  # alive while hooks run, so that no address is reused
    return sum(storages.values()), value.item()


def measure(name: str, size: int, other: Call | None, rounds: int, seconds: float) -> list[Side]:
    """Return what was measured of our loss, and of the other implementation if there is one.

    Args:
        name: of the row.
        size: n.
        other: the authors' code or the plain formula.
        rounds: of each side, in turn.
        seconds: after so many, and three rounds, no further round is begun.
    """
    row = ROWS[name]
    torch.manual_seed(0)
    loss = row.loss()
    maps = tap_pair(*(make_maps(size, row, seed) for seed in (0, 1)), row.tap)
    label = (torch.rand(2, 1, *[size] * row.dims if row.dims == 2 else (2,) * 3) > 0.7).long()
    calls = [lambda *arguments: loss(*arguments)] + ([] if other is None else [other])
    kept = [kept_bytes(call, *maps, label) for call in calls]
    times: list[list[float]] = [[] for _ in calls]
    start = time.process_time()
    for number in range(rounds):
        if number >= 3 and time.process_time() - start > seconds:
            break
        for index in range(len(calls))[:: 1 if number % 2 else -1]:
            times[index].append(cpu_seconds(calls[index], *maps, label))
            for parameter in loss.parameters():
                parameter.grad = None
    return [Side(statistics.median(t), *k) for t, k in zip(times, kept, strict=True)]


def plain_of(name: str) -> Call | None:
    """Return the plain formula of a loss, with the learnable parts of ours: both are made from one seed."""
    if name not in PLAIN:
        return None
    torch.manual_seed(0)
    module: nn.Module = ROWS[name].loss()
    return lambda student, teacher, label: PLAIN[name](module, student, teacher, label)


def main(
    sizes: tuple[int, ...] = (128, 256, 512),
    rounds: int = 15,
    seconds: float = 4.0,
    authors: str = "",
    only: tuple[str, ...] = (),
) -> None:
    """Print a table: ms and MiB of our loss, and the other implementation's divided by ours, at each size."""
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", message="DKDLoss")
    names = [only] if isinstance(only, str) else only or ROWS
    codes = load_losses(Path(authors)) if authors else {}
    sizes = sizes if isinstance(sizes, tuple) else (sizes,)
    print(f"n = {', '.join(map(str, sizes))}; one thread; medians of up to {rounds} rounds\n")
    print("| loss | ms | other / ours | MiB kept | other / ours | largest difference of the values | other |")
    print("|---|---|---|---|---|---|---|")
    for name in names:
        other = codes.get(name) or plain_of(name)
        with on_cpu():
            sides = [measure(name, size, other, rounds, seconds) for size in sizes]
        ours = [side[0] for side in sides]
        cells = [_join(f"{1000 * s.seconds:.3g}" for s in ours), "-", _join(f"{s.kept / 2**20:.1f}" for s in ours)]
        cells += ["-", "-", "-"]
        if other is not None:
            cells[1] = _join(f"{theirs.seconds / mine.seconds:.2f}" for mine, theirs in sides)
            cells[3] = _join(f"{theirs.kept / mine.kept:.2f}" for mine, theirs in sides)
            cells[4] = f"{max(abs(theirs.value / mine.value - 1) for mine, theirs in sides):.0e}"
            cells[5] = SOURCES[name] if name in codes else "plain formula"
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def _join(cells: object) -> str:
    return ", ".join(cells)


if __name__ == "__main__":
    fire.Fire(main)
