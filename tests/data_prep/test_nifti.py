"""Preparation of own volumes: names, formats, decisions, splits, the report, every refusal, nothing half written."""

import gzip
import re

import nibabel as nib
import numpy as np
import pytest

from medkd.cli.main import main
from medkd.data import dataset_property, read_volume
from medkd.data_prep import _own_volumes, nifti
from medkd.phantoms import write_dicom

from .own_volumes import CT, entries, make_ct, make_mr, nan_case, only_line, prepare, run_command, save, write_folders


def test_ct_is_stored_as_it_is_and_a_window_proposed(tmp_path):
    write_folders(tmp_path)
    summary = prepare(tmp_path, classes="kidney,tumour")
    assert summary["cases"] == {"training": 3, "validation": 1, "test": 1}
    image, label = make_ct(3)
    entry = entries(tmp_path / "out")["c3"]
    found, affine = read_volume(entry["image"])
    turned = image.transpose(2, 1, 0)[::-1]
    assert found.dtype == np.int16 and np.array_equal(found, turned)
    assert np.array_equal(read_volume(entry["label"])[0], label.transpose(2, 1, 0)[::-1])
    assert nib.aff2axcodes(affine) == ("I", "P", "L") and entry["spacing"] == [3.0, 0.8, 0.8]
    found = {name: dataset_property(tmp_path / "out", name) for name in ("labels", "window", "per_case")}
    assert found["labels"] == {"0": "background", "1": "kidney", "2": "tumour"} and found["per_case"] is False
    low, high = found["window"]  # what is labelled lies at about 85 to 175
    assert (low % 10, high % 10) == (0, 0) and 20 <= low <= 60 and 210 <= high <= 240
    assert dataset_property(tmp_path / "out", "spacing_3d") == [3.0, 0.8, 0.8]
    assert dataset_property(tmp_path / "out", "patch_3d") == [16, 16, 16]
    assert dataset_property(tmp_path / "out", "image_size_2d") == [32, 32]


def test_mr_is_rescaled_case_by_case(tmp_path):
    write_folders(tmp_path, make=make_mr)
    prepare(tmp_path)
    assert dataset_property(tmp_path / "out", "per_case") is True
    assert dataset_property(tmp_path / "out", "window") == [0, 1000]
    assert dataset_property(tmp_path / "out", "labels") == {"0": "background", "1": "class_1", "2": "class_2"}
    for entry in entries(tmp_path / "out").values():
        found = np.percentile(read_volume(entry["image"])[0], [0.5, 99.5])
        np.testing.assert_allclose(found, [0, 1000], atol=1)


def test_what_the_user_says_holds(tmp_path):
    write_folders(tmp_path)
    prepare(tmp_path, modality="other", window=[10, 900.5], spacing=[2, 1, 1])
    properties = {name: dataset_property(tmp_path / "out", name) for name in ("per_case", "window", "spacing_3d")}
    assert properties == {"per_case": True, "window": [10, 900.5], "spacing_3d": [2, 1, 1]}
    write_folders(tmp_path / "mr", make=make_mr)
    prepare(tmp_path / "mr", modality="ct")
    stored = read_volume(entries(tmp_path / "mr/out")["c4"]["image"])[0]
    assert np.array_equal(stored, np.rint(make_mr(4)[0]).astype(np.int16).transpose(2, 1, 0)[::-1])


@pytest.mark.parametrize(("window", "per_case"), [([-150, 250], False), ([100, 2000], False), ([100, 900], True)])
def test_a_window_that_no_rescaled_case_has_is_one_of_hu(tmp_path, window, per_case):
    write_folders(tmp_path, make=make_mr)
    prepare(tmp_path, window=window)
    assert dataset_property(tmp_path / "out", "per_case") is per_case
    assert dataset_property(tmp_path / "out", "window") == window
    report = (tmp_path / "out/report.md").read_text()
    assert ("intensities: HU, kept (by your window)" in report) is not per_case
    nifti.prepare(tmp_path / "images", None, tmp_path / "alone", window=window, classes="a", unlabelled_only=True)
    assert dataset_property(tmp_path / "alone", "per_case") is per_case
    report = (tmp_path / "alone/report.md").read_text()
    assert f"intensities: {'each case is rescaled' if per_case else 'HU, kept (by your window)'}" in report


def test_values_become_classes_in_order(tmp_path):
    write_folders(tmp_path)
    for number in range(5):
        save(tmp_path / f"labels/c{number}.nii.gz", (make_ct()[1] == 2).astype(np.uint8) * 255)
    prepare(tmp_path)
    assert dataset_property(tmp_path / "out", "labels") == {"0": "background", "1": "foreground"}
    assert np.unique(read_volume(entries(tmp_path / "out")["c0"]["label"])[0]).tolist() == [0, 1]


