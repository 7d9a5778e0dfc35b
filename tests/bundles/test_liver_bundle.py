"""LiTS: its bundle is that of KiTS19 but for four lines, and the way through it once, on axes that differ."""

import json

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from medkd.configs.bundles import BUNDLES
from medkd.data import load_datalist

DIFFERING = {"train.yaml": ["# Liver and liver tumour in CT (LiTS)", "target", "window", "spacing", "classes"]}
DIFFERING |= {"inference.yaml": ["window", "spacing", "classes", "  algorithm"], "evaluate.yaml": []}


@pytest.mark.parametrize("name", DIFFERING)
def test_the_bundle_differs_in_title_window_and_organ_alone(name):
    """So what is tested of one holds for both; each is complete by itself all the same."""
    ours, kidneys = ((BUNDLES / task / "configs" / name).read_text() for task in ("lits", "kits19"))
    lines = zip(ours.splitlines(), kidneys.splitlines(), strict=True)
    differing = [line for line, other in lines if line != other]
    assert [line.split(":")[0] for line in differing] == DIFFERING[name]
    assert "kidney" not in ours.lower() and "kits" not in ours.lower()
    (window,) = [line for line in differing if line.startswith("window")] or [None]
    assert window is None or window.split("#")[0].split() == ["window:", "[-40,", "160]"]


def test_the_page_is_of_livers():
    page = (BUNDLES / "lits/docs/README.md").read_text().lower()
    title = "for kidney and liver tumor segmentation"
    assert page.count("kidney") == page.count(title) == 1 and "kits" not in page and "renal" not in page


@pytest.fixture(scope="module")
def run(lits_data, medkd_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("liver") / "run"
    options = ["--dataset_dir", lits_data, "--output_dir", folder, "--target", "both", "--batch_size", 4]
    assert medkd_run("train", "lits", *options) == 0
    return folder


def test_a_case_without_tumour_is_counted_and_not_averaged(run):
    table = pd.read_csv(run / "metrics.csv").set_index(["case", "class"])
    assert set(table.index) == {(f"volume-{n}", name) for n in (0, 1) for name in ("liver", "tumour")}
    assert table["empty_truth"].to_dict() == {key: float(key == ("volume-1", "tumour")) for key in table.index}
    assert np.isnan(table.loc[("volume-1", "tumour"), "rvd"]) and np.isnan(table.loc[("volume-1", "tumour"), "dice"])
    summary = json.loads((run / "summary.json").read_text())
    assert summary["tumour"]["dice"]["n"] == 1 and summary["liver"]["dice"]["n"] == 2


def test_predictions_lie_on_each_scan_as_it_was(run, lits_data, medkd_run, tmp_path):
    """LPS, RAS and an oblique LAS: inference of the raw file and evaluation of the store agree in the world."""
    source = lits_data.parent / "raw"
    (tmp_path / "scans").mkdir()
    for number in (0, 1, 2):
        path = next(source.glob(f"*/volume-{number}.nii"))
        (tmp_path / "scans" / path.name).symlink_to(path)
    options = ["--model", run, "--target", "both", "--input", tmp_path / "scans", "--output_dir", tmp_path / "out"]
    assert medkd_run("infer", "lits", *options) == 0
    for number, axes in enumerate(("LPS", "RAS", "LAS")):
        scan, written = (nib.load(tmp_path / f) for f in (f"scans/volume-{number}.nii", f"out/volume-{number}.nii.gz"))
        assert "".join(nib.aff2axcodes(written.affine)) == axes
        assert written.shape == scan.shape and np.allclose(written.affine, scan.affine, atol=1e-4)
    for entry in load_datalist(lits_data, "test"):
        name = f"{entry['case']}.nii.gz"
        raw, stored = (nib.as_closest_canonical(nib.load(f / name)) for f in (tmp_path / "out", run / "predictions"))
        np.testing.assert_array_equal(np.asarray(raw.dataobj), np.asarray(stored.dataobj))
