"""The images of a folder, and the names of their cases."""

import re

import numpy as np
import pytest

from medkd.io import PICTURES, VOLUMES, case_name, find_images, find_pictures, find_volumes, inputs
from medkd.phantoms import write_dicom


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


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def found_and_said(folder, capsys, suffixes=VOLUMES, series=True):
    found = find_images(folder, suffixes, folder / "out", series=series)
    return [item["image"].removeprefix(f"{folder}/") for item in found], capsys.readouterr().err.splitlines()


@pytest.mark.parametrize(
    ("names", "found", "said"),
    [
        (["a.nii.gz", "a_seg.nii.gz"], ["a.nii.gz"], "skipped: a_seg.nii.gz: label maps beside their images"),
        (["a_0000.nii", "a_mask.nii"], ["a_0000.nii"], "skipped: a_mask.nii: label maps beside their images"),
        (["a.nrrd", "a.seg.nrrd"], ["a.nrrd"], "skipped: a.seg.nrrd: label maps beside their images"),
        (["volume-3.nii", "segmentation-3.nii"], ["volume-3.nii"], "skipped: segmentation-3.nii: label maps"),
        (["imaging.nii.gz", "segmentation.nii.gz"], ["imaging.nii.gz"], "skipped: segmentation.nii.gz: label maps"),
        (["a_0000.mha", "a_0001.mha", "b_0000.mha", "b_0001.mha"], ["a_0000.mha", "b_0000.mha"], "further channels"),
        (["img0001.nii", "label0001.nii"], ["img0001.nii"], "skipped: label0001.nii: label maps beside their images"),
        (["a.nii", "a-label.nii"], ["a.nii"], "skipped: a-label.nii: label maps beside their images"),
        (["a.nii", "a.seg.nii"], ["a.nii"], "skipped: a.seg.nii: label maps beside their images"),
        (["a_GT.nii", "a_image.nii"], ["a_image.nii"], "skipped: a_GT.nii: label maps beside their images"),
        (["mask_a.nii", "scan_a.nii"], ["scan_a.nii"], "skipped: mask_a.nii: label maps beside their images"),
        (["image.nii", "label.nii"], ["image.nii"], "skipped: label.nii: label maps beside their images"),
        (["a-seg.nii", "a-t1c.nii", "a-t2w.nii"], ["a-t1c.nii", "a-t2w.nii"], "skipped: a-seg.nii: label maps beside"),
        (["a_0000.nii", "a_0001.nii", "b_0000.nii"], ["a_0000.nii", "b_0000.nii"], "skipped: a_0001.nii: further chan"),
        (
            ["a_0000.nii", "a_0001.nii", "b.nii"],
            ["a_0000.nii", "b.nii"],
            "skipped: a_0001.nii: further channels beside",
        ),
        (["a.nii", "b.nrrd.gz"], ["a.nii"], "skipped: b.nrrd.gz: archive: unpack it"),
        (["a.nii", "s0.raw"], ["a.nii"], "skipped: s0.raw: voxels alone, read where a header (.mhd, .nhdr) names them"),
        (["a.nii", "notes.txt", "b.csv"], ["a.nii"], "skipped: b.csv, notes.txt: a suffix that is not read"),
        (
            ["a.nii", "b.hdr", "b.img"],
            ["a.nii"],
            "skipped: b.hdr, b.img: Analyze or NIfTI pair: convert it to one .nii.gz",
        ),
        (["a.nii", "b.mgz"], ["a.nii"], "skipped: b.mgz: FreeSurfer volume: convert it to .nii.gz"),
        (["a.nii", "._a.nii"], ["a.nii"], "skipped: ._a.nii: hidden file"),
        (["a.nii", "sub/b.nii"], ["a.nii"], "skipped: sub: folder with images: give it as the input"),
        (["a.nii", "sub/x/b.nii"], ["a.nii"], "skipped: sub: folder with images further down (.*/sub/x): give it as"),
        (["a.nii", "notes/b.txt"], ["a.nii"], "skipped: notes: folder without images"),
    ],
)
def test_what_is_skipped_is_said(tmp_path, capsys, names, found, said):
    files, lines = found_and_said(touch(tmp_path, *names), capsys)
    assert files == found and len(lines) == 1
    assert re.match(re.escape(said).replace(r"\.\*", ".*"), lines[0]) or said in lines[0]


