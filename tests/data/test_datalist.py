"""Data lists: written and read, their properties and classes, samples of training cases."""

import json

import pytest

from medkd.data import (
    SPLITS,
    data_classes,
    data_values,
    dataset_property,
    load_datalist,
    save_datalist,
    subsample_cases,
)

PROPERTIES = {"name": "n", "description": "d", "modality": {"0": "CT"}, "labels": {"0": "background"}}


def entry(case, patient=None):
    return {"image": f"{case}.img", "label": f"{case}.lab", "case": case, "patient": patient or case}


def write(folder, splits, touch=True):
    for split in splits.values():
        for item in split if touch else []:
            (folder / item["image"]).touch()
            (folder / item["label"]).touch()
    return save_datalist(folder, splits, **PROPERTIES)


def three():
    return {"training": [entry("a"), entry("b")], "validation": [entry("c")], "test": [entry("d")]}


def test_round_trip_with_absolute_paths(tmp_path):
    splits = three()
    splits["training"][0]["slices_with"] = {"1": [0, 10, 11], "2": []}
    splits["training"][0]["spacing"] = [3.27, -0.5, 1e-7]
    path = write(tmp_path, splits)
    content = json.loads(path.read_text())
    assert content["numTraining"] == 2 and content["numTest"] == 1
    assert [content[split] for split in SPLITS] == [splits[split] for split in SPLITS]
    loaded = load_datalist(tmp_path, "training")
    assert loaded[0] == {**splits["training"][0], "image": str(tmp_path / "a.img"), "label": str(tmp_path / "a.lab")}
    assert [item["case"] for item in load_datalist(tmp_path, "test")] == ["d"]


def test_a_link_to_an_image_of_another_split(tmp_path):
    write(tmp_path, three())
    (tmp_path / "d.img").unlink()
    (tmp_path / "d.img").symlink_to(tmp_path / "a.img")
    with pytest.raises(ValueError, match=r"image d.img is in training \(case a\) and in test \(case d\)"):
        load_datalist(tmp_path, "test")


def test_load_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match="dataset_dir .*nowhere: no such folder"):
        load_datalist(tmp_path / "nowhere", "test")
    with pytest.raises(FileNotFoundError, match="no datalist.json in it; run `medkd prepare`"):
        load_datalist(tmp_path, "test")
    with pytest.raises(ValueError, match="'train' is no split, expected one of training, validation, test"):
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


def test_leaks_are_neither_written_nor_read(tmp_path):
    splits = three()
    splits["training"][0]["patient"] = splits["test"][0]["patient"] = "P7"
    message = r"patient P7 is in training \(case a\) and in test \(case d\)"
    with pytest.raises(ValueError, match=message):
        write(tmp_path, splits)
    (tmp_path / "datalist.json").write_text(json.dumps(splits))
    with pytest.raises(ValueError, match=message):
        load_datalist(tmp_path, "validation")


def test_properties_and_classes_of_a_data_set(tmp_path):
    labels = {"0": "background", "1": "kidney", "2": "tumour"}
    (tmp_path / "datalist.json").write_text(json.dumps({"labels": labels, "window": [0, 9]}))
    assert dataset_property(tmp_path, "window") == [0, 9]
    assert data_values(tmp_path) == {0: 0, 1: 1, 2: 2} and data_classes(tmp_path) == {1: "kidney", 2: "tumour"}
    assert data_values(tmp_path, "tumour") == {0: 0, 1: 0, 2: 1} and data_classes(tmp_path, "tumour") == {1: "tumour"}
    with pytest.raises(ValueError, match="target 'background' is unknown, expected all or one of kidney, tumour"):
        data_classes(tmp_path, "background")
    with pytest.raises(ValueError, match="datalist.json: found a data set of .* without 'per_case'"):
        dataset_property(tmp_path, "per_case")


def test_a_smaller_sample_is_a_subset_of_a_larger_one_and_follows_the_seed():
    entries = [{"case": f"c{number}"} for number in range(30)]
    few, more, other = (subsample_cases(entries, count, seed) for count, seed in ((8, 1), (20, 1), (8, 2)))
    assert len(few) == 8 and all(entry in more for entry in few) and few != other
    assert few == [entry for entry in entries if entry in few]  # in their order
    assert subsample_cases(entries, None, 1) == entries
    for count in (0, 31):
        with pytest.raises(ValueError, match=f"training_cases {count}: expected 1 to 30"):
            subsample_cases(entries, count, 0)


@pytest.mark.parametrize("key", ["image", "label"])
@pytest.mark.parametrize("path", ["../a.img", "x/../../a.img", "/etc/hostname", [["a.img"]], None])
def test_files_outside_the_folder_are_refused(tmp_path, key, path):
    (tmp_path / "a.img").touch()
    folder = tmp_path / "data"
    folder.mkdir()
    splits = three()
    splits["training"][0][key] = path
    write(folder, splits, touch=False)
    with pytest.raises(
        ValueError,
        match=f"datalist.json: case a: (found {key}|{key}: found) .*, expected a path",
    ):
        load_datalist(folder, "training")


def test_links_in_the_folder_and_absolute_paths_below_it_are_followed(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "data/images").symlink_to(tmp_path / "disk")
    (tmp_path / "link").symlink_to(tmp_path / "data")
    splits = three()
    splits["test"][0] |= {"image": "images/d.img", "label": str(tmp_path / "data/d.lab")}
    write(tmp_path / "data", splits)
    assert load_datalist(tmp_path / "link", "test")[0]["image"] == str(tmp_path / "data/images/d.img")


def test_a_case_name_that_is_a_path_is_refused_whatever_split_is_read(tmp_path):
    splits = three()
    splits["test"][0]["case"] = "../../x"
    write(tmp_path, splits)
    with pytest.raises(ValueError, match=r"datalist.json: case name '../../x': found a path"):
        load_datalist(tmp_path, "training")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_read(tmp_path, encoding):
    path = write(tmp_path, three())
    path.write_text(path.read_text(), encoding=encoding)
    assert len(load_datalist(tmp_path, "training")) == 2


@pytest.mark.parametrize("content", ['{"training": 5}', '{"training": {"case": "a"}}', "[" * 100_000])
def test_another_form_is_told(tmp_path, content):
    (tmp_path / "datalist.json").write_text(content)
    with pytest.raises(ValueError, match="datalist.json: "):
        load_datalist(tmp_path, "training")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("window", ["$open('executed', 'w')", 100]),
        ("window", [3, 1]),
        ("image_size_2d", [{"_target_": "os.getpid"}, 64]),
        ("patch_3d", [0, 1, 1]),
        ("spacing_3d", ["@a", 1, 1]),
        ("per_case", "$open('executed', 'w')"),
        ("per_case", 1),
        ("labels", {"0": "background", "1": "%macro"}),
    ],
)
def test_properties_are_plain_data_of_their_kind(tmp_path, name, value):
    (tmp_path / "datalist.json").write_text(json.dumps({name: value}))
    with pytest.raises(ValueError, match=f"datalist.json: {name}.*: found .*, expected"):
        dataset_property(tmp_path, name)
