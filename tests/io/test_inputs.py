"""The images of a folder, and the names of their cases."""

import pytest

from medkd.io import case_name, find_images


@pytest.mark.parametrize(
    ("name", "case"),
    [
        ("case_00000.nii.gz", "case_00000"),
        ("a.b.nii", "a.b"),
        ("Frame 1.PNG", "Frame 1"),
        ("x.tif", "x"),
        ("case_7/imaging.nii.gz", "case_7"),
    ],
)
def test_case_names(name, case):
    assert case_name(f"/some/folder/{name}") == case


def test_kits19_cases_are_found_in_their_folders_and_nothing_is_overwritten(tmp_path):
    for case in ("case_1", "case_2"):
        (tmp_path / "in" / case).mkdir(parents=True)
        (tmp_path / "in" / case / "imaging.nii.gz").touch()
    found = find_images(tmp_path / "in", (".nii.gz", ".nii"), tmp_path / "out")
    assert [item["case"] for item in found] == ["case_1", "case_2"]
    (tmp_path / "out").mkdir()
    (tmp_path / "out/case_2.nii.gz").touch()
    with pytest.raises(FileExistsError, match="case_2.nii.gz is there already: choose another folder"):
        find_images(tmp_path / "in", (".nii.gz", ".nii"), tmp_path / "out")


def test_files_are_found_by_suffix_and_sorted(tmp_path):
    for name in ("b.nii.gz", "a.nii", "notes.txt", ".hidden.nii.gz"):
        (tmp_path / name).touch()
    found = find_images(tmp_path, (".nii.gz", ".nii"), tmp_path / "out")
    assert [item["case"] for item in found] == ["a", "b"]
