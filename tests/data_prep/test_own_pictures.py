"""`medkd prepare pictures`: pairing, forms, classes, proposals, report, and what is refused."""

import json
import shutil

import numpy as np
import pytest
import tifffile
from PIL import Image

from medkd.data import dataset_property, load_datalist
from medkd.data_prep import pictures
from medkd.phantoms import make_pictures


@pytest.fixture
def source(tmp_path):
    """Eight grey pictures with two classes."""
    make_pictures(tmp_path / "raw", cases=8, size=40, classes=2)
    return tmp_path / "raw"


def prepare(source, target="data", masks="masks", **options):
    options = {"split": "sorted", "workers": 1, **options}
    return pictures.prepare(source / "images", source / masks, source.parent / target, **options)


def stored(folder, key="image"):
    return {entry["case"]: np.asarray(Image.open(entry[key])) for entry in load_datalist(folder, "training")}


def read(path):
    return np.asarray(Image.open(path))


def test_grey_pictures_stay_grey(source, tmp_path):
    prepare(source, classes="organ,cyst")
    for case, image in stored(tmp_path / "data").items():
        np.testing.assert_array_equal(image, read(source / f"images/{case}.png"))
    for case, label in stored(tmp_path / "data", "label").items():
        np.testing.assert_array_equal(label, read(source / f"masks/{case}.png"))
    properties = {"modality": {"0": "grey"}, "labels": {"0": "background", "1": "organ", "2": "cyst"}}
    properties |= {"form": "grey", "convert": False, "window": [0, 255], "image_size_2d": [32, 64]}
    for name, value in properties.items():
        assert dataset_property(tmp_path / "data", name) == value
    report = json.loads((tmp_path / "data/report.json").read_text())["cases"]["frame_000"]
    share = 100 * (read(source / "masks/frame_000.png") == 2).mean()
    assert report["cyst %"] == pytest.approx(share, rel=1e-3) and report["size"] == [40, 50]
    assert Image.open(tmp_path / "data/report.png").size[0] > 500


def test_16_bit_are_stored_without_loss_and_windowed(tmp_path):
    make_pictures(tmp_path / "raw", cases=6, size=40, form="grey16")
    first = tifffile.imread(tmp_path / "raw/images/frame_000.tif")
    tifffile.imwrite(tmp_path / "raw/images/frame_000.tif", first.astype(np.int16) - 1000)
    prepare(tmp_path / "raw")
    entries = [
        entry for split in ("training", "validation", "test") for entry in load_datalist(tmp_path / "data", split)
    ]
    for entry in entries:
        original = tifffile.imread(tmp_path / f"raw/images/{entry['case']}.tif")
        np.testing.assert_array_equal(read(entry["image"]), original)
    low, high = dataset_property(tmp_path / "data", "window")
    assert -1000 <= low < 1000 < high <= 4096
    prepare(tmp_path / "raw", overwrite=True, window=[10, 3000], size=32)
    assert dataset_property(tmp_path / "data", "window") == [10, 3000]
    assert {image.shape for image in stored(tmp_path / "data").values()} == {(26, 32)}
    assert read(tmp_path / "data/images/frame_000.tif").min() < 0
    assert 1000 < read(tmp_path / "data/images/frame_001.png").max() < 5000


def test_rgb_has_a_window_for_each_channel(tmp_path):
    make_pictures(tmp_path / "raw", cases=6, size=40, classes=1, form="rgb")
    prepare(tmp_path / "raw", size=32)
    assert dataset_property(tmp_path / "data", "modality") == {"0": "red", "1": "green", "2": "blue"}
    assert dataset_property(tmp_path / "data", "window") == [[0, 255]] * 3
    assert {image.shape for image in stored(tmp_path / "data").values()} == {(26, 32, 3)}


def test_mixed_forms_are_refused_or_converted(source, tmp_path):
    picture = Image.open(source / "images/frame_003.png")
    Image.merge("RGB", [picture, picture.transpose(Image.Transpose.ROTATE_180), picture]).save(
        source / "images/frame_003.png"
    )
    with pytest.raises(
        ValueError, match=r"2 forms: found grey of 8 bit: 7 \(frame_000.*; RGB: 1 \(frame_003\).* --form"
    ):
        prepare(source)
    assert not (tmp_path / "data").exists()
    prepare(source, form="grey")
    assert {image.ndim for image in stored(tmp_path / "data").values()} == {2}
    assert dataset_property(tmp_path / "data", "convert") is True
    assert "converted: 1 RGB" in (tmp_path / "data/report.md").read_text()
    prepare(source, target="rgb", form="rgb")
    assert {image.ndim for image in stored(tmp_path / "rgb").values()} == {3}
    assert "converted: 7 grey of 8 bit" in (tmp_path / "rgb/report.md").read_text()


