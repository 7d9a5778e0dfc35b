"""Patients that names state: they are kept together, unless a file says otherwise."""

import json
import warnings

import pytest

from medkd.data_prep._cases import DiscoveredCases
from medkd.data_prep._patient_names import patients_in_names
from medkd.data_prep._report import describe_patients
from medkd.data_prep._splits import split_discovered

NAMES = [f"patient_{patient:03d}_slice_{number:03d}" for patient in range(10) for number in (4, 17, 30)]


@pytest.mark.parametrize("form", ["patient_{}_slice_{}", "Patient {} {}", "sub-{}_ses-{}", "subject{}-{}", "pat_{}.{}"])
def test_forms_of_names(form):
    names = {form.format(patient, number): patient for patient in ("01", "02", "10") for number in range(2)}
    found = patients_in_names(names)
    assert found == {name: form.partition("{}")[0] + patient for name, patient in names.items()}


@pytest.mark.parametrize(
    "names",
    [
        ["patient_1", "patient_2"],  # one case each
        ["patient_2020_001", "patient_2020_002"],  # one patient: a year, more likely
        ["patient_1_a", "patient_1_b", "scan_2"],  # not all
        ["case_1_a", "case_1_b", "case_2_a"],  # no patient
        ["patient_1a", "patient_1b", "patient_2a"],  # the number goes on
        ["subset_1_1", "subset_1_2", "subset_2_1"],
    ],
)
def test_names_that_state_no_patient(names):
    assert patients_in_names(names) == {}


@pytest.mark.parametrize("kind", ["random", "sorted"])
def test_drawn_splits_keep_a_patient_together_and_the_report_says_why(kind):
    cases = DiscoveredCases(patients={name: name for name in NAMES})
    splits = split_discovered(cases, kind, 0, 5, 0)
    of_split = {split: {name[:11] for name in names} for split, names in splits.items()}
    assert {split: len(names) for split, names in splits.items()} == {"training": 21, "validation": 3, "test": 6}
    assert not of_split["training"] & (of_split["validation"] | of_split["test"])
    line = describe_patients({"test": [{"case": c, "patient": cases.patients[c]} for c in NAMES]}, cases.patients)
    assert line == (
        "patients: 10, with 30 cases, none in two parts (by the names: patient_000_slice_004 is of patient_000; wrong? "
        "--split patients.csv)"
    )


def test_a_split_file_by_patient_is_believed_and_one_that_tears_them_apart_is_told(tmp_path):
    parts = {"training": NAMES[:24], "validation": NAMES[24:27], "test": NAMES[27:]}
    for name, moved in (("whole", 0), ("torn", 1)):
        test, rest = parts["test"][moved:], parts["test"][:moved]
        (tmp_path / f"{name}.json").write_text(
            json.dumps({**parts, "training": parts["training"] + rest, "test": test})
        )
    cases = DiscoveredCases(patients={name: name for name in NAMES})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert split_discovered(cases, tmp_path / "whole.json", 0, 5, 0) == parts
    assert cases.patients[NAMES[0]] == "patient_000"
    cases = DiscoveredCases(patients={name: name for name in NAMES})
    with pytest.warns(UserWarning, match="other than its name says: patient patient_009 is in training"):
        splits = split_discovered(cases, tmp_path / "torn.json", 0, 5, 0)
    assert len(splits["test"]) == 2 and cases.patients[NAMES[0]] == NAMES[0]


def test_too_few_patients_for_the_folds_are_no_obstacle():
    names = NAMES[:9]
    cases = DiscoveredCases(patients={name: name for name in names})
    with pytest.warns(UserWarning, match="3 patients cannot be split into 5 folds"):
        splits = split_discovered(cases, "random", 0, 5, 0)
    assert sum(map(len, splits.values())) == 9
