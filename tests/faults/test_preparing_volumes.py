"""Faults of raw volumes: each names the case, what was found and what was expected; nothing is written."""

import gzip
import json
import shutil
import struct

import nibabel as nib
import numpy as np
import pytest

from medkd.data import read_volume

IMAGE, LABEL = "imagesTr/c1.nii.gz", "labelsTr/c1.nii.gz"
SHAPE = (12, 12, 6)


def bytes_of(name, change):
    """Changes the bytes of a file of case c1."""

    def spoil(folder, volume):
        path = folder / name
        path.write_bytes(change(path.read_bytes()))

    return spoil


def array_of(name, make, affine=None):
    """Puts another array, or affine, in the place of a file of case c1."""

    def spoil(folder, volume):
        old = nib.load(folder / name)
        array = make(np.asarray(old.dataobj))
        volume(folder / name, array, old.affine if affine is None else affine)

    return spoil


def with_voxel(value, dtype):
    def change(array):
        array = array.astype(dtype)
        array[1, 2, 3] = value
        return array

    return change


def flipped_byte(content):
    return content[:-30] + bytes([content[-30] ^ 255]) + content[-29:]


def huge_header(content):
    plain = bytearray(gzip.decompress(content))
    plain[42:48] = struct.pack("<3h", 32000, 32000, 32000)
    return gzip.compress(bytes(plain))


def zero_spacing(folder, volume):
    """As a scanner's broken export has it: the header's own words, which nibabel would not write."""
    path = folder / IMAGE
    plain = bytearray(gzip.decompress(path.read_bytes()))
    plain[280:328] = struct.pack("<12f", *[0.0, 0, 0, 0, 0, -1, 0, 0, 0, 0, 2, 0])  # the sform's rows
    path.write_bytes(gzip.compress(bytes(plain)))


def folder_in_its_place(folder, volume):
    (folder / IMAGE).unlink()
    (folder / IMAGE).mkdir()


def link_to(name):
    def spoil(folder, volume):
        (folder / IMAGE).unlink()
        (folder / IMAGE).symlink_to(name)

    return spoil


def other_suffix(folder, volume):
    (folder / IMAGE).rename(folder / "imagesTr/c1.jpg")


def remove(name):
    return lambda folder, volume: (folder / name).unlink()


UNREADABLE = "c1: .*(imagesTr|labelsTr)/c1.nii.gz is unreadable or truncated"
OTHER_AFFINE = np.diag([1.0, 1.0, 2.0, 1.0])
REFUSED_CASES = {
    "truncated": (bytes_of(IMAGE, lambda b: b[:-200]), UNREADABLE),
    "truncated mask": (bytes_of(LABEL, lambda b: b[:-20]), UNREADABLE),
    "empty": (bytes_of(IMAGE, lambda b: b""), "c1: .*c1.nii.gz: found an empty file"),
    "not an image": (
        bytes_of(IMAGE, lambda b: b"no image at all " * 40),
        "c1: .*c1.nii.gz: found text .*expected NIfTI",
    ),
    "text in gzip": (
        bytes_of(IMAGE, lambda b: gzip.compress(b"no image at all " * 40)),
        "c1: .*c1.nii.gz: found text .* inside gzip, expected NIfTI",
    ),
    "damaged byte": (bytes_of(IMAGE, flipped_byte), UNREADABLE),
    "a header of terabytes": (bytes_of(IMAGE, huge_header), r"c1: .*the header says shape \(32000, 32000, 32000\)"),
    "wrong suffix": (other_suffix, "c1: .*labelsTr/c1.nii.gz has no image of the same name in .*imagesTr"),
    "a folder in its place": (folder_in_its_place, "c1.*: .*(no image of the same name|no DICOM series in it)"),
    "symlink loop": (link_to("c1.nii.gz"), "c1: .*labelsTr/c1.nii.gz has no image of the same name"),
    "broken link": (link_to("nowhere"), "c1: .*labelsTr/c1.nii.gz has no image of the same name"),
    "no mask": (remove(LABEL), "c1: .*imagesTr/c1.nii.gz has no mask of the same name in .*labelsTr"),
    "no image": (remove(IMAGE), "c1: .*labelsTr/c1.nii.gz has no image of the same name in .*imagesTr"),
    "mask of another shape": (
        array_of(LABEL, lambda a: a[..., :5]),
        r"c1: image \(.*\) and mask \(.*\) have different shapes",
    ),
    "mask on another grid": (
        array_of(LABEL, lambda a: a, OTHER_AFFINE),
        r"c1: affines of image and mask differ by up to \d+: corners lie .*tolerance 0.25",
    ),
    "zero spacing": (zero_spacing, "c1: .*c1.nii.gz has an affine without a volume"),
    "2-D NIfTI": (array_of(IMAGE, lambda a: a[..., 0]), r"c1: .*has shape \(12, 12\), expected three axes"),
    "4-D": (
        array_of(IMAGE, lambda a: np.stack([a, a], -1)),
        r"c1: .*has shape \(12, 12, 6, 2\), expected three axes",
    ),
    "NaN": (array_of(IMAGE, with_voxel(np.nan, np.float32)), "c1: .*NaN or infinite voxels"),
    "Inf": (array_of(IMAGE, with_voxel(np.inf, np.float32)), "c1: .*NaN or infinite voxels"),
    "constant": (array_of(IMAGE, lambda a: a * 0 + 7), "c1: .*every voxel is 7, expected an image"),
    "complex numbers": (
        array_of(IMAGE, lambda a: a.astype(np.complex64)),
        "c1: .*type complex64 .*expected real numbers",
    ),
    "HU that are none": (array_of(IMAGE, with_voxel(70000, np.int32)), "c1: HU of the image: 70000 is outside -32768"),
    "NaN in the mask": (array_of(LABEL, with_voxel(np.nan, np.float32)), "c1: .*mask .*: NaN or infinite values"),
    "soft mask": (array_of(LABEL, with_voxel(0.5, np.float32)), "c1: .*mask .*: 0.5 is not a whole number"),
    "negative label": (array_of(LABEL, with_voxel(-1, np.int16)), "c1: .*mask .*: -1 is outside 0 to 255"),
    "label above 255": (array_of(LABEL, with_voxel(300, np.int16)), "c1: .*mask .*: 300 is outside 0 to 255"),
}


