"""The report on a user's data set: odd cases, volumes in ml, lines on patients and settings."""

import json
from dataclasses import replace

import numpy as np
import pytest

from medkd.data.volume_store import write_volume
from medkd.data_prep._odd_cases import odd_cases
from medkd.data_prep._report import describe_patients, describe_settings, write_report
from medkd.data_prep._survey import CaseMeasures, ChannelMeasures

from .own_volumes import CT, make_ct, prepare, save, write_folders


def test_odd_cases_are_called_out(tmp_path):
    image, label = make_ct(1)
    thick = np.diag([-0.8, -0.8, 7.5, 1.0])
    write_folders(tmp_path, 6, image=image + np.int16(1024), affine=thick)
    save(tmp_path / "labels/c2.nii.gz", label * (label == 1))
    tiny = np.where(label == 2, 0, label)
    tiny[15, 9, 2] = 2
    save(tmp_path / "labels/c3.nii.gz", tiny)
    prepare(tmp_path, classes=["kidney", "tumour"])
    report = json.loads((tmp_path / "out/report.json").read_text())
    odd = report["odd"]
    assert sorted(odd) == ["c1", "c2", "c3"]
    assert "spacing 7.5 x 0.8 x 0.8 mm, the others' median is 3 x 0.8 x 0.8" in odd["c1"][0]
    assert "(an offset of 1024: values stored without their sign?)" in odd["c1"][1]
    assert odd["c2"] == ["no tumour"] and odd["c3"][0].startswith("little tumour: 1 voxel,")
    assert report["cases"]["c0"]["kidney ml"] == pytest.approx(108 * 0.8 * 0.8 * 3 / 1000, rel=1e-3)
    text = (tmp_path / "out/report.md").read_text()
    assert "- c2: no tumour" in text and "1 kidney (value 1, in 6 cases), 2 tumour (value 2, in 5 cases)" in text
    assert all(f"| c{number} " in text for number in range(6))


def test_a_tilted_gantry_is_odd_and_its_millilitres_are_right(tmp_path):
    tilted = CT.copy()
    tilted[1, 2] = 3 * np.tan(np.deg2rad(20))
    write_folders(tmp_path, affine=tilted)
    prepare(tmp_path, classes=["kidney", "tumour"])
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert report["cases"]["c1"]["kidney ml"] == report["cases"]["c0"]["kidney ml"]
    assert list(report["odd"]) == ["c1"] and report["odd"]["c1"][0].startswith("sheared by 20 degrees")


CASE = CaseMeasures(
    shape=(10, 32, 32),
    spacing=(3.0, 0.8, 0.8),
    voxel_ml=0.00192,
    shear=0.0,
    orientation="LPS",
    channels=(ChannelMeasures(-1000.0, (-990.0, 20.0, 150.0), 300.0, np.full(50, 100.0, np.float32)),),
    voxels={1: 5000, 2: 900},
)


def changed(**intensities):
    """Return the channels of `CASE` with other measures."""
    return (replace(CASE.channels[0], **intensities),)


LABELS = {1: "kidney", 2: "tumour"}
SETTINGS = {
    "window": [0, 250],
    "per_case": False,
    "spacing_3d": [3.0, 0.8, 0.8],
    "patch_3d": [16, 32, 32],
    "image_size_2d": [32, 32],
}


def test_equal_cases_are_not_odd():
    assert odd_cases({"a": CASE, "b": CASE, "c": CASE}, LABELS, [True]) == {}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"spacing": (6.0, 0.8, 0.8)}, "spacing 6 x 0.8 x 0.8 mm, the others' median is 3 x 0.8 x 0.8"),
        ({"shear": 12.0}, "sheared by 12 degrees (a tilted gantry?): HD95 takes its axes for right-angled"),
        ({"voxels": {}}, "no label at all"),
        ({"voxels": {1: 5000}}, "no tumour"),
        ({"voxels": {1: 5000, 2: 9}}, "little tumour: 9 voxels, 0.0173 ml (median 1.73 ml)"),
        ({"channels": changed(lowest=0.0)}, "lowest value 0: no air, no fat"),
        ({"notes": ("image: a guess",)}, "image: a guess"),
        (
            {"channels": changed(foreground=np.full(50, 1124.0))},
            "labelled voxels have a median of 1124 HU, the others of 100 (an offset of 1024: values stored without their "
            "sign?)",
        ),
    ],
)
def test_a_case_that_differs_is_odd(change, reason):
    cases = {"a": CASE, "b": CASE, "c": CASE, "odd": replace(CASE, **change)}
    assert odd_cases(cases, LABELS, [True]) == {"odd": [reason]}
    if "channels" in change:  # MR has no common scale
        assert odd_cases(cases, LABELS, [False]) == {}


def test_long_tables_list_odd_cases_alone(tmp_path):
    measured = {f"c{number}": CASE for number in range(31)} | {"c7": replace(CASE, voxels={1: 5000})}
    write_volume(tmp_path / "a.b2nd", np.zeros((2, 8, 8), np.int16), np.eye(4))
    entry = {"image": "a.b2nd", "shape": [2, 8, 8], "spacing": [1, 1, 1]}
    listed = {"training": [{"case": case, **entry} for case in measured], "validation": [], "test": []}
    write_report(tmp_path, listed, measured, LABELS, SETTINGS, ["a note"], {})
    text = (tmp_path / "report.md").read_text()
    assert text.startswith("# 31 cases: 31 training, 0 validation, 0 test\n\n- a note\n")
    assert "- c7: no tumour" in text and "| c7 " in text and "| c8 " not in text and "| median " in text
    content = json.loads((tmp_path / "report.json").read_text())
    assert len(content["cases"]) == 31 and content["odd"] == {"c7": ["no tumour"]} and content["window"] == [0, 250]
    assert content["cases"]["c0"]["kidney ml"] == 9.6 and content["cases"]["c0"]["part"] == "training"


def test_lines_on_settings_name_the_option_that_changes_them():
    lines = describe_settings({"a": CASE, "b": replace(CASE, voxels={1: 5})}, LABELS, SETTINGS, ["image"], None, [""])
    assert lines[0] == "classes: 1 kidney (value 1, in 2 cases), 2 tumour (value 2, in 1 case)"
    assert "2 of 2 cases hold air below -500; wrong? --modality other" in lines[1]
    assert lines[2].startswith("window: 0 to 250 (what is labelled in training cases") and "look:" not in lines[3]
    lines = describe_settings(
        {"a": replace(CASE, spacing=(0.8, 3.0, 0.8))}, LABELS, SETTINGS, ["image"], [[0, 250]], ["as you said"]
    )
    assert "as you said" in lines[1] and "as you said" in lines[2] and "look: slices are axial" in lines[3]


def test_a_line_on_patients():
    listed = {"training": [{"case": "a", "patient": "a"}], "test": [{"case": "b", "patient": "b"}]}
    assert describe_patients(listed, {"a": "a", "b": "b"}).startswith("patients: 2, each case is taken for a patient")
    listed["training"].append({"case": "c", "patient": "a"})
    line = describe_patients(listed, {"a": "a", "b": "b", "c": "a", "d10": "d", "d9": "d"})
    assert line == "patients: 2, with 3 cases, none in two parts; in no part, not used: d9, d10"
