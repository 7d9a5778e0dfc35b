"""Runs of two tasks as training leaves them, made without training: networks with random weights, drawn predictions."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from PIL import Image
from torch.utils.tensorboard import SummaryWriter

from medkd.data.datalist import save_datalist
from medkd.data.volume_store import write_volume
from medkd.networks import UNet
from medkd.reports.tables import Experiment, load_published

EDGE, SLICES, CASES = 32, 12, ("case_a", "case_b", "case_c")
# row -> method, seeds that ended, seeds that did not
ROWS = {
    "Teacher": ("teacher", (0,), ()),
    "Student alone": ("none", (0, 1), ()),
    "PLC-KD": ("plckd", (0, 1), ()),
    "HLFD": ("hlfd", (0,), (1,)),
    "KD <b>& co</b>": ("kd", (0, 1), ()),
    "Never": ("kd", (), (0,)),
}
COLLAPSED = ("KD <b>& co</b>", 1)
# Dice of case_a, case_b, case_c
DICE = {
    "Teacher": (0.9, 0.8, 0.7),
    "Student alone": (0.5, 0.2, 0.6),
    "PLC-KD": (0.1, 0.7, 0.4),
    "HLFD": (0.8, 0.3, 0.5),
}


def truth_of(case: str, volume: bool) -> np.ndarray:
    """A square that lies elsewhere in each case; in a volume in slices 3 to 8, most of it in slice 5."""
    at = 6 + 4 * CASES.index(case)
    flat = np.zeros((EDGE, EDGE), np.uint8)
    flat[at : at + 10, 8:20] = 1
    if not volume:
        return flat
    truth = np.zeros((SLICES, EDGE, EDGE), np.uint8)
    truth[3:9] = flat
    truth[5, at : at + 12, 6:22] = 1
    return truth


def _write(file: Path, array: np.ndarray) -> str:
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".png":
        Image.fromarray(array).save(file)
    else:
        nib.save(nib.Nifti1Image(array.astype(np.float32), np.eye(4)), file)
    return str(file)


def _data(folder: Path, volume: bool) -> list[dict]:
    """Write a prepared data set whose test cases are `CASES`; return their entries."""
    generator = np.random.default_rng(0)
    entries, end = [], ".b2nd" if volume else ".png"
    for case in CASES:
        truth = truth_of(case, volume)
        noise = generator.integers(0, 90, (*truth.shape, *(() if volume else (3,))), dtype=np.uint8)
        image = noise + (120 * (truth if volume else truth[..., None])).astype(np.uint8)
        entry = {"case": case, "patient": case}
        for name, array in (("image", image.astype(np.int16) if volume else image), ("label", truth)):
            entry[name] = f"{name}s/{case}{end}"
            if volume:
                (folder / f"{name}s").mkdir(parents=True, exist_ok=True)
                write_volume(folder / entry[name], array, np.eye(4))
            else:
                _write(folder / entry[name], array)
        entries.append(entry)
    splits = {"training": [], "validation": [], "test": entries}
    save_datalist(folder, splits, name="n", description="d", modality={"0": "x"}, labels={"0": "background", "1": "x"})
    return entries


def _config(data: Path, method: str, seed: int, volume: bool) -> dict:
    """What a run records, as far as a page reads it: an expression of a bundle, and options."""
    num_classes = "$len(data.class_names(@target)) + 1" if volume else 2
    record = {"bundle_root": "bundles/kits19" if volume else "bundles/isic2018", "num_classes": num_classes}
    record |= {"method": method, "seed": seed, "device": "cpu", "image_size": [EDGE, EDGE], "dataset_dir": str(data)}
    trained_with = {"target": "organ", "window": [0, 255], "mode": "2d"} if volume else {"image_size": [EDGE, EDGE]}
    network = {"_target_": "medkd.networks.UNet", "spatial_dims": 2, "in_channels": 1 if volume else 3}
    return {
        **record,
        "trained_with": trained_with,
        "network_def": {**network, "out_channels": "@num_classes", "width": 2},
    }


def _finish(folder: Path, row: str, seed: int, entries: list[dict], volume: bool) -> None:
    """What the end of a run leaves."""
    values = [value + 0.02 * seed for value in DICE.get(row, (0.45, 0.45, 0.45))]
    missed = float((row, seed) == COLLAPSED)
    table = pd.DataFrame(
        {"case": CASES, "class": "tumour", "dice": values, "iou": values, "hd95": 3.0, "missed": missed}
    )
    table.to_csv(folder / "metrics.csv", index=False)
    (folder / "summary.json").write_text("{}")
    torch.manual_seed(seed)
    torch.save(UNet(2, 1 if volume else 3, 2, width=2).state_dict(), folder / "model.pt")
    for entry in entries:
        prediction = np.roll(truth_of(entry["case"], volume), 3, axis=-1)
        _write(folder / f"predictions/{entry['case']}{'.nii.gz' if volume else '.png'}", prediction)


def _run(folder: Path, row: str, seed: int, ended: bool, data: Path, entries: list[dict], volume: bool) -> None:
    folder.mkdir(parents=True)
    method = ROWS[row][0]
    (folder / "config.yaml").write_text(yaml.safe_dump(_config(data, method, seed, volume), sort_keys=False))
    (folder / "environment.json").write_text(
        json.dumps({"command": ["python", "run", "--seed", str(seed)], "seed": seed})
    )
    with SummaryWriter(folder) as writer:
        for epoch in range(1, 4):
            writer.add_scalar("loss", 1 / epoch, epoch)
            writer.add_scalar("val_mean_dice", 0.2 * epoch, epoch)
    if method == "plckd":
        stages = {"T": 40, "TA_f": 30, "TA_b": 20, "SC": 0}
        scores = {"T": {"dice": 0.66}, "TA_f": {"dice": 0.7, "beyond_teacher": 0.2, "interval": [0.1, 0.3]}}
        report = {"pixels": 1000, "images": 3, "wrong_pixels_after": {"wrong": stages}, "on_validation_images": scores}
        (folder / "correction.json").write_text(json.dumps(report))
        _write(folder / "figures/soft_labels_case_t.png", np.full((20, 60, 3), 200, np.uint8))
    if ended:
        _finish(folder, row, seed, entries, volume)


@pytest.fixture(scope="session")
def made_runs(tmp_path_factory) -> Path:
    """EXPERIMENT/task/row number/seed_n; the one run of "Never" left nothing but its log."""
    root = tmp_path_factory.mktemp("page")
    for task, volume in (("skin", False), ("kidney", True)):
        entries = _data(root / "data" / task, volume)
        for number, (row, (_, ended, not_ended)) in enumerate(ROWS.items()):
            for seed in (*ended, *(not_ended if row != "Never" else ())):
                _run(
                    root / f"{task}/{number}/seed_{seed}",
                    row,
                    seed,
                    seed in ended,
                    root / "data" / task,
                    entries,
                    volume,
                )
        log = root / f"logs/{task}/5/seed_0.log"
        log.parent.mkdir(parents=True)
        log.write_text("epoch 1\nmedkd: error: batch_size 0 <found>\n")
    return root


@pytest.fixture(scope="session")
def made_experiment(made_runs) -> Experiment:
    """Both tasks, with the published figures of a table that was made under other conditions."""
    runs = {
        task: {
            row: {seed: made_runs / f"{task}/{number}/seed_{seed}" for seed in (*ended, *not_ended)}
            for number, (row, (_, ended, not_ended)) in enumerate(ROWS.items())
        }
        for task in ("skin", "kidney")
    }
    published = load_published("hlfd-table1")
    kinds = {"skin": "isic2018", "kidney": "kits19"}
    return Experiment("Made <runs>", runs, ["dice", "iou"], "Student alone", "Teacher", published, {}, kinds)


@pytest.fixture(scope="session")
def made_page(made_experiment, tmp_path_factory) -> Path:
    """Its page."""
    from medkd.reports.page import write_page
    from medkd.reports.tables import write_report

    folder = tmp_path_factory.mktemp("made_page")
    return write_page(made_experiment, write_report(made_experiment, folder), folder / "report.html")
