"""Data lists, splits by patient, leaks."""

import json

import pytest

from medkd.data import (
    SPLITS,
    check_leaks,
    data_classes,
    data_values,
    dataset_property,
    load_datalist,
    natural_key,
    save_datalist,
    split_cases,
    subsample_cases,
)

ONE_EACH = {f"case_{n:03d}": f"case_{n:03d}" for n in range(210)}
ABOUT = {"name": "n", "description": "d", "modality": {"0": "CT"}, "labels": {"0": "background"}}


def entry(case, patient=None):
    return {"image": f"{case}.img", "label": f"{case}.lab", "case": case, "patient": patient or case}


def write(folder, parts, touch=True):
    for part in parts.values():
        for item in part if touch else []:
            (folder / item["image"]).touch()
            (folder / item["label"]).touch()
    return save_datalist(folder, parts, **ABOUT)


def three():
    return {"training": [entry("a"), entry("b")], "validation": [entry("c")], "test": [entry("d")]}


def test_round_trip_with_absolute_paths(tmp_path):
    parts = three()
    parts["training"][0]["slices_with"] = {"1": [0, 10, 11], "2": []}
    parts["training"][0]["spacing"] = [3.27, -0.5, 1e-7]
    path = write(tmp_path, parts)
    content = json.loads(path.read_text())
    assert content["numTraining"] == 2 and content["numTest"] == 1
    assert [content[part] for part in SPLITS] == [parts[part] for part in SPLITS]
    loaded = load_datalist(tmp_path, "training")
    assert loaded[0] == {**parts["training"][0], "image": str(tmp_path / "a.img"), "label": str(tmp_path / "a.lab")}
    assert [item["case"] for item in load_datalist(tmp_path, "test")] == ["d"]


def test_load_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match="dataset_dir .*nowhere: no such folder"):
        load_datalist(tmp_path / "nowhere", "test")
    with pytest.raises(FileNotFoundError, match="no datalist.json in it; run `medkd prepare`"):
        load_datalist(tmp_path, "test")
    with pytest.raises(ValueError, match="split 'train' is unknown, expected one of training, validation, test"):
        load_datalist(tmp_path, "train")
    write(tmp_path, {**three(), "validation": []})
    with pytest.raises(ValueError, match="the split 'validation' is empty"):
        load_datalist(tmp_path, "validation")
    (tmp_path / "d.lab").unlink()
    with pytest.raises(FileNotFoundError, match="d.lab: the label of case d is missing"):
        load_datalist(tmp_path, "test")
    (tmp_path / "datalist.json").write_text("{")
    with pytest.raises(ValueError, match="datalist.json: not valid JSON"):
        load_datalist(tmp_path, "test")
    (tmp_path / "datalist.json").write_text('{"test": [{"image": "x"}]}')
    with pytest.raises(ValueError, match="lacks one of case, image, label, patient"):
        load_datalist(tmp_path, "test")


def test_leaks(tmp_path):
    parts = three()
    check_leaks({**parts, "training": [entry("a", "P"), entry("b", "P")]})
    parts["training"][0]["patient"] = parts["test"][0]["patient"] = "P7"
    message = r"patient P7 is in training \(case a\) and in test \(case d\)"
    with pytest.raises(ValueError, match=message):
        write(tmp_path, parts)
    (tmp_path / "datalist.json").write_text(json.dumps(parts))
    with pytest.raises(ValueError, match=message):
        load_datalist(tmp_path, "validation")
    with pytest.raises(ValueError, match="case a is listed twice: in training and in test"):
        check_leaks({"training": [entry("a")], "test": [entry("a")]})


@pytest.mark.parametrize("split", ["random", "sorted"])
def test_folds_cover_every_case_once(split):
    tests = [split_cases(ONE_EACH, split, fold=fold)["test"] for fold in range(5)]
    assert [len(test) for test in tests] == [42] * 5
    assert sorted(sum(tests, [])) == sorted(ONE_EACH)
    parts = split_cases(ONE_EACH, split)
    assert [len(parts[part]) for part in SPLITS] == [151, 17, 42]
    assert sorted(sum(parts.values(), [])) == sorted(ONE_EACH)


