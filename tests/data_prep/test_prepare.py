"""From discovered cases to a data set: shared options, refused cases, empty splits, full disks."""

import errno
import json
import re
import resource
from functools import partial
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from medkd.data import dataset_property
from medkd.data_prep import _own_volumes
from medkd.data_prep._cases import CaseFiles, DiscoveredCases
from medkd.data_prep._options import Options
from medkd.data_prep._prepare import Preparation, open_data_set
from medkd.data_prep._refusals import refuse
from medkd.data_prep._stored_cases import StoredCase

from .own_volumes import entries, make_ct, nan_case, only_line, prepare, run_command, write_folders


def test_a_full_disk_is_one_line_and_no_case_is_left_out_for_it(tmp_path, capsys):
    write_folders(tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    try:
        assert run_command(tmp_path, "--skip_bad", "True") in (1, 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert re.search(r"c\d.b2nd: cannot be written, is the disk full", only_line(capsys))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images", "labels"]


def test_a_split_that_loses_all_its_cases_is_refused_before_the_conversion(tmp_path, monkeypatch):
    write_folders(tmp_path, **nan_case())  # sorted: c1 is the validation case
    monkeypatch.setattr(_own_volumes, "store_volumes", None)
    with pytest.raises(ValueError, match=r"no usable case for validation \(--split sorted"):
        prepare(tmp_path, skip_bad=True)


def test_a_validation_split_without_a_target_is_warned_about(tmp_path, capsys):
    write_folders(tmp_path, label=make_ct()[1] * (make_ct()[1] == 1))
    assert run_command(tmp_path, "--split", "sorted", "--classes", "kidney,tumour") == 0
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("medkd: ")]
    assert said == [
        "medkd: warning: no validation case has tumour: the best model could not be chosen by it; split otherwise"
    ]


def test_bad_cases_can_be_left_out(tmp_path, capsys):
    write_folders(tmp_path, 6, **nan_case())
    assert run_command(tmp_path, "--skip_bad", "True") == 0
    assert "c1" in dataset_property(tmp_path / "out", "refused") and len(entries(tmp_path / "out")) == 5


def test_what_was_guessed_is_said_in_report_data_list_and_console(tmp_path, capsys):
    write_folders(tmp_path)
    for kind in ("images", "labels"):
        image = nib.load(tmp_path / kind / "c1.nii.gz")
        bare = nib.Nifti1Image(np.asarray(image.dataobj), image.affine)
        bare.set_sform(None, 0)
        bare.set_qform(None, 0)
        nib.save(bare, tmp_path / kind / "c1.nii.gz")
    assert run_command(tmp_path) == 0
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note: ")]
    note = line.removeprefix("note: c1: ")
    assert note.startswith("image and mask: the header has no orientation")
    assert dataset_property(tmp_path / "out", "notes") == {note: ["c1"]}
    assert f"- c1: {note}" in (tmp_path / "out/report.md").read_text().splitlines()


def options(**changes):
    return Options(
        **{"split": "published", "fold": 0, "folds": 5, "seed": 0, "overwrite": False, "skip_bad": False, **changes}
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fold": 1.5}, "fold: found 1.5, expected a whole number from 0 on"),
        ({"folds": "5"}, "folds: found '5', expected a whole number from 0 on"),
        ({"seed": -1}, "seed: found -1, expected a whole number from 0 on"),
        ({"split": 5}, "split: found 5, expected the name of a split"),
    ],
)
def test_incorrect_options(change, message):
    options(fold=np.int64(1), split=Path("split.json"))
    with pytest.raises(ValueError, match=message):
        options(**change)


def discovered(refused=("t2",)):
    published = {"t1": "training", "t2": "training", "v1": "validation", "s1": "test"}
    return DiscoveredCases(
        files={
            case: CaseFiles((Path(f"{case}.png"),), Path(f"{case}_mask.png"))
            for case in published
            if case not in refused
        },
        patients={case: case for case in published},
        refused=dict.fromkeys(refused, "no mask"),
        published=published,
        held_out="a sentence",
    )


