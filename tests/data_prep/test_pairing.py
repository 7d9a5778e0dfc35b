"""Pairing of files by name: partners, endings, channels."""

import re

import pytest

from medkd.data_prep._pairing import files_by_name, pair_files
from medkd.data_prep._volume_pairing import pair_volumes

from .own_volumes import entries, make_ct, only_line, prepare, run_command, save, touch, write_folders


def test_numbers_are_no_channels(tmp_path):
    for number in range(5):
        image, label = make_ct(number)
        save(tmp_path / f"images/scan_000{number}.nii.gz", image)
        save(tmp_path / f"labels/scan_000{number}_seg.nii.gz", label)
    prepare(tmp_path)
    assert sorted(entries(tmp_path / "out")) == [f"scan_000{number}" for number in range(5)]


def test_one_folder_for_both_needs_names_that_tell(tmp_path, capsys):
    for number in range(5):
        save(tmp_path / f"both/c{number}_0000.nii.gz", make_ct(number)[0])
        save(tmp_path / f"both/c{number}_seg.nii.gz", make_ct()[1])
    prepare(tmp_path, "one", images=tmp_path / "both", labels=tmp_path / "both")
    assert sorted(entries(tmp_path / "one")) == [f"c{number}" for number in range(5)]
    write_folders(tmp_path)
    assert run_command(tmp_path, "--images", tmp_path / "labels") in (1, 2)
    assert re.search("--images and --labels name the same folder .*labels: found c0, expected", only_line(capsys))


def test_files_by_name_are_in_natural_order_and_without_hidden_ones(tmp_path):
    folder = touch(tmp_path, "p10.png", "p2.PNG", "p2.jpg", ".p3.png", "notes.txt")
    (folder / "p4.png").mkdir()
    files = files_by_name(folder, (".png", ".jpg"))
    assert list(files) == ["p2", "p10"] and [path.name for path in files["p2"]] == ["p2.PNG", "p2.jpg"]


def test_pair_files_refuses_what_has_no_partner_or_two(tmp_path):
    images = touch(tmp_path / "images", "1.png", "2.png", "3.png", "3.jpg", "skipped.png")
    masks = touch(tmp_path / "masks", "1.png", "3.png", "4.png")
    cases = pair_files(
        images, masks, (".png", ".jpg"), (".png",), name=lambda stem: f"p{stem}", keep=lambda stem: stem.isdecimal()
    )
    assert cases.files == {"p1": ((images / "1.png",), masks / "1.png")}
    assert list(cases.patients) == ["p1", "p2", "p3", "p4"]
    assert (
        cases.refused["p2"] == f"{images}/2.png has no mask of the same name in {masks}: add it, or move the image away"
    )
    assert cases.refused["p3"] == f"several files of one name: {images}/3.jpg, {images}/3.png; keep one"
    assert (
        cases.refused["p4"] == f"{masks}/4.png has no image of the same name in {images}: add it, or move the mask away"
    )


def test_two_names_of_one_case_are_refused(tmp_path):
    images, masks = touch(tmp_path / "images", "1.png", "01.png"), touch(tmp_path / "masks", "1.png", "01.png")
    cases = pair_files(images, masks, (".png",), (".png",), name=lambda stem: str(int(stem)))
    assert not cases.files and re.fullmatch(
        r"two files in .*images stand for this case \(one is 0?1\); keep one", cases.refused["1"]
    )


def test_volumes_of_other_formats_are_named_with_what_to_do(tmp_path):
    """A second format of a case, and a stray volume: which of them counts is for the user to say."""
    images = touch(tmp_path / "images", "c0.nii.gz", "c1.nii.gz", "c1.nrrd", "c9.mha")
    labels = touch(tmp_path / "labels", "c0_seg.nrrd", "c1.nii.gz")
    cases = pair_volumes(images, labels)
    assert cases.files == {"c0": ((images / "c0.nii.gz",), labels / "c0_seg.nrrd")}
    assert cases.refused == {
        "c1": f"several files of one name: {images}/c1.nii.gz, {images}/c1.nrrd; keep one",
        "c9": f"{images}/c9.mha has no mask of the same name in {labels}: add it, or move the image away",
    }


def test_volumes_and_masks_in_one_folder_are_told_apart_by_their_endings(tmp_path):
    folder = touch(tmp_path / "both", "a_0000.nii.gz", "a_seg.nii.gz", "b_image.mha", "b_label.mha")
    assert {case: (one.name, other.name) for case, ((one,), other) in pair_volumes(folder, folder).files.items()} == {
        "a": ("a_0000.nii.gz", "a_seg.nii.gz"),
        "b": ("b_image.mha", "b_label.mha"),
    }
    touch(folder, "c.nii.gz")
    with pytest.raises(ValueError, match="name the same folder .*: found c, expected names that end in _0000"):
        pair_volumes(folder, folder)


def pictures_of(folder, images, labels):
    return pair_files(touch(folder / "a", *images), touch(folder / "b", *labels), (".png", ".jpg"), (".png",))


def test_a_channel_in_the_name_of_a_picture(tmp_path):
    cases = pictures_of(tmp_path, ["x_0000.png", "y.jpg", "z_0001.png"], ["x.png", "y.png", "z_0001.png"])
    assert sorted(cases.files) == ["x", "y", "z_0001"] and not cases.refused


@pytest.mark.parametrize("kind", [pictures_of, lambda *a: pair_volumes_of(*a)])
def test_channels_beside_each_other_are_no_cases(tmp_path, kind):
    suffix = ".png" if kind is pictures_of else ".nii.gz"
    images = [f"{name}{suffix}" for name in ("x_0000", "x_0001", "y", "y_0001", "z_0001", "w")]
    cases = kind(tmp_path, images, [f"{name}{suffix}" for name in "xyzw"])
    assert list(cases.files) == ["w"] and sorted(cases.refused) == ["x", "y", "z"]
    assert "2 channels (x_0000, x_0001), expected one image, x or x_0000" in cases.refused["x"]
    assert "1 channel (z_0001)" in cases.refused["z"]


def pair_volumes_of(folder, images, labels):
    return pair_volumes(touch(folder / "a", *images), touch(folder / "b", *labels))


def test_names_in_two_forms_of_unicode_are_one(tmp_path):
    cases = pictures_of(tmp_path, ["Mu\u0308ller.png"], ["M\u00fcller.png"])
    assert list(cases.files) == ["M\u00fcller"]