def test_random_follows_the_seed_and_not_the_order():
    assert split_cases(ONE_EACH, seed=1) == split_cases(dict(reversed(ONE_EACH.items())), seed=1)
    assert split_cases(ONE_EACH, seed=1) != split_cases(ONE_EACH, seed=2)
    assert split_cases(ONE_EACH)["test"] != split_cases(ONE_EACH, "sorted")["test"]


def test_sorted_is_natural_and_contiguous():
    patients = {f"c{n}": f"c{n}" for n in range(1, 13)}
    parts = split_cases(patients, "sorted", fold=1, folds=4)
    assert parts == {
        "test": ["c4", "c5", "c6"],
        "validation": ["c1"],
        "training": ["c2", "c3", "c7", "c8", "c9", "c10", "c11", "c12"],
    }
    assert sorted(["a10", "a9", "b", "9"], key=natural_key) == ["9", "a9", "a10", "b"]


def test_patients_stay_together():
    patients = {f"{patient}_{n}": f"p{patient}" for patient in range(11) for n in range(1 + patient % 4)}
    for fold in range(5):
        parts = split_cases(patients, fold=fold)
        groups = [{patients[case] for case in parts[part]} for part in SPLITS]
        assert sum(map(len, groups)) == 11 == len(set.union(*groups))
        assert sorted(sum(parts.values(), [])) == sorted(patients)


@pytest.mark.parametrize(
    ("count", "options", "message"),
    [
        (10, {"fold": 5}, "fold 5 of 5: expected"),
        (10, {"fold": -1}, "fold -1 of 5"),
        (10, {"folds": 1}, "fold 0 of 1"),
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
    with pytest.warns(UserWarning, match="1 cases are in no part: d1"):
        assert split_cases(patients, str(path)) == good
    for change, message in [
        ({"test": ["x9", "c1"]}, "no such case: x9"),
        ({"test": ["c1", "b1"]}, "listed more than once: b1"),
        ({"test": []}, "'test' must be a list of at least one case name"),
        ({"test": None}, "'test' must be a list"),
        ({"training": ["a1"], "test": ["a2"]}, r"patient a is in training \(case a1\) and in test \(case a2\)"),
    ]:
        path.write_text(json.dumps({**good, **change}))
        with pytest.raises(ValueError, match=message):
            split_cases(patients, path)
    with pytest.raises(FileNotFoundError, match="split 'rnd': neither 'random' nor 'sorted' nor"):
        split_cases(patients, "rnd")


def test_properties_and_classes_of_a_data_set(tmp_path):
    labels = {"0": "background", "1": "kidney", "2": "tumour"}
    (tmp_path / "datalist.json").write_text(json.dumps({"labels": labels, "window": [0, 9]}))
    assert dataset_property(tmp_path, "window") == [0, 9]
    assert data_values(tmp_path) == {0: 0, 1: 1, 2: 2} and data_classes(tmp_path) == {1: "kidney", 2: "tumour"}
    assert data_values(tmp_path, "tumour") == {0: 0, 1: 0, 2: 1} and data_classes(tmp_path, "tumour") == {1: "tumour"}
    with pytest.raises(ValueError, match="target 'background' is unknown, expected all or one of kidney, tumour"):
        data_classes(tmp_path, "background")
    with pytest.raises(ValueError, match="datalist.json: no 'per_case' in it; prepare the data set again"):
        dataset_property(tmp_path, "per_case")


def test_drawn_cases_are_a_part_of_a_larger_draw_and_another_with_another_seed():
    entries = [{"case": f"c{number}"} for number in range(30)]
    few, more, other = (subsample_cases(entries, count, seed) for count, seed in ((8, 1), (20, 1), (8, 2)))
    assert len(few) == 8 and all(entry in more for entry in few) and few != other
    assert few == [entry for entry in entries if entry in few]  # in their order
    assert subsample_cases(entries, None, 1) == entries
    for count in (0, 31):
        with pytest.raises(ValueError, match=f"training_cases {count}: expected 1 to 30"):
            subsample_cases(entries, count, 0)