def words(task, pairs, target):
    if task == "kits19":
        return [task, "--source", pairs, "--dataset_dir", target]
    return [task, "--images", pairs / "imagesTr", "--labels", pairs / "labelsTr", "--dataset_dir", target]


@pytest.mark.parametrize("task", ["kits19", "nifti"])
@pytest.mark.parametrize("name", REFUSED_CASES)
def test_a_case_that_cannot_be_used(name, task, pairs, volume, refused, tmp_path):
    spoil, message = REFUSED_CASES[name]
    spoil(pairs, volume)
    line = refused(message, "prepare", *words(task, pairs, tmp_path / "new" / "data"))
    assert "1 of 5 cases refused, nothing was written" in line or "1 of 6" in line


def test_an_extra_label_value(pairs, volume, refused, tmp_path):
    array_of(LABEL, with_voxel(7, np.uint8))(pairs, volume)
    refused(
        r"c1: label values \[7\] .*expected only \[0, 1, 2\]", "prepare", *words("kits19", pairs, tmp_path / "data")
    )
    named = [*words("nifti", pairs, tmp_path / "data"), "--classes", "kidney,tumour"]
    refused(r"classes: 2 names \(kidney, tumour\) for 3 values in the masks: .*7 \(c1\)", "prepare", *named)


def test_masks_that_lack_a_label(pairs, volume, refused, works, tmp_path):
    for path in (pairs / "labelsTr").iterdir():
        volume(path, (np.asarray(nib.load(path).dataobj) > 0).astype(np.uint8))
    options = words("kits19", pairs, tmp_path / "data")
    refused(r"no mask holds the value 2 \(tumour\), nothing was written", "prepare", *options)
    works("prepare", *options, "--label_values", "tumour")


def test_masks_without_any_label(pairs, volume, refused, tmp_path):
    for path in (pairs / "labelsTr").iterdir():
        volume(path, np.zeros(SHAPE, np.uint8))
    refused("no mask holds a value above 0", "prepare", *words("nifti", pairs, tmp_path / "data"))


def test_every_refused_case_is_listed(pairs, volume, tmp_path, capfd):
    from medkd.cli.main import main

    (pairs / LABEL).unlink()
    (pairs / "imagesTr/c3.nii.gz").write_bytes(b"")
    assert main(["prepare", *map(str, words("kits19", pairs, tmp_path / "data"))]) in (1, 2)
    lines = capfd.readouterr().err.splitlines()
    assert "2 of 5 cases refused, nothing was written" in lines[0]
    assert [line.split(":")[0] for line in lines[1:]] == ["c1", "c3"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["raw"]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (shutil.rmtree, "--source .*raw: no such folder"),
        (lambda folder: [f.unlink() for f in folder.rglob("*.nii.gz")], ".*raw: no cases found"),
        (lambda folder: [shutil.rmtree(f) for f in folder.iterdir()], "--source .*raw: the folder is empty"),
    ],
    ids=["gone", "no cases", "empty"],
)
def test_a_source_that_holds_nothing(spoil, message, pairs, refused, tmp_path):
    spoil(pairs)
    refused(message, "prepare", *words("kits19", pairs, tmp_path / "data"))


