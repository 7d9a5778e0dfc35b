"""Images without labels: which of them a training uses, what the data list may say of them."""

from __future__ import annotations

import json

import pytest

from medkd.data import load_datalist, load_unlabelled, save_datalist, unlabelled_cases


def _entry(folder, case, kind="Tr", **extra):
    for part in ("images", "labels")[: 1 if kind == "Unlabelled" else 2]:
        (folder / f"{part}{kind}").mkdir(exist_ok=True)
        (folder / f"{part}{kind}" / f"{case}.png").write_bytes(b"x")
    label = {} if kind == "Unlabelled" else {"label": f"labels{kind}/{case}.png", "slices_with": {"1": [0]}}
    return {"case": case, "patient": case, "image": f"images{kind}/{case}.png", **label, **extra}


def _data_set(folder, unlabelled=("u0", "u1")):
    splits = {
        "training": [_entry(folder, f"t{n}") for n in range(4)],
        "validation": [_entry(folder, "v")],
        "test": [_entry(folder, "s", "Ts")],
        "unlabelled": [_entry(folder, case, "Unlabelled") for case in unlabelled],
    }
    save_datalist(folder, splits, name="x", description="", modality={"0": "MR"}, labels={"0": "background"})
    return folder


def _names(*args, **kwargs):
    return [entry["case"] for entry in unlabelled_cases(*args, **kwargs)]


def test_the_sources_of_unlabelled_images(tmp_path):
    data = _data_set(tmp_path)
    assert _names(data, "none", 2) == []
    assert _names(data, "data", 2) == ["u0", "u1"]
    assert len(_names(data, "rest", 1)) == 3
    assert set(_names(data, "all", 0)) == {"u0", "u1", "t0", "t1", "t2", "t3"}
    assert _names(data, "all") == ["u0", "u1"]


def test_nothing_of_a_label_is_left_in_an_entry(tmp_path):
    for entry in unlabelled_cases(_data_set(tmp_path), "all", 0):
        assert not {"label", "slices_with"} & entry.keys()


def test_the_rest_is_what_the_sample_leaves_out(tmp_path):
    from medkd.data import subsample_cases

    data = _data_set(tmp_path)
    sampled = {entry["case"] for entry in subsample_cases(load_datalist(data, "training"), 2, seed=3)}
    rest = set(_names(data, "rest", 2, seed=3))
    assert not sampled & rest and len(sampled | rest) == 4


def test_a_data_set_without_unlabelled_images_is_written_and_read_as_before(tmp_path):
    data = _data_set(tmp_path, unlabelled=())
    assert "unlabelled" not in json.loads((data / "datalist.json").read_text())
    assert load_unlabelled(data) == [] == unlabelled_cases(data)


@pytest.mark.parametrize(
    ("unlabelled", "training_cases", "message"),
    [
        ("rest", None, "--unlabelled rest: found no training case"),
        ("rest", 4, "--unlabelled rest: found no training case"),
        ("all", None, "--unlabelled all: found no unlabelled image"),
        ("some", None, "--unlabelled: found 'some', expected one of none, data, rest, all"),
    ],
)
def test_images_that_do_not_exist_are_refused(tmp_path, unlabelled, training_cases, message):
    with pytest.raises(ValueError, match=message):
        unlabelled_cases(_data_set(tmp_path, ()), unlabelled, training_cases)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda entries: entries[0].update(label="labelsTr/t0.png"),
            "unlabelled: found label in .*, expected no label",
        ),
        (lambda entries: entries[0].update(slices_with={}), "found slices_with in"),
        (lambda entries: entries[0].pop("patient"), "lacks one of case, image, patient$"),
        (lambda entries: entries[0].update(image=3), "case u0: image: found 3"),
        (lambda entries: entries[0].update(image=["a.png", "b.png"]), "case u0: found 2 images, expected 1"),
        (lambda entries: entries[0].update(case="../x"), "datalist.json: "),
        (lambda entries: entries[0].update(image="../x.png"), "case u0: found image '../x.png', expected a path below"),
        (lambda entries: entries[0].update(image="imagesTs/s.png"), r"is in test \(case s\)"),
        (lambda entries: entries[0].update(image="imagesTr/v.png"), r"is in validation \(case v\)"),
        (
            lambda entries: entries[0].update(patient="s"),
            r"patient s is in unlabelled \(case u0\) and in test \(case s\)",
        ),
        (lambda entries: entries[0].update(case="t1"), "case t1 is listed twice: in training and in unlabelled"),
        (lambda entries: entries[0].update(case="u1"), "case u1 is listed twice: in unlabelled and in unlabelled"),
    ],
)
def test_a_bad_entry_is_refused(tmp_path, change, message):
    data = _data_set(tmp_path)
    content = json.loads((data / "datalist.json").read_text())
    change(content["unlabelled"])
    (data / "datalist.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=message):
        load_unlabelled(data)


def test_a_missing_unlabelled_image_is_named(tmp_path):
    data = _data_set(tmp_path)
    (data / "imagesUnlabelled/u1.png").unlink()
    with pytest.raises(FileNotFoundError, match="the image of case u1 is missing"):
        load_unlabelled(data)
