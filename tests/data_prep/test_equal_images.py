"""Equal images under two names: found by content, one patient where splits are drawn, refused where they are given."""

import json
import shutil

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from medkd.data import SPLITS, load_datalist
from medkd.data_prep import idrid
from medkd.data_prep._equal_images import equal_images, find_leaks, image_digest, merge_patients
from medkd.phantoms import make_idrid

from .own_volumes import entries, prepare, write_folders, write_table

SPLIT = {"training": ["c0", "c1", "c2"], "validation": ["c3"], "test": ["c4"]}


def split_of(folder):
    return {entry["case"]: split for split in SPLITS for entry in load_datalist(folder, split)}


def test_content_is_compared_and_images_without_content_are_not():
    image = np.arange(6, dtype=np.int16).reshape(2, 3)
    assert image_digest(image) == image_digest(np.asfortranarray(image.copy()))
    assert len({image_digest(x) for x in (image, image.T, image.reshape(3, 2), image.astype(np.uint8), image + 1)}) == 5
    assert image_digest(np.zeros((2, 2))) == image_digest(np.empty((0, 3))) == ""
    assert equal_images({"a": "", "b": "", "c": "1"}) == []


def test_patients_that_share_images_are_one_also_through_a_third():
    patients = {"a": "P1", "b": "P1", "c": "P2", "d": "P3", "e": "P4"}
    assert merge_patients([["a", "c"], ["c", "d"]], patients) == {"c": "P1", "d": "P1"}


def test_the_case_that_nothing_is_measured_on_is_the_leak():
    splits = {"training": ["a", "b"], "validation": ["c"], "test": ["d"]}
    leaks = find_leaks([["a", "c", "d"], ["b", "c"]], splits)
    assert set(leaks) == {"a", "b", "c"}
    assert "its image, of training, is the same as that of d, of test: a score on the one would be helped" in leaks["a"]


def copy_case(root, case, copy, suffix=".nii.gz", label=True):
    for name in ("images", "labels") if label else ("images",):
        image = nib.load(root / name / f"{case}.nii.gz")
        nib.save(nib.Nifti1Image(np.asanyarray(image.dataobj), image.affine), root / name / f"{copy}{suffix}")


@pytest.mark.parametrize("fold", range(3))
def test_a_scan_under_two_names_is_one_patient_where_the_split_is_drawn(tmp_path, fold, capsys):
    write_folders(tmp_path, 6)
    copy_case(tmp_path, "c2", "again", ".nii")
    # the same scan on other axes
    image, label = (nib.load(tmp_path / name / "c3.nii.gz") for name in ("images", "labels"))
    for name, scan in (("images", image), ("labels", label)):
        turned = scan.as_reoriented(np.array([[1, 1], [0, -1], [2, -1]]))
        nib.save(turned, tmp_path / name / "turned.nii.gz")
    prepare(tmp_path, split="random", fold=fold, folds=3)
    splits = split_of(tmp_path / "out")
    assert splits["c2"] == splits["again"] and splits["c3"] == splits["turned"] and len(splits) == 8
    assert entries(tmp_path / "out")["again"]["patient"] == entries(tmp_path / "out")["c2"]["patient"]
    sentence = "the same image under several names: again, c2; c3, turned"
    assert sentence in capsys.readouterr().err and sentence in (tmp_path / "out/report.md").read_text()


@pytest.mark.parametrize("kind", ["json", "csv"])
def test_a_file_that_puts_one_image_into_two_splits_is_refused(tmp_path, kind, capsys):
    write_folders(tmp_path, 5)
    shutil.copy(tmp_path / "images/c4.nii.gz", tmp_path / "images/c1.nii.gz")
    if kind == "json":
        split = tmp_path / "split.json"
        split.write_text(json.dumps(SPLIT))
    else:
        split = write_table(
            tmp_path, "patient,part\n" + "".join(f"{c},{s}\n" for s, cases in SPLIT.items() for c in cases)
        )
    message = (
        "1 of 5 cases refused, nothing was written: c1: its image, of training, is the same as that of c4, of test"
    )
    with pytest.raises(ValueError, match=message):
        prepare(tmp_path, split=split)
    assert not (tmp_path / "out").exists()
    summary = prepare(tmp_path, split=split, skip_bad=True)
    assert list(summary["refused"]) == ["c1"] and summary["cases"] == {"training": 2, "validation": 1, "test": 1}
    assert not list((tmp_path / "out").rglob("c1.*"))
    assert "- c1: its image, of training, is the same" in (tmp_path / "out/report.md").read_text()


def test_equal_images_within_one_split_of_a_file_stay(tmp_path):
    write_folders(tmp_path, 5)
    shutil.copy(tmp_path / "images/c1.nii.gz", tmp_path / "images/c0.nii.gz")
    (tmp_path / "split.json").write_text(json.dumps(SPLIT))
    assert prepare(tmp_path, split=tmp_path / "split.json")["refused"] == {}
    assert "the same image under several names: c0, c1" in (tmp_path / "out/report.md").read_text()


def test_a_picture_in_another_format_is_found_in_the_published_split(tmp_path):
    make_idrid(tmp_path / "raw", images=12, scale=0.02)
    files = sorted((tmp_path / "raw").rglob("*.jpg"))
    training, test = (next(file for file in files if word in str(file)) for word in ("Training", "Testing"))
    Image.open(training).save(test, format="BMP")  # pillow reads by content
    masks = {path.name: path for path in (tmp_path / "raw").rglob("*_OD.tif")}
    shutil.copy(masks[f"{training.stem}_OD.tif"], masks[f"{test.stem}_OD.tif"])
    with pytest.raises(
        ValueError, match=f"{training.stem}: its image, of .*, is the same as that of {test.stem}, of test"
    ):
        idrid.prepare(tmp_path / "raw", tmp_path / "out")
