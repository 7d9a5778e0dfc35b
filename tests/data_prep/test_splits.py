"""Splits of discovered cases: the published split, held-out patients, tables of patients."""

import json

import numpy as np
import pytest
from PIL import Image

from medkd.data import SPLITS, load_datalist, natural_key
from medkd.data_prep import _own_volumes
from medkd.data_prep._cases import DiscoveredCases
from medkd.data_prep._splits import (
    check_splits,
    hold_out,
    require_published,
    save_split,
    split_discovered,
    warn_without_target,
)

from .own_volumes import entries, prepare, write_folders, write_table


def test_a_table_of_patients(tmp_path):
    write_folders(tmp_path, 7)
    rows = "c0;A\nc1;A\nc2;B\nc3;B\nc4;C\nc5;D\n"
    with pytest.warns(UserWarning, match="1 case not listed and left out: c6"):
        summary = prepare(tmp_path, split=write_table(tmp_path, f"\ufeffCase; Patient\n{rows}"), folds=4)
    assert summary["left_out"] == ["c6"]
    found = {part: {entry["patient"] for entry in load_datalist(tmp_path / "out", part)} for part in SPLITS}
    assert sorted(map(len, found.values())) == [1, 1, 2] and set.union(*found.values()) == set("ABCD")
    assert {entry["case"]: entry["patient"] for entry in entries(tmp_path / "out").values()}["c3"] == "B"
    parts = ["training"] * 4 + ["validation", "test", "test"]
    rows = [f"c{number},{part},{50 + number}" for number, part in enumerate(parts)]
    prepare(tmp_path, "parts", split=write_table(tmp_path, "\n".join(["patient,part,age", *rows])))
    assert [entry["case"] for entry in load_datalist(tmp_path / "parts", "test")] == ["c5", "c6"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"head line is \[\], expected the column patient"),
        ("case,part\nc0,test\n", "expected the column patient"),
        ("patient\n", "no row below the head line"),
        ("case,patient\nc0,A\nc9,B\n", "no such case: c9 .there are c0, c1, c2 and 2 more"),
        ("case,patient\nc0,A\nc1,B\nc0,C\n", "listed more than once: c0"),
        ("case,patient\nc0,A\nc1,\n", "no patient is named for c1"),
        ("patient,part\nc0,train\n", "case c0: part 'train', expected one of training, validation, test"),
        ("case,patient,part\nc0,A,training\nc1,A,test\n", "patient A is in training .* and in test"),
        (
            "patient,part\nc0,training\nc1,training\nc2,training\nc3,training\nc4,test\n",
            "patients.csv: no case for validation, expected one at least of training, validation, test",
        ),
    ],
)
def test_bad_tables_of_patients(tmp_path, monkeypatch, text, message):
    write_folders(tmp_path)
    monkeypatch.setattr(_own_volumes, "survey_cases", None)  # before any volume is read
    with pytest.raises(ValueError, match=message):
        prepare(tmp_path, split=write_table(tmp_path, text))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images", "labels", "patients.csv"]


def published(training=20):
    names = {**{f"c{n}": "training" for n in range(training)}, "s1": "test"}
    return DiscoveredCases(patients={case: case for case in names}, published=dict(names))


def test_the_published_split_needs_one(tmp_path):
    require_published("raw", published(), "published", "these names")
    require_published("raw", DiscoveredCases(), "random", "these names")
    with pytest.raises(ValueError, match="--source raw: no published split for these names; use --split random"):
        require_published("raw", DiscoveredCases(), "published", "these names")