def test_formats_and_names_may_be_mixed(tmp_path):
    image, label = make_ct()
    oblique = CT.copy()
    oblique[:2, :2] = 0.8 * np.array([[-0.8, 0.6], [-0.6, -0.8]])
    names = {
        "a_0000.nii.gz": "a.nrrd",
        "b_image.mha": "b_label.seg.nrrd",
        "c.mhd": "c_seg.nii",
        "d_IMG.nrrd": "d_mask.mha",
        "e": "e.nii.gz",
        "f_0000.nii": "f_0000.nii",
    }
    for number, (one, other) in enumerate(names.items()):
        image[0, 0, 0] = -1001 - number  # in the air: six equal images would be one patient
        if one == "e":
            write_dicom(tmp_path / "images/e", image, oblique)
        else:
            save(tmp_path / "images" / one, image, oblique)
        # as other programs would write the label: on the same grid, its axes turned
        turned = nib.Nifti1Image(label, oblique).as_reoriented([[1, -1], [0, 1], [2, -1]])
        save(tmp_path / "labels" / other, np.asarray(turned.dataobj), turned.affine)
    assert sum(prepare(tmp_path, folds=3)["cases"].values()) == 6
    found = entries(tmp_path / "out")
    assert sorted(found) == ["a", "b", "c", "d", "e", "f_0000"]
    stores = {key: [read_volume(entry[key]) for entry in found.values()] for key in ("image", "label")}
    for kind in stores.values():
        for array, affine in kind:
            body = kind[0][0] > -1000
            assert np.array_equal(array[body], kind[0][0][body])
            np.testing.assert_allclose(affine, kind[0][1], atol=1e-3)
    spot = np.argwhere(stores["label"][0][0] == 2).mean(0)
    np.testing.assert_allclose(
        stores["label"][0][1] @ [*spot, 1], oblique @ [*np.argwhere(label == 2).mean(0), 1], atol=1e-3
    )


def blocked(make):
    def spoil(root):
        write_folders(root, **make())

    return spoil


def without(name):
    def spoil(root):
        write_folders(root)
        (root / name).unlink()

    return spoil


def twice(root):
    write_folders(root)
    save(root / "images/c1_0000.nrrd", make_ct()[0])


def second_channel(root):
    write_folders(root)
    (root / "images/c1.nii.gz").rename(root / "images/c1_0000.nii.gz")
    save(root / "images/c1_0001.nii.gz", make_ct()[0])


def series(root):
    write_folders(root)
    (root / "images/c1.nii.gz").unlink()
    for name in ("thin", "thick"):
        write_dicom(root / "images/c1", make_ct()[0], CT, description=name, prefix=name)


def own_mask(root):
    write_folders(root)
    (root / "images/c1.nii.gz").unlink()
    (root / "images/c1.nii.gz").symlink_to(root / "labels/c1.nii.gz")


BAD_CASES = [
    (own_mask, "c1: .*images/c1.nii.gz and its mask .*labels/c1.nii.gz are the same file"),
    (blocked(nan_case), "c1: .*c1.nii.gz: NaN or infinite voxels"),
    (blocked(lambda: {"image": make_ct()[0][:-1]}), "c1: image .* and mask .* have different shapes"),
    (blocked(lambda: {"label_affine": CT + np.eye(4)[:, [3, 1, 2, 0]]}), "c1: affines .* differ by up to"),
    (
        blocked(lambda: {"image": np.stack([make_ct()[0]] * 2, -1)}),
        r"c1: .* has shape \(20, 24, 6, 2\), expected three axes",
    ),
    (blocked(lambda: {"image": make_ct()[0][..., 0]}), "c1: .* expected three axes"),
    (
        blocked(lambda: {"label": make_ct()[1] * np.float32(0.5)}),
        r"c1: label values of the mask .*c1.nii.gz: .* is not a whole number",
    ),
    (
        blocked(lambda: {"label": make_ct()[1].astype(np.int16) * 300}),
        r"c1: label values of the mask .*c1.nii.gz: .* outside 0 to 255",
    ),
    (blocked(lambda: {"image": make_ct()[0] * np.float32(200)}), "c1: HU of the image: .* outside -32768 to 32767"),
    (without("labels/c1.nii.gz"), "c1: .*c1.nii.gz has no mask of the same name"),
    (without("images/c1.nii.gz"), "c1: .*c1.nii.gz has no image of the same name"),
    (twice, "c1: several files of one name"),
    (second_channel, r"c1: 2 channels \(c1_0000, c1_0001\), expected one image"),
    (series, r"c1: .*2 DICOM series: thi.*\(6 files\)"),
]


