"""Measure the largest memory of `medkd infer` on long scans, in 2-D and in 3-D. It must not grow faster than the scan.

    python benchmarks/volume_memory.py

Each row is a separate process on a phantom scan of 512 x 512 with an untrained student. "Above it" is the memory beyond that of
the same command on a scan of one window, which is the memory of Python, libraries and network.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
import torch
from tabulate import tabulate

from medkd.networks import ResNetFCN, UNet

GIB = 2**30
EDGE = 512


def main() -> None:
    """Print a table with one row per mode and number of slices."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slices", type=int, nargs="+", default=[250, 1000])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        models = _models(Path(folder))
        rows = []
        for mode, arguments in {
            "slices": ["--mode", "2d"],
            "volumes, spacing of the scan": ["--mode", "3d", "--spacing", "$None", "--overlap", "0"],
            "volumes at 3 x 0.78 x 0.78 mm": ["--mode", "3d", "--overlap", "0"],
        }.items():
            command = [*arguments, "--model", str(models[arguments[1]]), "--student_width", "2"]
            base = _peak(Path(folder), 16, command)
            for slices in options.slices:
                above = _peak(Path(folder), slices, command) - base
                scan = slices * EDGE * EDGE * 4
                rows.append((mode, slices, scan / GIB, base / GIB, above / GIB, above / scan))
    headers = ("", "slices", "scan as float32, GiB", "one window, GiB", "above it, GiB", "above it / scan")
    print(tabulate(rows, headers=headers, floatfmt=".2f", tablefmt="github"))


def _models(folder: Path) -> dict[str, Path]:
    models = {"2d": ResNetFCN(2, 1, 2, width=2), "3d": UNet(3, 1, 2, width=2)}
    for mode, network in models.items():
        torch.save(network.state_dict(), folder / f"{mode}.pt")
    return {mode: folder / f"{mode}.pt" for mode in models}


def _peak(folder: Path, slices: int, options: list[str]) -> int:
    """Return the largest resident set of one inference in bytes."""
    scan = folder / f"scan{slices}.nii"
    if not scan.is_file():
        # The content does not matter here: one slice is repeated.
        plane = np.random.default_rng(0).integers(-1000, 1000, (EDGE, EDGE, 1), dtype=np.int16)
        nib.save(nib.Nifti1Image(np.repeat(plane, slices, axis=2), np.diag([0.78, 0.78, 1.0, 1.0])), scan)
    with tempfile.TemporaryDirectory(dir=folder) as output:
        command = ["infer", "kits19", *options, "--input", str(scan), "--output_dir", f"{output}/p", "--device", "cpu"]
        process = subprocess.Popen([sys.executable, "-m", "medkd", *command], stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"medkd {' '.join(command)} failed")
    return usage.ru_maxrss * 1024


if __name__ == "__main__":
    main()
