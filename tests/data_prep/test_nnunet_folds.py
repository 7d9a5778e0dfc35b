"""Folds of nnU-Net as a split, and the split that a source publishes."""

import json
import shutil

import pytest

from medkd.data_prep._cases import DiscoveredCases
from medkd.data_prep._described_source import DescribedSource
from medkd.data_prep._nnunet_folds import find_folds
from medkd.data_prep._source_split import resolve_split
from medkd.data_prep._splits import split_discovered

NAMES = [f"c{number}" for number in range(10)]
FOLDS = [{"train": NAMES[2:], "val": NAMES[:2]}, {"train": NAMES[:8], "val": NAMES[8:]}]


def described(tmp_path, test=(), validation=(), folds=None):
    cases = DiscoveredCases(patients={case: case for case in (*NAMES, *test)})
    cases.published = dict.fromkeys(NAMES, "training") | dict.fromkeys(validation, "validation")
    cases.published |= dict.fromkeys(test, "test")
    return DescribedSource(tmp_path / "Dataset001_X/dataset.json", cases, folds or {})


def split_of(source, split, fold=0, seed=0):
    resolved = resolve_split(source, split, fold, seed)
    return split_discovered(source.cases, resolved, fold, 5, seed)


def write_folds(path, folds=FOLDS):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(folds if isinstance(folds, str) else json.dumps(folds))
    return path


@pytest.mark.parametrize("fold", [0, 1])
def test_val_becomes_the_test_split_and_a_tenth_of_train_the_validation(tmp_path, fold):
    source = described(tmp_path)
    splits = split_of(source, write_folds(tmp_path / "splits_final.json"), fold)
    assert splits["test"] == FOLDS[fold]["val"] and len(splits["validation"]) == 1
    assert sorted(splits["training"] + splits["validation"]) == sorted(FOLDS[fold]["train"])
    assert source.notes == [
        f"split: test: 2 cases, val of fold {fold} in splits_final.json; "
        "validation: 1 of 8 training patients, drawn by the seed; not published"
    ]
    other = split_of(described(tmp_path), tmp_path / "splits_final.json", fold, seed=3)
    assert other["test"] == splits["test"] and other["validation"] != splits["validation"]


def test_with_a_test_set_val_stays_the_validation(tmp_path):
    source = described(tmp_path, test=("t0", "t1"))
    splits = split_of(source, write_folds(tmp_path / "splits_final.json"), 1)
    assert splits == {"training": NAMES[:8], "validation": NAMES[8:], "test": ["t0", "t1"]}
    assert source.notes[0].startswith(
        "split: test: 2 cases that the data set has for it; validation: 2 cases, val of fold"
    )


def test_the_file_may_be_named_by_its_folder_or_by_that_above(tmp_path):
    path = write_folds(tmp_path / "nnUNet_preprocessed/Dataset001_X/splits_final.json")
    for split in (path, path.parent, path.parent.parent):
        assert find_folds(split, "Dataset001_X") == path
        assert split_of(described(tmp_path), split)["test"] == NAMES[:2]
    shutil.copy(path, tmp_path / "mine.json")
    assert find_folds(tmp_path / "mine.json", "") == tmp_path / "mine.json"
    assert find_folds("random", "") is None and find_folds(tmp_path / "gone.json", "") is None
    assert find_folds(write_folds(tmp_path / "own.json", {"training": []}), "") is None
    with pytest.raises(FileNotFoundError, match=r"no splits_final.json in it or in Dataset002_Y"):
        find_folds(path.parent.parent, "Dataset002_Y")
    (tmp_path / "splits_final.pkl").write_bytes(b"x")
    with pytest.raises(
        ValueError, match=r"found a pickle, expected splits_final.json: write the pickled list to a JSON"
    ):
        find_folds(tmp_path / "splits_final.pkl", "")


def test_cases_that_no_list_names_are_named(tmp_path):
    write_folds(tmp_path / "splits_final.json", [{"train": NAMES[:7], "val": NAMES[7:9]}])
    with pytest.warns(UserWarning, match="1 case not in fold 0: c9"):
        splits = split_of(described(tmp_path), tmp_path / "splits_final.json")
    assert "c9" not in sum(splits.values(), [])