def test_equal_channels_are_said(source, tmp_path):
    for path in (source / "images").iterdir():
        Image.open(path).convert("RGB").save(path)
    prepare(source)
    assert "the three channels of every image are equal; --form grey" in (tmp_path / "data/report.md").read_text()
    assert dataset_property(tmp_path / "data", "form") == "rgb"


def test_a_folder_for_each_class(source, tmp_path):
    for name, value in (("organ", 1), ("cyst", 2)):
        (source / "folders" / name).mkdir(parents=True)
        for path in (source / "masks").iterdir():
            Image.fromarray((read(path) == value) * np.uint8(255)).save(
                source / "folders" / name / f"{path.stem}_mask.png"
            )
    (source / "folders/cyst/frame_000_mask.png").unlink()
    prepare(source, masks="folders", classes="organ,cyst")
    labels = stored(tmp_path / "data", "label")
    for case, label in labels.items():
        expected = read(source / f"masks/{case}.png")
        np.testing.assert_array_equal(label, np.where(expected == 2, 0, expected) if case == "frame_000" else expected)
    prepare(source, target="by_name", masks="folders")
    assert dataset_property(tmp_path / "by_name", "labels") == {"0": "background", "1": "cyst", "2": "organ"}
    with pytest.raises(ValueError, match="classes: found organ, expected the folders in --labels: cyst, organ"):
        prepare(source, target="other", masks="folders", classes="organ")
    shutil.copy(source / "folders/organ/frame_001_mask.png", source / "folders/cyst")
    with pytest.raises(
        ValueError, match=r"frame_001: .* pixels of (organ|cyst) are (cyst|organ) too, expected classes"
    ):
        prepare(source, target="other", masks="folders")


def break_size(source):
    Image.new("L", (20, 20), 1).save(source / "masks/frame_001.png")


def break_lossy(source):
    mask = source / "masks/frame_001.png"
    Image.open(mask).save(mask.with_suffix(".jpg"))
    mask.unlink()


def break_empty(source):
    for path in (source / "masks").iterdir():
        Image.fromarray(np.minimum(read(path), 1)).save(path)


def break_scale(source):
    for number, path in enumerate(sorted((source / "masks").iterdir())):
        Image.fromarray((read(path) > 0) * np.uint8(255 if number else 1)).save(path)


def break_class(source):
    array = np.array(read(source / "masks/frame_001.png"))
    array[0, 0] = 7
    Image.fromarray(array).save(source / "masks/frame_001.png")


def break_pair(source):
    (source / "masks/frame_001.png").unlink()


REFUSED = {
    "another size": (break_size, r"1 of 8 cases refused.*frame_001: image \(40, 50\) and mask \(20, 20\)"),
    "lossy classes": (break_lossy, "frame_001: .* holds classes in a lossy format"),
    "an empty class": (break_empty, r"classes: 2 names \(organ, cyst\) for 1 value in the masks: 1 \(8 cases\)"),
    "two scales": (break_scale, "--labels: found 0 and 1 in frame_000; 0 and 255 in frame_001, .* expected one way"),
    "a class without a name": (break_class, r"2 names \(organ, cyst\) for 3 values .* 7 \(frame_001\)"),
    "no mask": (break_pair, "frame_001.png has no mask of the same name"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_data_set_that_cannot_be_used(source, tmp_path, name):
    spoil, message = REFUSED[name]
    spoil(source)
    with pytest.raises(ValueError, match=message):
        prepare(source, classes="organ,cyst")
    assert not (tmp_path / "data").exists()


def test_patients_that_the_table_lacks_are_named(source):
    rows = [f"frame_{number:03d},p{number}" for number in range(7)]
    (source / "patients.csv").write_text("\n".join(["case,patient", *rows]))
    with pytest.warns(UserWarning, match="1 case not listed and left out: frame_007"):
        summary = prepare(source, split=source / "patients.csv")
    assert sum(summary["cases"].values()) == 7


def test_a_folder_for_each_patient_is_named(source):
    inner = source / "patients/images"
    shutil.copytree(source / "images", inner)
    with pytest.raises(
        ValueError, match=r"--images .*patients: found images \(.*expected pictures in the folder itself"
    ):
        pictures.prepare(source / "patients", source / "masks", source.parent / "data", split="sorted", workers=1)


def test_a_palette_of_its_own_for_each_mask_is_refused(source):
    for path in sorted((source / "masks").iterdir()):  # colours in the order in which they occur
        labels = read(path)
        colours = np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0]], np.uint8)
        order = [0, 2, 1] if path.stem == "frame_003" else [0, 1, 2]
        mask = Image.fromarray(np.argsort(order).astype(np.uint8)[labels])
        mask.putpalette(colours[order].tobytes())
        mask.save(path)
    with pytest.raises(ValueError, match=r"index 1 .* \[255, 0, 0\] .* \[0, 255, 0\] \(frame_003\), expected one"):
        prepare(source)
