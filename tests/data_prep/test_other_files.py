"""What lies in the folders of a source and is no case: named, and said where it stands for a case's file."""

import numpy as np
import pytest

from medkd.data_prep._other_files import other_files
from medkd.data_prep._pairing import pair_files
from medkd.data_prep._volume_pairing import pair_volumes
from medkd.io import PICTURES
from medkd.phantoms import write_dicom

from .own_volumes import touch


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("c1.nrrd.gz", "found c1.nrrd.gz: archive: unpack it"),
        ("c1_0000.mgz", "found c1_0000.mgz: FreeSurfer volume: convert it to .nii.gz"),
        ("c1.hdr", "found c1.hdr: Analyze or NIfTI pair: convert it to one .nii.gz"),
        ("C1.DCM", "found C1.DCM: one file of a DICOM series: give a folder for each series"),
        ("c1.npy", "found c1.npy: a suffix that is not read"),
        ("c1", "found c1: a suffix that is not read"),
    ],
)
@pytest.mark.parametrize("kind", ["image", "mask"])
def test_another_form_of_a_case_is_the_reason_of_its_refusal(tmp_path, capsys, kind, name, found):
    folders = touch(tmp_path / "images", "c2.nii"), touch(tmp_path / "labels", "c2.nii")
    is_mask = kind == "mask"
    touch(folders[is_mask], name)
    touch(folders[not is_mask], "c1.nii.gz")
    cases = pair_volumes(*folders)
    assert list(cases.files) == ["c2"]
    other = folders[not is_mask] / "c1.nii.gz"
    assert cases.refused == {"c1": f"{other} has no {kind} of the same name in {folders[is_mask]}; {found}"}
    assert capsys.readouterr().err == ""


def test_a_link_to_nothing_and_a_series_as_label_are_told(tmp_path):
    images, labels = touch(tmp_path / "images", "b.nii"), touch(tmp_path / "labels", "a.nii")
    (images / "a.nii").symlink_to("../.git/annex/objects/x")
    write_dicom(labels / "b", np.zeros((3, 3, 2)), np.eye(4))
    refused = pair_volumes(images, labels).refused
    assert refused["a"].endswith(
        "; found a.nii: link to a file that is not there: fetch it (git annex get, datalad get)"
    )
    assert refused["b"].endswith("; found b: DICOM series: convert it to one file such as .nii.gz")


def test_files_that_are_not_read_are_named_once(tmp_path, capsys):
    images = touch(
        tmp_path / "images", "a.mhd", "a.raw", "b.mgz", "c.nii", "readme.txt", "x.csv", ".DS_Store", "d/1.txt"
    )
    labels = touch(tmp_path / "images/labels", "a.nii", "b.mgz", "c.nii")
    assert sorted(pair_volumes(images, labels, is_case_folder=lambda folder: False).files) == ["a", "c"]
    assert capsys.readouterr().err.splitlines() == [
        "skipped: images/b.mgz, labels/b.mgz: FreeSurfer volume: convert it to .nii.gz",
        "skipped: images/d: folder without images",
        "skipped: images/readme.txt, images/x.csv: a suffix that is not read",
    ]


def test_pictures_are_told_as_well(tmp_path, capsys):
    images, masks = touch(tmp_path / "images", "a.png", "b.gif", "LICENSE"), touch(tmp_path / "masks", "a.png", "b.png")
    cases = pair_files(images, masks, (".png",), (".png",))
    assert list(cases.files) == ["a"] and cases.refused["b"].endswith("; found b.gif: a suffix that is not read")
    assert capsys.readouterr().err == "skipped: images/LICENSE: a suffix that is not read\n"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("b.HEIC", "HEIF or AVIF picture: convert it to PNG"),
        ("b.svg", "drawing of lines: export it as PNG in the image's size"),
        ("b.nii.gz", "volume: for the task nifti"),
        ("b.zip", "archive: unpack it"),
    ],
)
def test_pictures_in_other_formats_are_named(tmp_path, name, found):
    images, masks = touch(tmp_path / "images", "a.gif", "b.webp"), touch(tmp_path / "masks", "a.jp2", name)
    cases = pair_files(images, masks, PICTURES, PICTURES)
    assert list(cases.files) == ["a"] and cases.refused["b"].endswith(f"; found {name}: {found}")


def test_data_of_a_header_are_no_other_files(tmp_path):
    assert other_files(touch(tmp_path, "a.nhdr", "a.raw.gz", "b.mha"), (".nhdr", ".mha")) == {}