@pytest.mark.parametrize(
    ("folds", "words"),
    [
        ([{"train": ["c0"], "val": ["c1", "x"]}], "fold 0: no such case: x (there are c0, c1, c2 and 8 more)"),
        ([{"train": ["c0", "c1"], "val": ["c1"]}], "fold 0: listed more than once: c1"),
        ([{"train": ["c0"]}], "fold 0: found {'train': ['c0']}, expected train and val"),
        ([{"train": ["c0"], "val": []}], "fold 0: found no case for train or for val"),
        ([["c0"], ["c1"]], "fold 0: found ['c0'], expected train and val"),
        ([{"train": [0], "val": [1]}], "expected train and val with names"),
        ([], "found no fold"),
        ("[{]", "not valid JSON"),
        ([{"train": ["c0"], "val": ["t0"]}], "fold 0: t0 are test cases of the data set"),
    ],
)
def test_refused_folds(tmp_path, folds, words):
    with pytest.raises(ValueError) as error:
        resolve_split(described(tmp_path, ["t0"]), write_folds(tmp_path / "s.json", folds), 0, 0)
    assert words in str(error.value) and "\n" not in str(error.value)


def test_a_fold_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match=r"--fold 2: found 2 folds in .*, expected 0 to 1"):
        resolve_split(described(tmp_path), write_folds(tmp_path / "s.json"), 2, 0)
    with pytest.raises(ValueError, match=r"--fold 2: found the folds 0, 1 in dataset.json, expected one of them"):
        resolve_split(described(tmp_path, folds={"c0": 0, "c1": 1}), None, 2, 0)


def test_the_published_split(tmp_path):
    assert resolve_split(described(tmp_path), None, 0, 0) == "random"
    with pytest.raises(ValueError, match="--split published: .*lists no validation or test cases"):
        resolve_split(described(tmp_path), "published", 0, 0)
    for split in (None, "published"):
        splits = split_of(described(tmp_path, test=["t0"]), split)
        assert splits["test"] == ["t0"] and len(splits["validation"]) == 1 and len(splits["training"]) == 9
        splits = split_of(described(tmp_path, validation=["c3", "c4"]), split)
        assert splits["test"] == ["c3", "c4"] and len(splits["validation"]) == 1 and len(splits["training"]) == 7
        splits = split_of(described(tmp_path, test=["t0"], validation=["c3"]), split)
        assert (splits["test"], splits["validation"], len(splits["training"])) == (["t0"], ["c3"], 9)


def test_folds_of_a_list(tmp_path):
    folds = {case: number % 5 for number, case in enumerate(NAMES)}
    source = described(tmp_path, folds=folds)
    splits = split_of(source, None, fold=2)
    assert splits["test"] == ["c2", "c7"] and len(splits["validation"]) == 1 and len(splits["training"]) == 7
    assert "test: 2 cases, fold 2 of dataset.json" in source.notes[0]
    splits = split_of(described(tmp_path, folds=folds, test=["t0"]), None, fold=2)
    assert (splits["validation"], splits["test"]) == (["c2", "c7"], ["t0"])
    source = described(tmp_path, folds=folds, validation=["c1"])
    assert split_of(source, None, fold=7)["test"] == ["c1"]
    assert "the fold numbers of dataset.json have no effect: it lists validation cases" in source.notes


def test_test_cases_take_no_part_in_a_split_that_is_drawn(tmp_path):
    source = described(tmp_path, test=["t0", "t1"], validation=["c3"])
    splits = split_of(source, "random")
    assert sorted(sum(splits.values(), [])) == NAMES
    assert source.notes == ["left out: 2 test cases with labels: --split published tests on them"]
    (tmp_path / "s.json").write_text(json.dumps({"training": NAMES, "validation": ["t0"], "test": ["t1"]}))
    splits = split_of(described(tmp_path, test=["t0", "t1"]), tmp_path / "s.json")
    assert splits["test"] == ["t1"] and splits["training"] == NAMES
