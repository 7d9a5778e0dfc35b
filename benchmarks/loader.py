"""Measure random slices per second of our slice store, MONAI's `LoadImaged` and nnU-Net v2, and the memory of a worker.

    python benchmarks/loader.py --nnunet VENV/bin/python

VENV is a separate environment with `pip install nnunetv2`. Without --nnunet, nnU-Net is left out. All read image and label of
the same phantom volumes (one abdomen, rotated), prepared by their own defaults. Rounds are interleaved; ratios are medians of
ratios within a round. Files are in the page cache, with one thread and no worker processes. The result is the CPU time of
reading and decoding, in the process that does it.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import nibabel as nib
import numpy as np
import psutil
import torch
from monai.data import DataLoader, Dataset
from monai.transforms import Compose, LoadImaged
from nnunet_reader import NnUNet, Read
from tabulate import tabulate
from torch.utils.data import RandomSampler

from medkd.data import SliceDataset, load_datalist
from medkd.data.volume_store import read_slice, write_volume
from medkd.data_prep import kits19
from medkd.phantoms.kits19 import kits19_affine, make_phantom

BATCH = 8


def main(arguments: list[str] | None = None) -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nnunet", help="python of an environment with nnunetv2")
    parser.add_argument("--cases", type=int, default=5)
    parser.add_argument("--slices", type=int, default=60, help="per case")
    parser.add_argument("--size", type=int, default=512, help="rows and columns")
    parser.add_argument("--reads", type=int, default=64, help="slices per round; LoadImaged reads an eighth")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--memory_cases", type=int, nargs=2, default=(4, 40))
    parser.add_argument("--memory_slices", type=int, nargs=2, default=(50, 500))
    parser.add_argument("--memory_reads", type=int, default=400)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        raw = write_cases(folder / "raw", options.cases, options.slices, options.size)
        kits19.prepare(folder / "raw", folder / "data", split="sorted")
        readers, suffix = our_and_monai_readers(folder / "data", raw), ""
        server = None if options.nnunet is None else NnUNet(options.nnunet, folder / "nnunet", raw)
        if server is not None:
            readers |= {"nnU-Net's data set class": server.read("dataset"), "nnU-Net's loader": server.read("loader")}
            versions = server.versions
            suffix = f"; nnunetv2 {versions['version']}, {versions['class']}, shapes {versions['shapes']}"
        print(
            f"{options.cases} cases of {options.slices} x {options.size} x {options.size}, {options.rounds} rounds{suffix}\n"
        )
        print(
            tabulate(
                compare(readers, options.reads, options.rounds), headers=HEADERS, tablefmt="github", floatfmt=".1f"
            )
        )
        if server is not None:
            server.close()
        sizes = (options.memory_cases, options.memory_slices, options.size, options.memory_reads)
        headers = ("cases", "slices of each", "MiB of a worker", "MiB beyond its first read")
        rows = worker_memory(folder / "memory", *sizes)
        print("", tabulate(rows, headers=headers, tablefmt="github", floatfmt=".1f"), sep="\n")


def write_cases(folder: Path, cases: int, slices: int, size: int) -> list[tuple[Path, Path]]:
    """Write cases in the layout of KiTS19. All have the same spacing, so that nnU-Net resamples nothing."""
    image, label = make_phantom(np.random.default_rng(0), (slices, size, size), small=False)
    files = []
    for case in range(cases):
        case_folder = folder / f"case_{case:05d}"
        case_folder.mkdir(parents=True)
        # a turn and a shift: equal images would count as one patient
        for name, array in (("imaging", image + image.dtype.type(case)), ("segmentation", label)):
            rotated = np.ascontiguousarray(np.rot90(array, case, axes=(1, 2)))
            nib.save(nib.Nifti1Image(rotated, kits19_affine(3.0, 0.78)), case_folder / f"{name}.nii.gz")
        files.append((case_folder / "imaging.nii.gz", case_folder / "segmentation.nii.gz"))
    return files


def our_and_monai_readers(prepared: Path, raw: list[tuple[Path, Path]]) -> dict[str, Read]:
    """Return name -> function that reads random slices."""
    entries = load_datalist(prepared, "training")
    dataset = SliceDataset(entries, target=(1, 2))
    depth = nib.load(raw[0][0]).shape[0]
    volumes = [{"image": str(image), "label": str(label)} for image, label in raw]

    def stored(count: int, rng: np.random.Generator) -> None:
        for index in rng.integers(0, len(dataset), count):
            entry, number = dataset.data[index]
            read_slice(entry["image"], number), read_slice(entry["label"], number)

    def items(count: int, rng: np.random.Generator) -> None:
        for index in rng.integers(0, len(dataset), count):
            dataset[int(index)]

    def batches(count: int, rng: np.random.Generator) -> None:
        sampler = RandomSampler(dataset, replacement=True, num_samples=count)
        for _ in DataLoader(dataset, batch_size=BATCH, sampler=sampler):
            pass

    def loaded(count: int, rng: np.random.Generator) -> None:
        # 2-D training from volumes in MONAI without a cache: read the volume, keep one slice
        pick = Compose(
            [LoadImaged(["image", "label"], ensure_channel_first=True), lambda item: _slice(item, rng.integers(depth))]
        )
        whole = Dataset(volumes, pick)
        for index in rng.integers(0, len(whole), count):
            whole[int(index)]

    return {
        "MONAI's LoadImaged, one slice per volume": _timed(loaded, share=8),
        "our store, raw read": _timed(stored),
        "our SliceDataset": _timed(items),
        f"our SliceDataset in a DataLoader, batches of {BATCH}": _timed(batches),
    }


def _slice(item: dict, index: int) -> dict:
    return {key: item[key][:, int(index)] for key in ("image", "label")}


def _timed(read: Callable[[int, np.random.Generator], None], share: int = 1) -> Read:
    def seconds(count: int, seed: int) -> float:
        fewer = max(1, count // share)
        torch.manual_seed(seed)
        start = time.process_time()
        read(fewer, np.random.default_rng(seed))
        return (time.process_time() - start) * count / fewer

    return seconds


HEADERS = ("", "ms per slice", "slices/s", "times MONAI's", "times nnU-Net's class")


def compare(readers: dict[str, Read], count: int, rounds: int) -> list[tuple]:
    """Return the rows of the first table."""
    for read in readers.values():  # open files, fill the page cache
        read(BATCH, 0)
    times = {name: [] for name in readers}
    for number in range(rounds):
        for name, read in readers.items():
            times[name].append(read(count, number + 1) / count)

    def ratio(base: str, name: str) -> float | None:
        return None if base not in times else median(a / b for a, b in zip(times[base], times[name], strict=True))

    first = next(iter(times))
    return [
        (name, 1e3 * median(seconds), 1 / median(seconds), ratio(first, name), ratio("nnU-Net's data set class", name))
        for name, seconds in times.items()
    ]


class MemoryDataset(torch.utils.data.Dataset):
    """A data set whose items are the unique memory (USS) of the process after reading a slice."""

    def __init__(self, dataset: SliceDataset) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> int:
        self.dataset[index]
        return psutil.Process().memory_full_info().uss


def worker_memory(folder: Path, cases: tuple[int, int], slices: tuple[int, int], size: int, reads: int) -> list[tuple]:
    """Return MiB of one DataLoader worker, the largest and beyond its first read, for few, many, short and long cases."""
    rows = []
    for depth in slices:
        volumes = folder / str(depth)
        volumes.mkdir(parents=True)
        plane = np.random.default_rng(0).integers(-1000, 1000, (1, size, size)).astype(np.int16)
        write_volume(volumes / "image0.b2nd", np.repeat(plane, depth, axis=0), np.eye(4))
        write_volume(volumes / "label0.b2nd", np.ones((depth, size, size), np.uint8), np.eye(4))
        for number in range(1, max(cases)):
            for name in ("image", "label"):
                shutil.copy(volumes / f"{name}0.b2nd", volumes / f"{name}{number}.b2nd")
        for count in cases:
            entries = [_entry(volumes, number, depth, size) for number in range(count)]
            dataset = MemoryDataset(SliceDataset(entries, target=(1,)))
            sampler = RandomSampler(dataset, replacement=True, num_samples=reads)
            # MONAI's DataLoader collates only dictionaries
            loader = torch.utils.data.DataLoader(dataset, batch_size=None, sampler=sampler, num_workers=1)
            memory = [int(uss) / 2**20 for uss in loader]
            rows.append((count, depth, max(memory), max(memory) - memory[0]))
    return rows


def _entry(folder: Path, number: int, depth: int, size: int) -> dict:
    paths = {name: str(folder / f"{name}{number}.b2nd") for name in ("image", "label")}
    return {"case": f"case{number}", **paths, "shape": [depth, size, size], "slices_with": {"1": list(range(depth))}}


if __name__ == "__main__":
    sys.exit(main())
