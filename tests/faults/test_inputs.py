"""Faults of the images that are handed to inference: the bad one is named, the others are done."""

import gzip
import re
import shutil

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from medkd.cli.main import main

SHAPE = (12, 12, 6)


def truncated(path, volume):
    path.write_bytes(path.read_bytes()[:-200])


def huge_header(path, volume):
    plain = bytearray(gzip.decompress(path.read_bytes()))
    plain[42:48] = np.array([32000] * 3, "<i2").tobytes()
    path.write_bytes(gzip.compress(bytes(plain)))


def voxel(value):
    def spoil(path, volume):
        image = np.zeros(SHAPE, np.float32)
        image[1, 2, 3] = value
        volume(path, image)

    return spoil


VOLUMES = {
    "truncated": (truncated, "c1.nii.gz is unreadable or truncated"),
    "empty": (lambda path, volume: path.write_bytes(b""), r"c1.nii.gz: found an empty file \(0 bytes\)"),
    "not an image": (
        lambda path, volume: path.write_text("no image " * 50),
        r"c1.nii.gz: found text \(.*\), expected NIfTI",
    ),
    "a header of terabytes": (huge_header, r"c1.nii.gz.*the header says shape \(32000, 32000, 32000\)"),
    "NaN": (voxel(np.nan), "c1.nii.gz: .*1 voxel with NaN or infinity, expected finite values"),
    "Inf": (voxel(np.inf), "c1.nii.gz: .*1 voxel with NaN or infinity, expected finite values"),
    "2-D": (
        lambda path, volume: volume(path, np.zeros((12, 12), np.int16)),
        r"c1.nii.gz has shape \(12, 12\), expected three",
    ),
    "4-D": (
        lambda path, volume: volume(path, np.zeros((*SHAPE, 2), np.int16)),
        r"c1.nii.gz.*\(12, 12, 6, 2\), expected three axes",
    ),
}
PICTURES = {
    "truncated": (lambda path, volume: path.write_bytes(path.read_bytes()[:-2000]), "p1.png.*(truncated|broken)"),
    "empty": (lambda path, volume: path.write_bytes(b""), "p1.png is unreadable.*found an empty file"),
    "not a picture": (
        lambda path, volume: path.write_text("no picture " * 50),
        "p1.png is unreadable.*found text",
    ),
    "numbers of 32 bit": (
        lambda path, volume: Image.fromarray(np.ones((40, 48), np.float32)).save(path, format="TIFF"),
        r"p1.png is of mode F \(32-bit numbers\), expected colours or grey of 8 or 16 bit",
    ),
}


@pytest.mark.parametrize(
    ("task", "name"),
    [*(("kits19", name) for name in VOLUMES), *(("cvc_endoscene", name) for name in PICTURES)],
)
def test_a_bad_one_is_named_and_the_others_are_done(
    task, name, pairs, pictures, volume, teachers, medkd_run, tmp_path, capfd
):
    source = {"kits19": pairs / "imagesTr", "cvc_endoscene": pictures / "images"}[task]
    bad = next(path for path in source.iterdir() if path.name[1] == "1")
    spoil, message = (VOLUMES if task == "kits19" else PICTURES)[name]
    spoil(bad, volume)
    for path in source.iterdir():
        if path.name[1] in "34":
            path.unlink()
    output = tmp_path / "output"
    options = ["--role", "teacher", "--model", teachers[task], "--input", source, "--output_dir", output]
    assert medkd_run("infer", task, *options) in (1, 2)
    lines = capfd.readouterr().err.strip().splitlines()
    assert len(lines) == 2 and re.search(message, lines[0]), lines
    case = bad.name[:2]
    assert lines[1] == f"medkd: error: 1 of 3 cases failed: {case}"
    suffix, beside = {"kits19": (".nii.gz", ["itksnap_labels.txt"]), "cvc_endoscene": (".png", [])}[task]
    masks = [f"{case[0]}0{suffix}", f"{case[0]}2{suffix}"]
    assert sorted(path.name for path in output.iterdir()) == [*masks, *beside, "volumes.csv"]


def test_none_that_can_be_read(pairs, teachers, medkd_run, tmp_path, capfd):
    for path in (pairs / "imagesTr").iterdir():
        path.write_bytes(b"")
    options = ["--role", "teacher", "--model", teachers["kits19"], "--input", pairs / "imagesTr"]
    assert medkd_run("infer", "kits19", *options, "--output_dir", tmp_path / "output") in (1, 2)
    assert capfd.readouterr().err.strip().splitlines()[-1] == (
        "medkd: error: 5 of 5 cases failed, nothing was written: c0, c1, c2, c3, c4"
    )
    assert not (tmp_path / "output").exists()


