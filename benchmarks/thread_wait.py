"""How threads of torch should wait for each other: training steps on an idle machine, and beside programs that use its cores.

torch's CPU builds use libgomp, whose threads wait by spinning (``GOMP_SPINCOUNT`` times, by default 300,000) before they sleep.
A thread that spins while the other has no core is lost time. Each setting runs in a process of its own, in interleaved rounds.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

SETTINGS = {
    "1 thread": {"OMP_NUM_THREADS": "1"},
    "2 threads": {"OMP_NUM_THREADS": "2"},
    "2 threads, GOMP_SPINCOUNT=1000": {"OMP_NUM_THREADS": "2", "GOMP_SPINCOUNT": "1000"},
    "2 threads, OMP_WAIT_POLICY=passive": {"OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "passive"},
}
STEPS = """
import sys, time, torch
from medkd.networks import UNet
size, steps = int(sys.argv[1]), int(sys.argv[2])
torch.manual_seed(0)
network = UNet(2, 3, 2, width=8).to(memory_format=torch.channels_last)
optimizer = torch.optim.Adam(network.parameters())
images = torch.rand(8, 3, size, size).contiguous(memory_format=torch.channels_last)
def step():
    optimizer.zero_grad()
    network(images)[0].square().mean().backward()
    optimizer.step()
step()
begin = time.perf_counter()
for _ in range(steps):
    step()
print((time.perf_counter() - begin) / steps)
"""


def seconds_per_step(setting: str, size: int, steps: int) -> float:
    """Return the time of a training step of a small UNet in a process with the setting."""
    unset = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "MKL_NUM_THREADS")
    environment = {name: value for name, value in os.environ.items() if name not in unset} | SETTINGS[setting]
    words = [sys.executable, "-c", STEPS, str(size), str(steps)]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


@contextmanager
def busy_programs(count: int) -> Iterator[None]:
    """Keep a number of programs running that do nothing but compute."""
    programs = [multiprocessing.Process(target=_compute, daemon=True) for _ in range(count)]
    for program in programs:
        program.start()
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            program.join()


def _compute() -> None:
    while True:
        sum(range(100_000))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 256], help="edges of the images in pixels")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, batches of 8, {options.steps} steps, median of {options.rounds} rounds\n")
    print("| machine | edge | setting | ms per step | times one thread, idle |\n|---|---:|---|---:|---:|")
    for size in options.sizes:
        reference = 0.0
        for machine, others in (("idle", 0), ("busy", os.cpu_count() or 1)):
            times: dict[str, list[float]] = {setting: [] for setting in SETTINGS}
            with busy_programs(others):
                for _ in range(options.rounds):
                    for setting, measured in times.items():
                        measured.append(seconds_per_step(setting, size, options.steps))
            for setting, measured in times.items():
                median = statistics.median(measured)
                reference = reference or median
                print(f"| {machine} | {size} | {setting} | {median * 1e3:.1f} | {median / reference:.2f} |", flush=True)


if __name__ == "__main__":
    main()