def test_a_source_that_is_a_file(pairs, refused, tmp_path):
    refused("c1.nii.gz: .*folder", "prepare", "kits19", "--source", pairs / IMAGE, "--dataset_dir", tmp_path / "data")


@pytest.mark.parametrize("option", ["images", "labels"])
def test_own_volumes_name_the_option_of_a_missing_folder(option, pairs, refused, tmp_path):
    options = {"images": pairs / "imagesTr", "labels": pairs / "labelsTr", option: tmp_path / "nowhere"}
    given = [word for name, value in options.items() for word in (f"--{name}", value)]
    refused(f"--{option} .*nowhere: no such folder", "prepare", "nifti", *given, "--dataset_dir", tmp_path / "data")


def test_images_and_labels_the_wrong_way_round(pairs, refused, tmp_path):
    given = ["--images", pairs / "labelsTr", "--labels", pairs / "imagesTr", "--dataset_dir", tmp_path / "data"]
    refused("are --images and --labels exchanged", "prepare", "nifti", *given)


SPLITS = {
    "a case in two splits": (
        {"training": ["c0", "c1", "c2"], "validation": ["c3"], "test": ["c4", "c1"]},
        "split.json: listed more than once: c1",
    ),
    "an empty split": (
        {"training": ["c0", "c1", "c2"], "validation": [], "test": ["c4"]},
        "split.json: 'validation' must be a list of at least one case name",
    ),
    "no such split": (
        {"training": ["c0"], "validation": ["c3"]},
        "split.json: found training, validation, expected test too",
    ),
    "unknown names": (
        {"training": ["c0", "x9"], "validation": ["c3"], "test": ["c4"]},
        "split.json: no such case: x9",
    ),
    "a list": (["c0", "c1"], "split.json: holds a list, expected an object with training, validation, test"),
}