def test_inputs_that_are_none(pairs, teachers, refused, tmp_path):
    scans = pairs / "imagesTr"
    (tmp_path / "empty").mkdir()
    (tmp_path / "scan.txt").write_text("no image")
    (tmp_path / "loop.nii.gz").symlink_to("loop.nii.gz")
    shutil.copytree(scans, tmp_path / "twins")
    (tmp_path / "twins/c0.nii").write_bytes(gzip.decompress((scans / "c0.nii.gz").read_bytes()))
    for source, output, message in (
        (tmp_path / "gone", "o", "gone: no such file or folder"),
        (tmp_path / "loop.nii.gz", "o", "loop.nii.gz: no such file or folder"),
        (tmp_path / "empty", "o", "empty: no file that ends in .nii.gz, .nii"),
        (tmp_path / "scan.txt", "o", "scan.txt: a suffix that is not read, expected one of .nii.gz, .nii"),
        (scans, scans, "is the folder of the input: predictions would overwrite the images"),
        (scans, "scan.txt", "scan.txt: is a file, expected a folder"),
        (tmp_path / "twins", "o", "would give the same prediction file"),
    ):
        options = ["--role", "teacher", "--model", teachers["kits19"], "--input", source]
        refused(message, "infer", "kits19", *options, "--output_dir", tmp_path / output)


def infer(works, task, teachers, source, output, *options):
    words = ["--role", "teacher", "--model", teachers[task], "--input", source, "--output_dir", output, *options]
    assert works("infer", task, *words) == ""


TURN = np.array([[0.95, -0.3, 0.1, 5], [0.29, 0.95, 0.05, -7], [-0.1, 0.02, 2.0, 3], [0, 0, 0, 1]])


@pytest.mark.parametrize(
    ("shape", "affine"),
    [
        ((12, 14, 6), TURN),
        ((6, 12, 14), np.array([[0, 0, 3.0, 0], [1, 0, 0, 0], [0, -2.0, 0, 0], [0, 0, 0, 1]])),
        ((12, 14, 1), np.diag([-1.0, -1, 2, 1])),
        ((12, 14, 6, 1), np.diag([-1.0, -1, 2, 1])),
        ((1, 1, 3), np.diag([-1.0, -1, 2, 1])),
    ],
    ids=["oblique", "sagittal", "one slice", "4-D of one", "1x1"],
)
def test_odd_volumes_come_back_in_their_geometry(shape, affine, volume, teachers, works, tmp_path):
    source = tmp_path / "Fälle 日/Fall eins äöü.nii.gz"
    volume(source, np.random.default_rng(0).integers(-1000, 300, shape).astype(np.int16), affine)
    infer(works, "kits19", teachers, source, tmp_path / "aus ü")
    found, given = nib.load(tmp_path / "aus ü/Fall eins äöü.nii.gz"), nib.load(source)
    assert found.shape == given.shape
    assert np.array_equal(found.affine, given.affine)
    assert set(np.unique(found.dataobj)) <= {0, 1}


def test_a_volume_turned_otherwise_gives_the_same_prediction(volume, teachers, works, tmp_path):
    image = np.random.default_rng(0).integers(-1000, 300, (16, 18, 6)).astype(np.int16)
    straight = nib.Nifti1Image(image, np.diag([-1.0, -1.0, 2.0, 1.0]))
    axes = nib.orientations.axcodes2ornt("PSR")
    turned = straight.as_reoriented(nib.orientations.ornt_transform(nib.io_orientation(straight.affine), axes))
    (tmp_path / "in").mkdir()
    nib.save(straight, tmp_path / "in/a.nii.gz")
    nib.save(turned, tmp_path / "in/b.nii.gz")
    infer(works, "kits19", teachers, tmp_path / "in", tmp_path / "out")
    first, second = (nib.as_closest_canonical(nib.load(tmp_path / f"out/{name}.nii.gz")) for name in "ab")
    assert np.array_equal(np.asarray(first.dataobj), np.asarray(second.dataobj))
    assert np.allclose(first.affine, second.affine)


def infer_pictures(students, source, output):
    """By a student whose answer depends on the picture."""
    task, model, _ = students["pictures"]
    words = ["--model", model, "--input", source, "--output_dir", output, "--save_probabilities", "True"]
    assert main(["infer", task, "--device", "cpu", *map(str, words)]) == 0


def test_pictures_of_any_mode_are_read_as_rgb(pictures, students, tmp_path):
    folder = tmp_path / "Bilder ü"
    folder.mkdir()
    grey = Image.open(pictures / "images/p0.png").convert("L")
    grey.convert("RGB").save(folder / "rgb.png")
    grey.convert("RGBA").save(folder / "rgba.png")
    grey.save(folder / "grey.png")
    Image.fromarray(np.zeros((1, 1, 3), np.uint8)).save(folder / "one pixel.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # viewers turn it by 90 degrees: rgb.png again
    grey.convert("RGB").transpose(Image.Transpose.ROTATE_90).save(folder / "turned.png", exif=exif)
    infer_pictures(students, folder, tmp_path / "out")
    found = {path.stem: np.asarray(Image.open(path)) for path in (tmp_path / "out").glob("*.png")}
    assert len(np.unique(found["rgb_probabilities"])) > 1  # else nothing was compared
    assert np.array_equal(found["rgb_probabilities"], found["rgba_probabilities"])
    assert np.array_equal(found["rgb"], found["rgba"]) and np.array_equal(found["rgb"], found["grey"])
    assert np.array_equal(found["rgb_probabilities"], found["turned_probabilities"])
    assert found["rgb"].shape == (40, 48) and found["one pixel"].shape == (1, 1)