@pytest.mark.parametrize(
    "names",
    [
        [f"scan_{number:04}.nii" for number in range(6)],
        ["a_seg.nii", "b_seg.nii"],
        ["a_mask.nii", "a_seg.nii", "img_0001.nii", "img_0002.nii", "label0003.nii", "maskA.nii", "segment_1.nii"],
        ["a.mhd", "a.raw", "b.nhdr", "b.raw.gz", "c.mhd", "c.zraw", ".DS_Store", "Thumbs.db", "out/old.nii.gz"],
        ["case_1/imaging.nii.gz", "case_2/imaging.nii.gz"],
    ],
)
def test_nothing_is_said_of_plain_folders(tmp_path, capsys, names):
    files, lines = found_and_said(touch(tmp_path, *names), capsys)
    images = [name for name in names if name.endswith(VOLUMES) and not name.startswith("out/")]
    assert (files, lines) == (images, [])


def test_a_further_channel_without_the_first_one_is_named(tmp_path, capsys):
    names = ["a_0000.nii", "a_0001.nii", "b_0001.nii"]
    files, lines = found_and_said(touch(tmp_path, *names), capsys)
    assert files == ["a_0000.nii"] and len(lines) == 2
    assert lines[1].startswith("skipped: b_0001.nii: further channels without the first one (_0000); were they cases")


def test_series_and_what_lies_beside_them(tmp_path, capsys):
    for name in ("a", "study/b"):
        write_dicom(tmp_path / name, np.zeros((3, 3, 2)), np.eye(4))
    files, lines = found_and_said(tmp_path, capsys)
    assert files == ["a"] and lines == [
        f"skipped: study: folder with DICOM series further down ({tmp_path}/study/b): give their parent folder"
    ]
    files, lines = found_and_said(touch(tmp_path / "a", "notes.txt"), capsys)
    assert len(files) == 1 and lines == []  # the reader of the series tells


def test_pictures_have_no_channels_but_masks(tmp_path, capsys):
    names = ["f_0000.png", "f_0001.png", "x.jpg", "x_segmentation.png", "scan.nii.gz"]
    files, lines = found_and_said(touch(tmp_path, *names), capsys, PICTURES, series=False)
    assert files == ["f_0000.png", "f_0001.png", "x.jpg"]
    assert [line.partition(": ")[2].partition(":")[0] for line in lines] == ["x_segmentation.png", "scan.nii.gz"]


def test_a_folder_without_images_tells_what_it_holds(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file that ends in .*; found a.mgz: FreeSurfer volume"):
        find_images(touch(tmp_path, "a.mgz"), VOLUMES, tmp_path / "out", series=True)
    with pytest.raises(ValueError, match="a.mgz: FreeSurfer volume: convert it to .nii.gz, expected one of"):
        find_images(tmp_path / "a.mgz", VOLUMES, tmp_path / "out", series=True)


def test_names_that_differ_in_capitals_are_refused_where_they_are_one(tmp_path, capsys, monkeypatch):
    folder = touch(tmp_path / "in", "A.png", "a.png")
    assert len(find_pictures(folder, tmp_path / "out")) == 2
    assert "note: A, a: their names differ in capitals alone" in capsys.readouterr().err
    monkeypatch.setattr(inputs, "ignores_capitals", lambda folder: True)
    with pytest.raises(ValueError, match="A, a would give the same prediction file"):
        find_pictures(folder, tmp_path / "out")


@pytest.mark.parametrize("names", [["a_0000.nii", "a_0001.nii", "b_0001.nii"], ["a/t1.nii", "a/t2.nii", "b/t2.nii"]])
def test_a_case_that_lacks_a_channel_is_left_to_fail_by_itself(tmp_path, names):
    folder = touch(tmp_path / "in", *names)
    good, bad = find_images(folder, VOLUMES, tmp_path / "out", series=True, channels=["t1", "t2"])
    assert good == {"image": [str(folder / name) for name in names[:2]], "case": "a"}
    assert bad["case"] == "b" and bad["refused"].startswith(f"{folder / 'b'}: lacks the channel t1: found {folder}")


def test_following_the_advice_on_twins_works(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.nii", "a.nii.gz"):
        (folder / name).touch()
    with pytest.raises(
        ValueError, match="same prediction file: rename one of them, or predict each by its own --input"
    ):
        find_volumes(folder, tmp_path / "out")
    assert [find_volumes(folder / name, tmp_path / name)[0]["case"] for name in ("a.nii", "a.nii.gz")] == ["a", "a"]
    (folder / "a.nii").rename(folder / "b.nii")
    assert [item["case"] for item in find_volumes(folder, tmp_path / "out")] == ["a", "b"]
