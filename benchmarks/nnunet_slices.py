"""Preprocess a raw data set by nnU-Net's defaults, then read random slices on request (used by `loader.py`).

It runs under the Python of an environment with nnU-Net; `loader.py` sets nnUNet_raw and the other variables. It prints one line
of JSON when it is ready. Then it answers each line on standard input, ``dataset|loader <slices> <seed>``, with seconds.
"""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import redirect_stdout
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from batchgenerators.utilities.file_and_folder_operations import load_json
from nnunetv2.experiment_planning.plan_and_preprocess_api import extract_fingerprints, plan_experiments, preprocess
from nnunetv2.training.dataloading.data_loader import nnUNetDataLoader
from nnunetv2.training.dataloading.nnunet_dataset import infer_dataset_class
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

BATCH = 8


def main() -> None:
    """Preprocess, then answer requests until standard input ends."""
    with redirect_stdout(sys.stderr):
        extract_fingerprints([1], num_processes=1)
        plans = _plans(plan_experiments([1]))
        preprocess([1], plans.plans_name, configurations=("2d",), num_processes=[1])
    folder = _dataset_folder() / plans.get_configuration("2d").data_identifier
    dataset = infer_dataset_class(str(folder))(str(folder))
    patch = plans.get_configuration("2d").patch_size
    labels = plans.get_label_manager(load_json(str(_dataset_folder() / "dataset.json")))
    loader = nnUNetDataLoader(dataset, BATCH, patch, patch, labels)
    shapes = {name: dataset.load_case(name)[0].shape for name in dataset.identifiers}
    versions = {"version": version("nnunetv2"), "class": type(dataset).__name__, "patch": list(map(int, patch))}
    print(json.dumps({**versions, "shapes": sorted({tuple(map(int, shape)) for shape in shapes.values()})}), flush=True)
    for line in sys.stdin:
        reader, count, seed = line.split()
        read = {
            "dataset": lambda n, rng: _random_slices(dataset, shapes, n, rng),
            "loader": lambda n, _: _batches(loader, n),
        }
        np.random.seed(int(seed))
        start = time.process_time()
        read[reader](int(count), np.random.default_rng(int(seed)))
        print(time.process_time() - start, flush=True)


def _plans(name: str) -> PlansManager:
    return PlansManager(str(_dataset_folder() / f"{name}.json"))


def _dataset_folder() -> Path:
    return next(Path(os.environ["nnUNet_preprocessed"]).glob("Dataset001_*"))


def _random_slices(dataset, shapes: dict[str, tuple[int, ...]], count: int, rng: np.random.Generator) -> None:
    """Read random slices. As in its loader, each sample opens a case, but reads one slice without cropping or padding."""
    for name in rng.choice(dataset.identifiers, count):
        data, seg, _, _ = dataset.load_case(name)
        index = int(rng.integers(shapes[name][1]))
        torch.from_numpy(data[:, index]).float(), torch.from_numpy(seg[:, index]).to(torch.int16)


def _batches(loader: nnUNetDataLoader, count: int) -> None:
    for _ in range(count // BATCH):
        loader.generate_train_batch()


if __name__ == "__main__":
    main()
