"""Data sets of another kind than the task's."""

import json

import pytest

from medkd.cli.data_set import check_data_set

VOLUMES, PICTURES = {"spacing": None}, {}


@pytest.mark.parametrize(
    ("image", "config"),
    [("a.b2nd", VOLUMES), (["a.b2nd", "b.b2nd"], VOLUMES), ("a.png", PICTURES), ("a.tif", PICTURES)],
)
def test_the_kind_of_a_data_set_is_that_of_its_images(tmp_path, image, config):
    (tmp_path / "datalist.json").write_text(json.dumps({"name": "own", "training": [{"case": "a", "image": image}]}))
    options = {"dataset_dir": str(tmp_path)}
    check_data_set("a_task", options, config)
    other = PICTURES if config is VOLUMES else VOLUMES
    with pytest.raises(
        ValueError, match=r"found a data set of .* \(prepared for own\), expected .*: the task is a_task$"
    ):
        check_data_set("a_task", options, other)
    with pytest.raises(ValueError, match="the task is a_task, which the model was trained for"):
        check_data_set("a_task", {**options, "model": "m"}, other)


@pytest.mark.parametrize("part", ["unlabelled", "validation", "test"])
def test_the_kind_is_known_where_no_training_case_is_listed(tmp_path, part):
    lists = {"training": [], part: [{"case": "a", "image": "a.b2nd"}]}
    (tmp_path / "datalist.json").write_text(json.dumps({"name": "nifti", "without_labels": True, **lists}))
    with pytest.raises(ValueError, match="found a data set of volumes"):
        check_data_set("pictures", {"dataset_dir": str(tmp_path)}, PICTURES)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"training": 1}', '{"training": [1, {"image": []}]}'])
def test_what_is_no_data_set_is_left_to_its_reader(tmp_path, text):
    check_data_set("a_task", {"dataset_dir": str(tmp_path / "gone")}, VOLUMES)
    (tmp_path / "datalist.json").write_text(text)
    check_data_set("a_task", {"dataset_dir": str(tmp_path)}, PICTURES)