@pytest.mark.parametrize("name", SPLITS)
def test_splits(name, pairs, refused, tmp_path):
    content, message = SPLITS[name]
    (tmp_path / "split.json").write_text(json.dumps(content))
    options = [*words("kits19", pairs, tmp_path / "data"), "--split", tmp_path / "split.json"]
    refused(message, "prepare", *options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--split", "nowhere.json"], "--split nowhere.json: neither random nor sorted nor an existing JSON file"),
        (["--fold", 5], "--fold 5: found 5 folds, expected 0 to 4"),
        (["--folds", 9], "5 patients cannot be split into 9 folds.*expected at least 9"),
        (["--seed", "one"], "--seed: found 'one', expected a number"),
        (["--fold", -1], "fold: found -1, expected a whole number from 0 on"),
        (["--overwrite", "yes"], "--overwrite: found 'yes', expected True or False"),
        (["--target", "tumour"], r"unknown option\(s\): --target"),
        (["--sorce", "x"], r"unknown option\(s\): --sorce \(did you mean --source"),
        (["stray"], "unexpected positional argument"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)
def test_options(options, message, pairs, refused, tmp_path):
    refused(message, "prepare", *words("kits19", pairs, tmp_path / "data"), *options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--window", 300, -200], r"--window: found \[300, -200\], expected the lowest and the highest"),
        (["--window", "wide"], r"--window: found \[.wide.\], expected the lowest and the highest"),
        (["--spacing", 1, 0, 1], "spacing: found 1 0 1, expected three lengths in mm"),
        (["--modality", "CT"], "--modality: found 'CT', expected one of ct, other"),
        (["--classes", "a,a"], "classes: a, a: names must differ"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)
def test_options_of_own_volumes(options, message, pairs, refused, tmp_path):
    refused(message, "prepare", *words("nifti", pairs, tmp_path / "data"), *options)


def test_a_source_must_be_named(refused, tmp_path):
    refused("medkd prepare kits19 needs --dataset_dir", "prepare", "kits19", "--source", tmp_path)


def test_a_second_preparation_into_the_folder(pairs, works, refused, tmp_path):
    options = words("kits19", pairs, tmp_path / "data")
    works("prepare", *options)
    refused("holds a prepared data set already: rename it, name another folder, or", "prepare", *options)
    (tmp_path / "data/notes.txt").write_text("mine")
    refused("holds notes.txt, expected a prepared data set alone", "prepare", *options, "--overwrite", "True")


def test_a_target_that_holds_something_else(pairs, refused, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/thesis.tex").write_text("mine")
    refused("data: not empty and no prepared data set", "prepare", *words("kits19", pairs, tmp_path / "data"))
    (tmp_path / "file").write_text("mine")
    refused("file: is a file, expected a folder", "prepare", *words("kits19", pairs, tmp_path / "file"))
    refused("holds the source", "prepare", *words("kits19", pairs, tmp_path))


def test_what_a_killed_preparation_left_is_removed(pairs, works, tmp_path):
    (tmp_path / ".data.partial-4242").mkdir()
    (tmp_path / ".data.partial-4242/imagesTr").mkdir()
    works("prepare", *words("kits19", pairs, tmp_path / "data"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "raw"]


def turned(angle):
    affine = np.eye(4)
    affine[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return affine


@pytest.mark.parametrize("task", ["kits19", "nifti"])
@pytest.mark.parametrize(
    ("affine", "lengths"),
    [
        (turned(0.3) @ np.diag([1.5, 1.5, 2, 1]), [2, 1.5, 1.5]),
        (np.array([[0, 0, 3.0, 0], [1, 0, 0, 0], [0, -2.0, 0, 0], [0, 0, 0, 1]]), [2, 1, 3]),
    ],
    ids=["oblique", "sagittal"],
)
def test_any_orientation_is_fine(affine, lengths, task, pairs, volume, works, tmp_path):
    for folder in ("imagesTr", "labelsTr"):
        old = nib.load(pairs / folder / "c1.nii.gz")
        volume(pairs / folder / "c1.nii.gz", np.asarray(old.dataobj), affine)
    works("prepare", *words(task, pairs, tmp_path / "data"))
    image, stored = read_volume(tmp_path / "data/imagesTr/c1.b2nd")
    datalist = json.loads((tmp_path / "data/datalist.json").read_text())
    entry = next(e for split in ("training", "validation", "test") for e in datalist[split] if e["case"] == "c1")
    assert entry["spacing"] == pytest.approx(lengths)
    assert nib.aff2axcodes(stored) == ("I", "P", "L")
    # the same voxels at the same places in mm
    raw = nib.load(pairs / IMAGE)
    place = nib.affines.apply_affine(np.linalg.inv(stored), nib.affines.apply_affine(raw.affine, [2, 5, 3]))
    assert image[tuple(np.rint(place).astype(int))] == np.asarray(raw.dataobj)[2, 5, 3]
    assert np.array_equal(np.sort(image, None), np.sort(np.asarray(raw.dataobj), None))


@pytest.mark.parametrize("task", ["kits19", "nifti"])
def test_names_with_spaces_and_other_letters(task, pairs, works, tmp_path):
    home = tmp_path / "Präparate von Łódź 日本"
    shutil.move(pairs, home)
    for folder in ("imagesTr", "labelsTr"):
        (home / folder / "c1.nii.gz").rename(home / folder / "Fall eins äöü.nii.gz")
    works("prepare", *words(task, home, home / "fertig ü"))
    image, _ = read_volume(home / "fertig ü/imagesTr/Fall eins äöü.b2nd")
    assert image.shape == (6, 12, 12)


@pytest.mark.parametrize("task", ["kits19", "nifti"])
@pytest.mark.parametrize(
    ("shape", "stored"), [((12, 12, 1), (1, 12, 12)), ((1, 1, 6), (6, 1, 1)), ((12, 12, 6, 1), (6, 12, 12))]
)
def test_odd_shapes_are_fine(shape, stored, task, pairs, volume, works, tmp_path):
    generator = np.random.default_rng(1)
    image = generator.integers(-1000, 200, shape).astype(np.int16)
    volume(pairs / IMAGE, image)
    volume(pairs / LABEL, (image > 0).astype(np.uint8))
    works("prepare", *words(task, pairs, tmp_path / "data"))
    found, _ = read_volume(tmp_path / "data/imagesTr/c1.b2nd")
    assert found.shape == stored and np.array_equal(np.sort(found, None), np.sort(image, None))


@pytest.mark.parametrize("task", ["kits19", "nifti"])
@pytest.mark.parametrize("dtype", [np.int16, np.uint16], ids=["offset by 1024", "unsigned"])
def test_intensities_without_a_negative_are_warned_about(dtype, task, pairs, volume, works, tmp_path):
    old = nib.load(pairs / IMAGE)
    volume(pairs / IMAGE, (np.asarray(old.dataobj) + 1024).astype(dtype))
    (line,) = works("prepare", *words(task, pairs, tmp_path / "data")).strip().splitlines()
    assert line.startswith("medkd: warning: ") and "c1: no voxel is below 0" in line and "1024" in line
    found, _ = read_volume(tmp_path / "data/imagesTr/c1.b2nd")
    assert found.min() >= 0  # taken as they are
