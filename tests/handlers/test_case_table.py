"""The metrics of an evaluation, case by case."""

import json
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from monai.data import MetaTensor

from medkd.handlers import CaseTable
from medkd.metrics import calibration_bins, summarise
from medkd.runs import RunFolder


@pytest.mark.parametrize("tilt", [0.0, 1.5])
def test_millilitres_of_a_tilted_gantry_are_those_of_the_volume(tmp_path, tilt):
    affine = torch.tensor([[-3.0, 0, 0, 0], [0, -2, 0, 0], [0, tilt, 1, 0], [0, 0, 0, 1]])
    labels = MetaTensor(torch.ones(1, 4, 5, 6, dtype=torch.uint8), affine=affine)
    table = CaseTable(tmp_path, {1: "liver"})
    state = SimpleNamespace(batch=[{"case": "a"}], output=[{"pred": labels, "label": labels}])
    table(SimpleNamespace(state=state))
    assert table.cases[0][0]["volume_truth"] == pytest.approx(4 * 5 * 6 * 6 / 1000)


def test_files_and_line_of_an_evaluation(tmp_path, capsys):
    table, empty = CaseTable(tmp_path, {1: "liver"}), torch.zeros(1, 4, 4, dtype=torch.uint8)
    square = empty.clone()
    square[:, 1:3, 1:3] = 1
    batch = [{"case": "a"}, {"case": "b"}, {"case": "c"}]
    output = [
        {"pred": square, "label": square},
        {"pred": empty, "label": square},
        {"pred": square, "label": empty},
    ]
    evaluator = SimpleNamespace(state=SimpleNamespace(batch=batch, output=output), data_loader=None)
    table._start(evaluator)
    table(evaluator)
    table._write(evaluator)
    written = pd.read_csv(tmp_path / "metrics.csv")
    assert list(written.columns[:6]) == ["case", "class", "dice", "iou", "rvd", "hd95"]
    assert written["dice"].tolist()[:2] == [1.0, 0.0] and pd.isna(written["dice"][2])
    assert json.loads((tmp_path / "summary.json").read_text())["liver"]["dice"]["n"] == 2
    line = capsys.readouterr().out
    assert line.startswith("liver [whole]: dice 0.5000 ")
    assert line.endswith("1 missed; without ground truth: 1 of 3 cases, false alarms in 1 of these\n")


def test_metrics_on_request_and_the_labels_before_components_were_removed(tmp_path, capsys):
    logits = torch.zeros(2, 2, 4, 4)
    logits[1, 0, :2] = 4.0
    logits[1, 1, 3, 3] = 4.0
    raw = logits.argmax(0, keepdim=True).to(torch.uint8)
    label = raw.clone()
    label[0, 1] = 0
    output = {"pred": label, "pred_raw": raw, "label": label, "calibration": calibration_bins(logits, label[0])}
    state = SimpleNamespace(batch=[{"case": "a"}, {"case": "b"}], output=[output, output])
    table = CaseTable(tmp_path, {1: "liver"}, metrics="nsd,ece,lesions", nsd_mm=3)
    table._start(None)
    table(SimpleNamespace(state=state))
    table._write(SimpleNamespace(state=state, data_loader=None))
    row = pd.read_csv(tmp_path / "metrics.csv").iloc[1]
    assert (row["dice"], row["dice_raw"], row["removed_voxels"]) == (1.0, pytest.approx(16 / 17), 1)
    assert (row["nsd"], row["nsd_tolerance"], row["lesion_precision"], row["lesion_precision_raw"]) == (1, 3, 1, 0.5)
    assert 0 < row["ece"] < 1 and "ece_raw" not in row
    summary = json.loads((tmp_path / "summary.json").read_text())["liver"]
    assert summary["ece"]["mean"] == pytest.approx(row["ece"]) and summary["lesions_false_raw"]["mean"] == 1
    bins = RunFolder(tmp_path).read_calibration()["liver"]
    assert sum(bins["voxels"]) == 2 * 32 and bins["frequency"][10] is None
    assert "components removed: 2 voxels in 2 of 2 cases; before: dice 0.9412 iou 0.8889" in capsys.readouterr().out
    assert RunFolder(tmp_path).read_metrics() is not None


def evaluated(folder, cases, patients):
    """Return the table of squares found in part: case n has n of 4 rows right."""
    square = torch.zeros(1, 8, 8, dtype=torch.uint8)
    square[:, 2:6, 2:6] = 1
    batch, output = [], []
    for number, (case, patient) in enumerate(zip(cases, patients, strict=True), 1):
        found = square.clone()
        found[:, 2 + number :] = 0
        batch.append({"case": case} if patient is None else {"case": case, "patient": patient})
        output.append({"pred": found, "label": square})
    evaluator = SimpleNamespace(state=SimpleNamespace(batch=batch, output=output), data_loader=None)
    table = CaseTable(folder, {1: "liver"})
    table._start(evaluator)
    table(evaluator)
    table._write(evaluator)
    return pd.read_csv(folder / "metrics.csv")


def test_means_over_patients_stand_beside_those_over_pictures(tmp_path, capsys):
    table = evaluated(tmp_path, ["a", "b", "c", "d"], ["p1", "p2", "p1", "p1"])
    assert list(table.columns[:6]) == ["case", "class", "dice", "iou", "rvd", "hd95"]
    assert table["patient"].tolist() == ["p1", "p2", "p1", "p1"]
    dice = table["dice"].tolist()
    of_p1 = (dice[0] + dice[2] + dice[3]) / 3
    statistics = json.loads((tmp_path / "summary.json").read_text())["liver"]["dice"]
    deviation = abs(of_p1 - dice[1]) / 2**0.5
    assert statistics["mean"] == pytest.approx(sum(dice) / 4) and statistics["n"] == 4
    assert statistics["mean_over_patients"] == pytest.approx((of_p1 + dice[1]) / 2)
    assert statistics["std_over_patients"] == pytest.approx(deviation) and statistics["patients"] == 2
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f"liver [whole] over 4 pictures: dice {sum(dice) / 4:.4f} ± ")
    assert second.startswith(
        f"liver [whole] over 2 patient(s), each the mean of its pictures: dice {(of_p1 + dice[1]) / 2:.4f} ± "
        f"{deviation:.4f} (n=2) iou "
    )


def test_a_patient_without_a_value_is_not_averaged(tmp_path):
    table = evaluated(tmp_path, ["a", "b", "c"], ["p1", "p1", "p2"])
    rows = table.to_dict("records")
    rows[2]["dice"] = float("nan")
    assert summarise(rows)["liver"]["dice"]["patients"] == 1
    assert summarise(rows)["liver"]["dice"]["mean_over_patients"] == pytest.approx(table["dice"][:2].mean())


@pytest.mark.parametrize("patients", [["x", "y", "z"], [None, None, None]])
def test_a_patient_of_one_picture_changes_no_file(tmp_path, patients, capsys):
    table = evaluated(tmp_path, ["a", "b", "c"], patients)
    assert "patient" not in table
    assert json.loads((tmp_path / "summary.json").read_text())["liver"]["dice"].keys() == {"mean", "std", "n"}
    assert capsys.readouterr().out.startswith("liver [whole]: dice ")