@pytest.mark.parametrize(("spoil", "message"), BAD_CASES)
def test_bad_cases_are_one_line_and_nothing_is_written(tmp_path, capsys, spoil, message):
    spoil(tmp_path)
    assert run_command(tmp_path) in (1, 2)
    line = only_line(capsys)
    assert re.search(f"1 of [56] cases refused, nothing was written: {message}", line), line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images", "labels"]


def test_a_header_that_promises_too_much_is_one_bad_case(tmp_path, capsys):
    write_folders(tmp_path, 6)
    content = bytearray(gzip.decompress((tmp_path / "images/c1.nii.gz").read_bytes()))
    content[42:48] = np.array([32767] * 3, "<i2").tobytes()
    (tmp_path / "images/c1.nii.gz").write_bytes(gzip.compress(content))
    assert run_command(tmp_path, "--skip_bad", "True") == 0
    assert "(32767, 32767, 32767)" in dataset_property(tmp_path / "out", "refused")["c1"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--classes", "kidney"], r"1 name \(kidney\) for 2 values in the masks: 1 \(5 cases\), 2 \(5 cases\)"),
        (["--classes", "a,a"], "names must differ"),
        (["--classes", "organ,@tumour"], "classes: organ, @tumour: names must not begin with"),
        (["--classes", "all,b"], "neither empty, all nor background"),
        (["--window", "300", "-200"], r"--window: found \[300, -200\], expected the lowest and the highest intensity"),
        (["--window", "5"], "--window: found .*5.*, expected "),
        (["--spacing", "3", "0", "1"], "spacing: found 3 0 1, expected three lengths in mm"),
        (["--modality", "us"], "--modality: found 'us', expected one of ct, other"),
        (["--split", "none.csv"], "none.csv.*: no such file"),
        (["--fold", "7"], "--fold 7: found 5 folds, expected 0 to 4"),
        (["--seed", "1", "stray"], "unexpected positional argument"),
        (["--windows", "1"], r"unknown option\(s\): --windows \(did you mean --window"),
    ],
)
def test_bad_options(tmp_path, capsys, options, message):
    write_folders(tmp_path)
    assert run_command(tmp_path, *options) in (1, 2)
    assert re.search(message, only_line(capsys))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images", "labels"]


@pytest.mark.parametrize("missing", ["images", "labels", "dataset_dir"])
def test_what_the_command_needs(missing, capsys):
    words = [w for name in ("images", "labels", "dataset_dir") if name != missing for w in (f"--{name}", "x")]
    assert main(["prepare", "nifti", *words]) in (1, 2)
    assert f"medkd prepare nifti needs --{missing}" in only_line(capsys)


def test_lists_by_words_or_as_a_list_and_the_report_is_printed(tmp_path, capsys):
    write_folders(tmp_path)
    options = [
        "--window",
        "-200",
        "300",
        "--spacing",
        "[3, 0.5, 0.5]",
        "--split",
        "sorted",
        "--classes",
        "kidney",
        "tumour",
    ]
    assert run_command(tmp_path, *options) == 0
    assert dataset_property(tmp_path / "out", "window") == [-200, 300]
    assert dataset_property(tmp_path / "out", "spacing_3d") == [3, 0.5, 0.5]
    said = capsys.readouterr().out
    assert "# 5 cases: 3 training, 1 validation, 1 test" in said and "window: -200 to 300 (as you said" in said
    assert run_command(tmp_path, "--overwrite") == 0
    assert run_command(tmp_path) in (1, 2)
    assert "holds a prepared data set already: rename it, name another folder, or" in capsys.readouterr().err


def test_masks_without_labels_or_a_class_outside_of_training(tmp_path, monkeypatch):
    write_folders(tmp_path)
    monkeypatch.setattr(_own_volumes, "store_volumes", None)  # before any volume is written
    for number in range(5):
        save(tmp_path / f"labels/c{number}.nii.gz", make_ct()[1] * (number == 0))
    with pytest.raises(ValueError, match=r"no training case has class_1 \(label value 1\)"):
        prepare(tmp_path)  # sorted: c0 is the test case
    save(tmp_path / "labels/c0.nii.gz", make_ct()[1] * 0)
    with pytest.raises(ValueError, match="no mask holds a value above 0"):
        prepare(tmp_path)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("file", "found"), [("notes.txt", "a suffix that is not read"), ("a.png", "picture: for the task pictures")]
)
def test_a_folder_without_a_volume_is_told(tmp_path, capsys, file, found):
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).touch()
    words = ["--images", tmp_path / "images", "--labels", tmp_path / "labels", "--dataset_dir", tmp_path / "data"]
    assert main(["prepare", "nifti", *map(str, words)]) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert f"images: found {file} ({found}), expected volumes (.nii.gz" in line