def test_a_tenth_of_the_training_patients_is_held_out():
    chosen = []
    for seed, refused in ((0, {}), (0, {"c3": "unreadable"}), (1, {})):
        cases = published()
        cases.patients["c1"] = "c0"  # two cases of one patient
        cases.refused = refused
        hold_out(cases, seed)
        splits = split_discovered(cases, "published", 0, 5, 0)
        chosen.append(sorted(splits["validation"], key=natural_key))
        assert len({cases.patients[case] for case in chosen[-1]}) == 2 and splits["test"] == ["s1"]
        assert ("c0" in chosen[-1]) == ("c1" in chosen[-1])
        assert cases.held_out.startswith("validation: 2 of 19 training patients")
    assert chosen[0] == chosen[1] != chosen[2]
    few = published(3)
    hold_out(few, 0)
    assert len(split_discovered(few, "published", 0, 5, 0)["validation"]) == 1


def test_the_split_by_name_or_published():
    cases = published(10)
    hold_out(cases, 0)
    splits = split_discovered(cases, "published", 0, 5, 0)
    assert {name: len(listed) for name, listed in splits.items()} == {"training": 9, "validation": 1, "test": 1}
    cases.split_name = "5fold"
    assert split_discovered(cases, "5fold", 0, 5, 0) == splits
    assert split_discovered(cases, "sorted", 0, 5, 0)["test"] == ["c0", "c1", "c2"]


def test_empty_splits_are_named():
    check_splits("raw", {"training": [1], "validation": [1], "test": [1]}, "origin")
    with pytest.raises(ValueError, match="raw: no usable case for validation and test .origin., expected one at least"):
        check_splits("raw", {"training": [1], "validation": [], "test": []}, "origin")


def test_a_saved_split_names_the_cases_and_those_left_out(tmp_path):
    listed = {"training": [{"case": "a"}], "validation": [{"case": "b"}], "test": [{"case": "c"}]}
    save_split(tmp_path, listed, {"split": "random", "seed": 3}, ["d"])
    content = json.loads((tmp_path / "split.json").read_text())
    lists = {"training": ["a"], "validation": ["b"], "test": ["c"], "left_out": ["d"]}
    assert content == {"split": "random", "seed": 3, **lists}


def test_a_class_that_no_validation_case_has_is_warned_about(tmp_path, recwarn):
    labels = {"0": "background", "1": "kidney", "2": "tumour"}
    Image.fromarray(np.array([[0, 1]], np.uint8)).save(tmp_path / "mask.png")
    picture, volume = {"label": "mask.png"}, {"slices_with": {"1": [], "2": [4]}}
    warn_without_target(tmp_path, [picture, volume], labels)
    assert not recwarn.list
    with pytest.warns(UserWarning, match="no validation case has tumour: the best model could not be chosen by it"):
        warn_without_target(tmp_path, [picture], labels)
    with pytest.warns(UserWarning, match="no validation case has kidney: "):
        warn_without_target(tmp_path, [volume], labels)


def named_patients(**frames):
    """Return a published split of frames: patient -> splits of its frames."""
    cases = DiscoveredCases()
    for patient, splits in frames.items():
        for number, split in enumerate(splits):
            cases.patients[f"{patient}_frame{number}"] = f"{patient}_frame{number}"
            cases.published[f"{patient}_frame{number}"] = split
    return cases


def test_patients_in_the_names_of_a_published_split_are_read():
    cases = named_patients(patient1=["training"] * 2, patient2=["training"] * 2, patient3=["test"] * 2)
    hold_out(cases, 0)
    splits = split_discovered(cases, "published", 0, 5, 0)
    assert cases.patients["patient1_frame1"] == "patient1" and len(splits["validation"]) == 2
    assert len({cases.patients[case] for case in splits["validation"]}) == 1
    assert cases.held_out.startswith("validation: 1 of 2 training patients")


def test_a_published_split_that_puts_a_patient_into_two_parts_stays_as_it_is():
    cases = named_patients(patient1=["training", "test"], patient2=["training", "validation"])
    with pytest.warns(
        UserWarning, match="each case is taken for a patient, .*: the published split has patient1 in several"
    ):
        splits = split_discovered(cases, "published", 0, 5, 0)
    assert splits["test"] == ["patient1_frame1"] and cases.patients["patient1_frame0"] == "patient1_frame0"
