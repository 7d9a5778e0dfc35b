"""Splits: every patient in one split, folds that cover all cases, split files, the check for leaks."""

import json

import pytest

from medkd.data import (
    SPLITS,
    check_leaks,
    natural_key,
    split_cases,
)

ONE_EACH = {f"case_{n:03d}": f"case_{n:03d}" for n in range(210)}


@pytest.mark.parametrize("split", ["random", "sorted"])
def test_folds_cover_every_case_once(split):
    tests = [split_cases(ONE_EACH, split, fold=fold)["test"] for fold in range(5)]
    assert [len(test) for test in tests] == [42] * 5
    assert sorted(sum(tests, [])) == sorted(ONE_EACH)
    splits = split_cases(ONE_EACH, split)
    assert [len(splits[split]) for split in SPLITS] == [151, 17, 42]
    assert sorted(sum(splits.values(), [])) == sorted(ONE_EACH)


def test_random_follows_the_seed_and_not_the_order():
    assert split_cases(ONE_EACH, seed=1) == split_cases(dict(reversed(ONE_EACH.items())), seed=1)
    assert split_cases(ONE_EACH, seed=1) != split_cases(ONE_EACH, seed=2)
    assert split_cases(ONE_EACH)["test"] != split_cases(ONE_EACH, "sorted")["test"]


def test_sorted_is_natural_and_contiguous():
    patients = {f"c{n}": f"c{n}" for n in range(1, 13)}
    splits = split_cases(patients, "sorted", fold=1, folds=4)
    assert splits == {
        "test": ["c4", "c5", "c6"],
        "validation": ["c1"],
        "training": ["c2", "c3", "c7", "c8", "c9", "c10", "c11", "c12"],
    }
    assert sorted(["a10", "a9", "b", "9"], key=natural_key) == ["9", "a9", "a10", "b"]


def test_patients_stay_together():
    patients = {f"{patient}_{n}": f"p{patient}" for patient in range(11) for n in range(1 + patient % 4)}
    for fold in range(5):
        splits = split_cases(patients, fold=fold)
        groups = [{patients[case] for case in splits[split]} for split in SPLITS]
        assert sum(map(len, groups)) == 11 == len(set.union(*groups))
        assert sorted(sum(splits.values(), [])) == sorted(patients)


@pytest.mark.parametrize(
    ("count", "options", "message"),
    [
        (10, {"fold": 5}, "--fold 5: found 5 folds, expected 0 to 4"),
        (10, {"fold": -1}, "--fold -1: found 5 folds"),
        (10, {"folds": 1}, "--folds 1: expected at least 2"),
        (4, {}, "4 patients cannot be split into 5 folds"),
        (2, {"folds": 2}, "2 patients cannot"),
        (3, {"folds": 2}, "no patient is left for training"),
    ],
)
def test_split_refuses(count, options, message):
    with pytest.raises(ValueError, match=message):
        split_cases({str(n): str(n) for n in range(count)}, **options)


def test_split_file(tmp_path):
    path = tmp_path / "split.json"
    patients = {name: name[0] for name in ("a1", "a2", "b1", "c1", "d1")}
    good = {"training": ["a1", "a2"], "validation": ["b1"], "test": ["c1"]}
    path.write_text(json.dumps({**good, "test": ["c1", "d1"]}))
    assert split_cases(patients, path)["test"] == ["c1", "d1"]
    path.write_text(json.dumps(good))
    with pytest.warns(UserWarning, match="1 case in no split: d1"):
        assert split_cases(patients, str(path)) == good
    for change, message in [
        ({"test": ["x9", "c1"]}, r"no such case: x9 \(there are a1, a2, b1 and 2 more\)"),
        ({"test": [True]}, "'test' must be a list"),
        ({"test": ["c1", "b1"]}, "listed more than once: b1"),
        ({"test": []}, "'test' must be a list of at least one case name"),
        ({"test": None}, "'test' must be a list"),
        ({"training": ["a1"], "test": ["a2"]}, r"patient a is in training \(case a1\) and in test \(case a2\)"),
    ]:
        path.write_text(json.dumps({**good, **change}))
        with pytest.raises(ValueError, match=message):
            split_cases(patients, path)
    with pytest.raises(FileNotFoundError, match="--split rnd: neither random nor sorted nor"):
        split_cases(patients, "rnd")


def test_split_files_as_they_come(tmp_path):
    path = tmp_path / "split.json"
    path.write_text('{"training": [1, 2], "validation": ["Mu\u0308ller"], "test": [10]}')
    cases = ("1", "2", "M\u00fcller", "10")
    assert split_cases(dict(zip(cases, cases, strict=True)), path)["validation"] == ["M\u00fcller"]
    for text, message in [
        ('{"training": ["a"], "test": ["b"], "training": ["c"]}', "not valid JSON .found training more than once"),
        ('{"train": ["a"], "val": ["b"], "test": ["c"]}', "found train, val, test, expected training, validation too"),
        ('{"training": ["a",], // my cases\n', "not valid JSON"),
        ('{"training": [NaN], "validation": ["b"], "test": ["c"]}', "'training' must be a list"),
    ]:
        path.write_text(text)
        with pytest.raises(ValueError, match=f"split.json: {message}"):
            split_cases({name: name for name in "abc"}, path)


def test_leaks():
    def entry(case, patient=None):
        return {"case": case, "patient": patient or case}

    splits = {"training": [entry("a", "P"), entry("b", "P")], "validation": [entry("c")], "test": [entry("d")]}
    check_leaks({**splits, "name": "further keys are ignored"})
    check_leaks({"training": [entry("a")]})
    with pytest.raises(
        ValueError, match=r"patient P is in training \(case a\) and in test \(case d\): a score on the one"
    ):
        check_leaks({**splits, "test": [entry("d", "P")]})
    with pytest.raises(ValueError, match=r"patient 7 is in validation \(case c\) and in test \(case d\)"):
        check_leaks({**splits, "validation": [entry("c", 7)], "test": [entry("d", "7")]})
    # copies of an entry under other names
    same = {"training": [{**entry("a"), "image": "i/a"}], "test": [{**entry("b"), "image": "i/../i/a"}]}
    with pytest.raises(ValueError, match=r"image i/../i/a is in training \(case a\) and in test \(case b\): expected"):
        check_leaks(same)
    check_leaks({"training": same["training"] + same["test"]})  # masks of two raters
    for other, names in (("test", "training and in test"), ("training", "training and in training")):
        with pytest.raises(ValueError, match=f"case a is listed twice: in {names}"):
            check_leaks({**splits, other: [*splits[other], entry("a", "P" if other == "training" else "Q")]})
