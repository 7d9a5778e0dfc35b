"""Images without labels: stored as the data set's own, refused where they are validation's or test's, added safely."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medkd.cli.main import main
from medkd.data import load_datalist, load_unlabelled, read_volume
from medkd.data_prep import _unlabelled_store as store
from medkd.data_prep import cvc_endoscene, isic2018, nifti, pictures, unlabelled

from .own_pictures import numbered
from .own_volumes import CT, make_ct, make_mr, prepare, save, write_folders, write_table
from .test_channels import write_channels

PICTURE = np.random.default_rng(0).integers(0, 256, (32, 40, 3), dtype=np.uint8)


@pytest.fixture
def volumes(tmp_path):
    """Return a prepared data set of c0 to c4 (test: c0; validation: c1)."""
    write_folders(tmp_path)
    prepare(tmp_path)
    return tmp_path / "out"


def scans(folder, *seeds, name="u{}"):
    for seed in seeds:
        save(folder / f"{name.format(seed)}.nii.gz", make_ct(seed)[0])
    return folder


def snapshot(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def listed(folder):
    return {entry["case"]: entry for entry in load_unlabelled(folder)}


def write_pictures(root, count=6, first=0):
    for number in range(first, first + count):
        mask = np.zeros(PICTURE.shape[:2], np.uint8)
        mask[8:16, 8 : 12 + number % 4] = 255
        for folder, array in (("images", numbered(PICTURE, number)), ("labels", mask)):
            (root / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(root / folder / f"p{number}.png")
    return root


def write_images(folder, *numbers, name="q{}", form=lambda array: array, suffix="png"):
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        Image.fromarray(form(numbered(PICTURE, number))).save(folder / f"{name.format(number)}.{suffix}")
    return folder


def test_volumes_are_stored_as_the_labelled_ones_and_can_be_added_later(tmp_path, volumes, capsys):
    first = prepare(tmp_path, "both", unlabelled=scans(tmp_path / "new", 10, 11))
    assert first["unlabelled"] == 2 and first["cases"] == {"training": 3, "validation": 1, "test": 1}
    assert main(["prepare", "nifti", "--unlabelled", str(tmp_path / "new"), "--dataset_dir", str(volumes)]) == 0
    assert '"added": 2' in (printed := capsys.readouterr().out)
    assert "## Images without labels" in printed and "- 2 images, for training alone" in printed
    for folder in (volumes, tmp_path / "both"):
        entry = listed(folder)["u10"]
        assert set(entry) == {"image", "case", "patient", "spacing", "shape"}
        assert entry["spacing"] == [3.0, 0.8, 0.8] and entry["shape"] == [6, 24, 20]
        stored, affine = read_volume(entry["image"])
        assert np.array_equal(stored, make_ct(10)[0].transpose(2, 1, 0)[::-1])
        assert np.array_equal(affine, read_volume(load_datalist(folder, "test")[0]["image"])[1])
    assert json.loads((volumes / "report.json").read_text())["unlabelled"]["cases"].keys() == {"u10", "u11"}
    # what is prepared in one go and in two is equal
    assert json.loads((volumes / "datalist.json").read_text()) == json.loads(
        (tmp_path / "both/datalist.json").read_text()
    )


def test_a_second_addition_keeps_the_first(tmp_path, volumes):
    unlabelled.prepare(volumes, scans(tmp_path / "a", 10))
    summary = unlabelled.prepare(volumes, scans(tmp_path / "b", 10, 11, name="v{}"))
    assert summary["unlabelled"] == 2 and summary["added"] == 1
    assert list(listed(volumes)) == ["u10", "v11"]
    text = (volumes / "report.md").read_text()
    assert text.count("## Images without labels") == 1 and "- 2 images" in text and "v10 (= u10)" in text


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_an_image_of_validation_or_test_is_refused_by_content(tmp_path, volumes, suffix, capsys):
    before = snapshot(volumes)
    for seed, name in ((0, "x"), (1, "y"), (20, "z")):
        save(tmp_path / f"new/{name}{suffix}", make_ct(seed)[0])
    command = ["prepare", "nifti", "--unlabelled", str(tmp_path / "new"), "--dataset_dir", str(volumes)]
    assert main(command) in (1, 2)
    error = capsys.readouterr().err
    assert "2 of 3 images without labels refused" in error
    assert "x: its image is that of c0, of test" in error and "y: its image is that of c1, of validation" in error
    assert snapshot(volumes) == before
    assert main([*command, "--skip_bad", "True"]) == 0
    assert list(listed(volumes)) == ["z"]
    assert json.loads((volumes / "datalist.json").read_text())["refused"].keys() == {"x", "y"}


def test_training_images_and_repeated_ones_are_left_out_and_said(tmp_path, volumes, capsys):
    folder = scans(tmp_path / "new", 10)
    save(folder / "again.nii.gz", make_ct(10)[0])
    save(folder / "c3.nii.gz", make_ct(3)[0])
    save(folder / "other.nii.gz", make_ct(4)[0])
    unlabelled.prepare(volumes, folder)
    assert list(listed(volumes)) == ["again"]
    error = capsys.readouterr().err
    assert "c3, other (= c4): left out: the same image as a labelled training case" in error
    assert "u10 (= again): left out: the same image as another image without a label" in error
    assert sorted(path.name for path in (volumes / "imagesUnlabelled").iterdir()) == ["again.b2nd"]


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("c0", "its patient c0 is in test"),
        ("c1", "its patient c1 is in validation"),
        ("c3", "another image of training"),
    ],
)
def test_a_name_that_is_another_cases_is_refused(tmp_path, volumes, case, message):
    with pytest.raises(ValueError, match=f"{case}: {message}"):
        unlabelled.prepare(volumes, scans(tmp_path / "new", 30, name=case))


def test_labels_beside_the_images_are_not_read(tmp_path, volumes, capsys):
    folder = scans(tmp_path / "new", 10, 11, name="s{}_0000")
    for name in ("s10", "s11_seg"):
        (folder / f"{name}.nii.gz").write_bytes(b"no volume, and no one looks" if "seg" in name else b"")
    (folder / "s10.nii.gz").rename(folder / "s10_label.nii.gz")
    unlabelled.prepare(volumes, folder)
    assert list(listed(volumes)) == ["s10", "s11"]
    assert "label maps beside their images" in capsys.readouterr().err


def test_scans_of_kits19_and_test_images_of_nnunet_are_found(tmp_path, volumes):
    for seed in (10, 11):
        save(tmp_path / f"kits/case_{seed}/imaging.nii.gz", make_ct(seed)[0])
        save(tmp_path / f"kits/case_{seed}/segmentation.nii.gz", make_ct(seed)[1])
    unlabelled.prepare(volumes, tmp_path / "kits")
    unlabelled.prepare(volumes, scans(tmp_path / "imagesTs", 12, 13, name="h_{}_0000"))
    assert list(listed(volumes)) == ["case_10", "case_11", "h_12", "h_13"]


def test_several_channels_are_stored_by_the_rules_of_the_data_set(tmp_path):
    write_channels(tmp_path)
    prepare(tmp_path, channels="ct,t1,pet")
    for seed in (7, 8):
        for number, array in enumerate((make_ct(seed)[0], *(make_mr(seed + n)[0] for n in range(2)))):
            save(tmp_path / f"new/n{seed}_{number:04}.nii.gz", array)
    unlabelled.prepare(tmp_path / "out", tmp_path / "new")
    entry = listed(tmp_path / "out")["n8"]
    stored = [read_volume(path)[0] for path in entry["image"]]
    assert np.array_equal(stored[0], make_ct(8)[0].transpose(2, 1, 0)[::-1])
    np.testing.assert_allclose(np.percentile(stored[2], [0.5, 99.5]), [0, 1000], atol=1)
    (tmp_path / "new/n7_0001.nii.gz").unlink()
    with pytest.raises(ValueError, match="n7: .*lacks the channel t1"):
        unlabelled.prepare(tmp_path / "out", tmp_path / "new", workers=2)


def test_mr_is_compared_after_its_scale_is_taken_away(tmp_path):
    write_folders(tmp_path, make=make_mr)
    prepare(tmp_path)
    save(tmp_path / "new/scaled.nii.gz", make_mr(0)[0] * 3 + 11)
    with pytest.raises(ValueError, match="scaled: its image is that of c0, of test"):
        unlabelled.prepare(tmp_path / "out", tmp_path / "new")


def test_a_fault_changes_nothing(tmp_path, volumes, monkeypatch):
    unlabelled.prepare(volumes, scans(tmp_path / "first", 9))
    before = snapshot(volumes)
    scans(tmp_path / "new", 10, 11)

    def fail(*_):
        raise OSError("no space left")

    monkeypatch.setattr(store, "write_datalist", fail)
    with pytest.raises(OSError, match="no space left"):
        unlabelled.prepare(volumes, tmp_path / "new")
    assert snapshot(volumes) == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    (tmp_path / "new/u11.nii.gz").write_bytes(b"broken")
    with pytest.raises(ValueError, match="1 of 2 images without labels refused, nothing was written: u11"):
        unlabelled.prepare(volumes, tmp_path / "new")
    assert snapshot(volumes) == before


def test_the_wrong_data_set_or_folder_is_told_in_one_line(tmp_path, volumes, capsys):
    scans(tmp_path / "new", 10)
    for words, message in (
        (["kits19", "--unlabelled", tmp_path / "new", "--dataset_dir", volumes], "prepared for nifti, expected kits19"),
        (["nifti", "--unlabelled", tmp_path / "none", "--dataset_dir", volumes], "no such folder"),
        (["nifti", "--unlabelled", volumes / "imagesTr", "--dataset_dir", volumes], "expected a folder outside of it"),
        (["nifti", "--unlabelled", tmp_path / "new", "--dataset_dir", tmp_path / "new"], "no datalist.json in it"),
        (["nifti", "--unlabelled", tmp_path / "new", "--dataset_dir", tmp_path], "no datalist.json in it"),
        (["nifti", "--unlabelled", tmp_path, "--dataset_dir", volumes], "no file that ends in"),
        (["nifti", "--unlabelled", tmp_path / "new", "--dataset_dir", volumes, "--fold", "1"], "--fold: has no effect"),
        (["nifti", "--unlabelled", tmp_path / "new"], "needs --dataset_dir"),
    ):
        assert main(["prepare", *map(str, words)]) in (1, 2)
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1, error


def test_patients_of_a_table(tmp_path, capsys):
    write_folders(tmp_path, 6)
    rows = [f"c{number},P{number // 2},{('training', 'validation', 'test')[number // 2]}" for number in range(6)]
    others = ["u10,P0,", "u11,P9,unlabelled"]
    scans(tmp_path / "new", 10, 11, 12)
    table = write_table(tmp_path, "\n".join(["case,patient,part", *rows, *others]))
    arguments = {"split": table, "unlabelled": tmp_path / "new"}
    prepare(tmp_path, **arguments)
    assert {case: entry["patient"] for case, entry in listed(tmp_path / "out").items()} == {
        "u10": "P0",
        "u11": "P9",
        "u12": "u12",
    }
    assert f"not listed in {table}, each its own patient: u12" in capsys.readouterr().err
    for row, message in (
        ("u12,P2,", "u12: its patient P2 is in test"),
        ("u12,P9,test", "case u12: found part 'test', expected unlabelled"),
        ("u13,P9,", "no such case, with a label or without: u13"),
        ("u12,,", "no patient is named for u12"),
        ("u11,P9,", "listed more than once: u11"),
    ):
        write_table(tmp_path, "\n".join(["case,patient,part", *rows, *others, row]))
        with pytest.raises(ValueError, match=message):
            prepare(tmp_path, "again", **arguments)
    assert not (tmp_path / "again").exists()
    with pytest.raises(ValueError, match="no such case: u10"):  # no images without labels: its row is a mistake
        prepare(tmp_path, "again", split=table)


def test_a_name_that_begins_with_a_patients_name_is_that_patients(tmp_path, capsys):
    write_folders(tmp_path, 6)
    table = write_table(tmp_path, "\n".join(["case,patient", *(f"c{n},patient_{n}" for n in range(6))]))
    prepare(tmp_path, split=table)
    (test,) = load_datalist(tmp_path / "out", "test")[:1]
    scans(tmp_path / "new", 10, name="patient_77_slice_{}")
    unlabelled.prepare(tmp_path / "out", tmp_path / "new")
    scans(tmp_path / "more", 11, name=test["patient"] + "_slice_{}")
    with pytest.raises(ValueError, match=f"its patient {test['patient']} is in test"):
        unlabelled.prepare(tmp_path / "out", tmp_path / "more")


def test_pictures_take_the_form_and_the_size_of_the_data_set(tmp_path):
    write_pictures(tmp_path / "source")
    pictures.prepare(tmp_path / "source/images", tmp_path / "source/labels", tmp_path / "out", size=20, form="grey")
    write_images(tmp_path / "new", 50, 51)
    unlabelled.prepare(tmp_path / "out", tmp_path / "new")
    with Image.open(listed(tmp_path / "out")["q50"]["image"]) as stored:
        assert stored.mode == "L" and stored.size == (20, 16)
    write_images(tmp_path / "same", *range(6), name="r{}")
    with pytest.raises(ValueError, match=r"r\d: its image is that of p\d, of test"):
        unlabelled.prepare(tmp_path / "out", tmp_path / "same")


@pytest.mark.parametrize(
    ("form", "found"),
    [(lambda array: array[..., 0], "grey of 8 bit"), (lambda array: array[..., 0].astype(np.uint16), "grey of 16 bit")],
)
def test_a_picture_of_another_form_is_refused(tmp_path, form, found):
    write_pictures(tmp_path / "source")
    folders = (tmp_path / "source/images", tmp_path / "source/labels", tmp_path / "out")
    pictures.prepare(*folders)
    write_images(tmp_path / "new", 50, form=form)
    with pytest.raises(ValueError, match=f"found {found}, expected RGB as the data set has"):
        unlabelled.prepare(tmp_path / "out", tmp_path / "new")


def test_published_pictures_become_rgb_as_the_labelled_ones(tmp_path):
    source = write_pictures(tmp_path / "source", 8)
    (source / "labels").rename(source / "masks")
    new = write_images(tmp_path / "new", 50, form=lambda array: array[..., 0], suffix="jpg")
    write_images(new, 60, name="q{}_superpixels")
    isic2018.prepare(source, tmp_path / "out", split="random", unlabelled=new)
    with Image.open(listed(tmp_path / "out")["q50"]["image"]) as stored:
        assert stored.mode == "RGB"
    assert list(listed(tmp_path / "out")) == ["q50"]


def test_frames_of_a_sequence_of_test_are_a_leak(tmp_path):
    source = tmp_path / "source"
    for number in (1, 26, 51, 104, 178):
        (source / "images").mkdir(parents=True, exist_ok=True)
        (source / "masks").mkdir(exist_ok=True)
        Image.fromarray(numbered(PICTURE, number)).save(source / f"images/{number}.png")
        Image.fromarray((PICTURE[..., 0] > 250).astype(np.uint8) * 255).save(source / f"masks/{number}.png")
    new = write_images(tmp_path / "new", 27, 105, name="{}")
    cvc_endoscene.prepare(source, tmp_path / "out", unlabelled=new)
    assert {case: entry["patient"] for case, entry in listed(tmp_path / "out").items()} == {
        "cvc612_027": "cvc612_026-050",
        "cvc612_105": "cvc612_104-126",
    }
    write_images(tmp_path / "more", 2, 52, name="{}")
    with pytest.raises(ValueError, match="2 of 2 images without labels refused") as error:
        unlabelled.prepare(tmp_path / "out", tmp_path / "more")
    assert "cvc612_002: its patient cvc612_001-025 is in test" in str(error.value)


def test_overwrite_replaces_images_without_labels_too(tmp_path, volumes):
    unlabelled.prepare(volumes, scans(tmp_path / "new", 10))
    nifti.prepare(tmp_path / "images", tmp_path / "labels", volumes, overwrite=True)
    assert not (volumes / "imagesUnlabelled").exists() and load_unlabelled(volumes) == []


def test_odd_images_are_named_in_the_report(tmp_path, volumes):
    save(tmp_path / "new/thick.nii.gz", make_ct(10)[0], CT @ np.diag([1, 1, 3, 1]))
    save(tmp_path / "new/usual.nii.gz", make_ct(11)[0])
    shutil.copy(tmp_path / "new/usual.nii.gz", tmp_path / "new/usual_copy.nii.gz")
    unlabelled.prepare(volumes, tmp_path / "new")
    text = Path(volumes / "report.md").read_text()
    assert "odd: thick: spacing 9 x 0.8 x 0.8 mm, the others' median is 3 x 0.8 x 0.8" in text
    assert "odd: usual" not in text
