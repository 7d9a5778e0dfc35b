"""A page of runs that were trained, in slices and in volumes, some of whose predictions are gone."""

import re

import numpy as np
import pytest

from medkd.cli.main import main
from medkd.data import load_datalist
from medkd.io import read_nifti
from medkd.reports.page.predictions import predictions

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("mode", ["2d", "3d"])
def test_lost_predictions_are_computed_anew(mode, kits19_data, medkd_run, tmp_path, capsys):
    options = ["--mode", mode, "--dataset_dir", kits19_data, *(["--patch_size", "[16,32,32]"] if mode == "3d" else [])]
    if mode == "3d":
        options += ["--image_size", "[16,32,32]", "--patches_per_case", "1"]
    for name, role in (("T", "teacher"), ("S", "student")):
        assert medkd_run("train", "kits19", "--role", role, *options, "--output_dir", tmp_path / name) == 0
    words = ["--method", "kd", "--teacher", tmp_path / "T", "--output_dir", tmp_path / "K"]
    assert medkd_run("distill", "kits19", *options, *words) == 0
    kept = {file.name: read_nifti(file)[0] for file in (tmp_path / "S/predictions").glob("*.nii.gz")}
    for file in (tmp_path / "S/predictions").iterdir():
        file.unlink()
    (tmp_path / "K/model.pt").unlink()
    for file in (tmp_path / "K/predictions").iterdir():
        file.unlink()
    runs = str({name: str(tmp_path / name) for name in ("T", "S", "K")})
    assert main(["report", "--runs", runs, "--html", "--output_dir", str(tmp_path / "out")]) == 0
    page = (tmp_path / "out/report.html").read_text()
    assert re.search(r"S, seed 0: 1 prediction\(s\) were not stored and computed from model.pt in \d+ s\.", page)
    assert "K, seed 0: no predictions: " in page and "K, seed 0: no Grad-CAM: " in page
    looked_into = set(re.findall(r'aria-label="Grad-CAM of (\w), (\w+) layer, on case_00000, slice \d+"', page))
    assert looked_into == {(row, layer) for row in "TS" for layer in ("first", "last")}
    assert not list((tmp_path / "S/predictions").glob("*.nii.gz"))  # what is computed anew is not put into the run
    entries = [e for e in load_datalist(kits19_data, "test") if f"{e['case']}.nii.gz" in kept]
    anew, _ = predictions(tmp_path / "S", entries)
    assert len(anew) == len(kept) == 1
    for case, before in kept.items():
        assert mode == "3d" or before.any()  # of these tiny networks of volumes, none finds anything
        assert np.array_equal(anew[case.removesuffix(".nii.gz")], before)
