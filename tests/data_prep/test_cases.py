"""The cases of a source: names, merging, refusal."""

import pytest

from medkd.data_prep import _cases
from medkd.data_prep._cases import DiscoveredCases, check_names, merge_cases, require_source
from medkd.data_prep._pairing import pair_files
from medkd.data_prep._volume_pairing import pair_volumes

from .own_volumes import touch


def test_a_source_is_a_folder_with_content(tmp_path):
    assert require_source(touch(tmp_path / "source", "a")) == tmp_path / "source"
    touch(tmp_path / "empty")
    for name, error, message in [
        ("source/a", NotADirectoryError, "--images .*a: is a file, expected a folder"),
        ("nowhere", FileNotFoundError, "--images .*nowhere: no such folder"),
        ("empty", ValueError, "--images .*empty: the folder is empty"),
    ]:
        with pytest.raises(error, match=message):
            require_source(tmp_path / name, "images")


def test_a_case_in_two_folders_is_refused(tmp_path):
    first, second = (
        pair_files(
            touch(tmp_path / name / "images", "a.png", f"{name}.png"),
            touch(tmp_path / name / "masks", "a.png", f"{name}.png"),
            (".png",),
            (".png",),
        )
        for name in ("x", "y")
    )
    merged = merge_cases([first, second])
    assert list(merged.files) == ["x", "y"] and sorted(merged.patients) == ["a", "x", "y"]
    paths = f"{tmp_path}/x/images/a.png and {tmp_path}/y/images/a.png"
    assert merged.refused == {"a": f"two files stand for this case: {paths}; keep one"}
    assert merge_cases([]) == DiscoveredCases()


def pictures_of(folder, images, labels):
    return pair_files(touch(folder / "a", *images), touch(folder / "b", *labels), (".png", ".jpg"), (".png",))


def test_names_that_are_no_file_names_are_refused(tmp_path):
    cases = pictures_of(tmp_path, ["a\nb.png", "c.png"], ["a\nb.png", "c.png"])
    assert check_names(cases, tmp_path) == []
    assert list(cases.files) == ["c"] and "control character" in cases.refused["a\nb"]


@pytest.mark.parametrize("is_one", [False, True])
def test_names_that_differ_in_capitals_are_refused_where_they_are_one(tmp_path, monkeypatch, is_one):
    cases = pictures_of(tmp_path, ["A.png", "a.png", "b.png"], ["A.png", "a.png", "b.png"])
    monkeypatch.setattr(_cases, "ignores_capitals", lambda folder: is_one)
    assert check_names(cases, tmp_path) == ([] if is_one else [["A", "a"]])
    assert list(cases.files) == (["b"] if is_one else ["A", "a", "b"])
    assert not is_one or "A, a would be one file" in cases.refused["a"]


def test_what_systems_leave_is_no_case(tmp_path):
    images = touch(tmp_path / "a", "c.nii", "Thumbs.db", "__MACOSX/._c.nii", "@eaDir/c.nii/x.jpg")
    cases = pair_volumes(images, touch(tmp_path / "b", "c.nii", "@eaDir/c.nii/x.jpg"))
    assert list(cases.files) == ["c"] and not cases.refused
    touch(tmp_path / "empty/__MACOSX", "x")
    with pytest.raises(ValueError, match="the folder is empty"):
        require_source(tmp_path / "empty")