def store_case(fail, case, patient, files, folder):
    if case in fail:
        raise fail[case]
    names = {"image": f"{case}.png", "label": f"{case}_mask.png"}
    for name in names.values():
        Image.fromarray(np.ones((2, 2), np.uint8)).save(folder / name)
    return StoredCase({**names, "case": case, "patient": patient}, case, ["a note"], len(case))


def store(data_set):
    assert set(data_set.store_cases(partial(store_case, {})).values()) == {2}
    data_set.finish_cases()
    data_set.save(description="d", modality={"0": "CT"}, labels={"0": "background", "1": "kidney"}, further=[1])


def test_a_data_set_records_its_split_and_its_refused_cases(tmp_path, capsys):
    with open_data_set(tmp_path / "raw", tmp_path / "out", discovered(), options(skip_bad=True), "name") as data_set:
        store(data_set)
    summary = data_set.summary("out")
    assert summary["cases"] == {"training": 1, "validation": 1, "test": 1} and summary["left_out"] == []
    assert "refused t2: no mask" in capsys.readouterr().out
    assert dataset_property(tmp_path / "out", "refused") == summary["refused"] == {"t2": "no mask"}
    assert dataset_property(tmp_path / "out", "further") == [1]
    split = json.loads((tmp_path / "out/split.json").read_text())
    assert split["training"] == ["t1"] and split["held_out"] == "a sentence" and split["split"] == "published"


def test_refused_cases_stop_the_preparation(tmp_path):
    with (
        pytest.raises(ValueError, match="^1 of 4 cases refused, nothing was written: t2: no mask$"),
        open_data_set(tmp_path / "raw", tmp_path / "out", discovered(), options(), "name") as data_set,
    ):
        store(data_set)
    with pytest.raises(ValueError, match="^2 of 9 cases refused, nothing was written:\na: one\nb: two$"):
        refuse({"a": "one", "b": "two"}, 9)
    with pytest.raises(ValueError, match=r"^1 of 9 cases refused, nothing was written: a\\nb: one$"):
        refuse({"a\nb": "one"}, 9)
    with pytest.raises(ValueError, match="raw: no cases found"):
        with open_data_set(tmp_path / "raw", tmp_path / "out", DiscoveredCases(), options(), "name"):
            pass
    assert not list(tmp_path.iterdir())


def test_a_case_is_refused_for_its_own_errors_and_not_for_those_of_the_disk(tmp_path):
    splits = {"training": ["t1", "t2"], "validation": ["v1"], "test": ["s1"]}
    data_set = Preparation(tmp_path, tmp_path / "out", discovered(()), splits, options(), "name")
    fail = {"t1": ValueError("several\n  lines"), "t2": OSError(errno.EACCES, "denied", "raw/t2.png")}
    data_set.folder.mkdir()
    assert set(data_set.store_cases(partial(store_case, fail))) == {"v1", "s1"}
    assert data_set.refused == {"t1": "several lines", "t2": "[Errno 13] denied: 'raw/t2.png'"}
    for error in (OSError(errno.ENOSPC, "full"), OSError(errno.EIO, "broken", str(tmp_path / "out/v1.png"))):
        with pytest.raises(OSError, match="full|broken"):
            data_set.store_cases(partial(store_case, {"v1": error}))
    assert "v1" not in data_set.refused


def test_an_empty_split_is_named_before_any_case_is_stored(tmp_path):
    cases = discovered(("v1",))
    with pytest.raises(
        ValueError, match="no usable case for validation .--split published .*seed 0; 1 case refused: v1: no mask"
    ):
        with open_data_set(tmp_path / "raw", tmp_path / "out", cases, options(skip_bad=True), "name"):
            raise AssertionError("reached")
