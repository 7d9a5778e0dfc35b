"""Measure `medkd prepare` on many cases: time, and the largest memory of its processes, which must not grow with the cases.

    python benchmarks/prepare.py

A few phantoms, shifted, stand for many cases: reading, checking and storing cost what they cost on real files.
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import psutil
from PIL import Image
from tabulate import tabulate

from medkd.phantoms.isic2018 import make_lesion
from medkd.phantoms.kits19 import kits19_affine, make_phantom

MIB = 2**20
DIFFERENT = 10  # phantoms that are drawn
SHAPE = (48, 128, 128)
EDGE = 256


def main() -> None:
    """Print a table with one row for each kind of data, number of cases and number of processes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, nargs="+", default=[500, 5000])
    parser.add_argument("--volumes", type=int, nargs="+", default=[50, 500])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, os.cpu_count() or 1])
    options = parser.parse_args()
    rows = []
    for name, write, counts, command in (
        ("pictures", write_pictures, options.pictures, ["isic2018", "--source", "{}"]),
        ("volumes", write_volumes, options.volumes, ["nifti", "--images", "{}/images", "--labels", "{}/masks"]),
    ):
        with tempfile.TemporaryDirectory() as folder:
            for count in counts:
                source = Path(folder) / str(count)
                write(source, count)
                for workers in options.workers:
                    arguments = [part.format(source) for part in command]
                    rows.append((name, count, workers, *measure(arguments, workers)))
    headers = ("", "cases", "processes", "s", "CPU s", "MiB", "cases/s")
    rows = [(*row, row[1] / row[3]) for row in rows]
    print(tabulate(rows, headers=headers, floatfmt=".1f", tablefmt="github"))


def write_pictures(folder: Path, count: int) -> None:
    """Write RGB images of 256 x 256 as JPEG, and masks as PNG."""
    drawn = [make_lesion(np.random.default_rng(number), (EDGE, EDGE)) for number in range(DIFFERENT)]
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    for number, (image, mask) in zip(range(count), itertools.cycle(drawn), strict=False):
        shift = divmod(number // DIFFERENT, EDGE)
        Image.fromarray(np.roll(image, shift, (0, 1))).save(folder / f"images/p{number:05d}.jpg", quality=90)
        Image.fromarray(np.roll(mask, shift, (0, 1)) * np.uint8(255)).save(folder / f"masks/p{number:05d}.png")


def write_volumes(folder: Path, count: int) -> None:
    """Write CT of 48 x 128 x 128 voxels as .nii.gz."""
    drawn = [make_phantom(np.random.default_rng(number), SHAPE, small=False) for number in range(DIFFERENT)]
    for number, arrays in zip(range(count), itertools.cycle(drawn), strict=False):
        for kind, array in zip(("images", "masks"), arrays, strict=True):
            array = np.roll(array, number // DIFFERENT, 1)
            path = folder / kind / f"v{number:04d}.nii.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            nib.save(nib.Nifti1Image(array, kits19_affine(5.0, 2.0)), path)


def measure(arguments: list[str], workers: int) -> tuple[float, float, float]:
    """Return seconds, seconds of CPU, and the largest MiB that the command and its processes hold for themselves."""
    with tempfile.TemporaryDirectory() as target:
        command = ["prepare", *arguments, "--dataset_dir", f"{target}/d", "--workers", str(workers)]
        # a shifted phantom may hold its organ in two halves; each is a patient of its own
        command += ["--split", "random"]
        start, before = time.monotonic(), _children_cpu()
        process = psutil.Popen(
            [sys.executable, "-m", "medkd", *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        most = 0
        while (status := process.poll()) is None:
            most = max(most, _memory(process))
            time.sleep(0.2)
        seconds = time.monotonic() - start
    if status:
        raise SystemExit(f"medkd {' '.join(command)} failed")
    return seconds, _children_cpu() - before, most / MIB


def _children_cpu() -> float:
    usage = os.times()
    return usage.children_user + usage.children_system


def _memory(process: psutil.Process) -> int:
    """Return the bytes of a process and its children, shared pages counted once."""
    total = 0
    for one in [process, *process.children(recursive=True)]:
        try:
            total += one.memory_full_info().pss
        except psutil.Error:  # it has just ended
            continue
    return total


if __name__ == "__main__":
    main()
