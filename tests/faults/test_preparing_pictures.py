"""Faults of raw pictures: each names the case, what was found and what was expected; nothing is written."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

IMAGE, MASK = "images/p1.png", "masks/p1.png"


def put(name, array):
    return lambda folder: Image.fromarray(array).save(folder / name)


def as_mode(name, mode):
    return lambda folder: Image.open(folder / name).convert(mode).save(folder / name)


def pages(name):
    def save(folder):
        picture = Image.open(folder / name)
        picture.save(folder / name, save_all=True, append_images=[picture.rotate(180)])

    return save


def bytes_of(name, change):
    return lambda folder: (folder / name).write_bytes(change((folder / name).read_bytes()))


def folder_in_its_place(folder):
    (folder / IMAGE).unlink()
    (folder / IMAGE).mkdir()


def symlink_loop(folder):
    (folder / IMAGE).unlink()
    (folder / IMAGE).symlink_to("p1.png")


def soft(mask):
    grey = np.zeros((40, 48), np.uint8)
    grey[10:20, 10:20] = mask
    grey[5:8, 5:8] = 255
    return grey


UNREADABLE = "p1: .*p1.png is unreadable or truncated"
COLOURS = np.zeros((40, 48, 3), np.uint8)
COLOURS[5:9, 5:9], COLOURS[15:20, 5:9] = (255, 0, 0), (0, 200, 100)
DEEP = (np.arange(40 * 48).reshape(40, 48) * 30).astype(np.uint16)
# name: what is done, the message of cvc_endoscene, that of idrid where it is another
REFUSED_CASES = {
    "truncated": (bytes_of(IMAGE, lambda b: b[:-2000]), UNREADABLE, None),
    "empty": (bytes_of(IMAGE, lambda b: b""), UNREADABLE, None),
    "not a picture": (bytes_of(IMAGE, lambda b: b"no picture " * 50), UNREADABLE, None),
    "truncated mask": (bytes_of(MASK, lambda b: b[: len(b) // 2]), UNREADABLE, None),
    "a folder in its place": (folder_in_its_place, "p1: .*masks/p1.png has no image of the same name", None),
    "symlink loop": (symlink_loop, "p1: .*masks/p1.png has no image of the same name", None),
    "wrong suffix": (
        lambda folder: (folder / IMAGE).rename(folder / "images/p1.heic"),
        "p1: .*masks/p1.png has no image of the same name",
        None,
    ),
    "no mask": (lambda folder: (folder / MASK).unlink(), "p1: .*images/p1.png has no mask of the same name", None),
    "12 bit in 16": (
        put(IMAGE, DEEP // 16),
        "p1: .*has 16 bit and no value above 3598, expected values up to 65535",
        None,
    ),
    "pages": (pages(IMAGE), "p1: .*p1.png has 2 pages or frames, expected one picture", None),
    "pages of the mask": (pages(MASK), "p1: .*p1.png has 2 pages or frames, expected one picture", None),
    "constant": (put(IMAGE, np.full((40, 48, 3), 9, np.uint8)), "p1: .*every pixel is 9, expected an image", None),
    "1x1": (put(IMAGE, np.zeros((1, 1, 3), np.uint8)), "p1: .*every pixel is 0, expected an image", None),
    "mask of another size": (
        put(MASK, np.eye(30, 48, dtype=np.uint8) * 255),
        r"p1: image \(40, 48\) and mask \(30, 48\) \(height, width\) have different sizes",
        None,
    ),
    "soft mask": (
        put(MASK, soft(128)),
        r"p1: .*holds the mask values \[128\], expected 0 and 255",
        r"p1: .*holds the mask values \[128, 255\], expected two colours",
    ),
    "mask of colours": (
        put(MASK, COLOURS),
        "p1: .*holds the colours .*, expected 0 and 255",
        "p1: .*holds the colours .*, expected two colours",
    ),
    "16-bit mask": (
        put(MASK, DEEP),
        r"p1: .*holds the mask values \[.*\], expected 0 and 255",
        r"p1: .*holds the mask values \[.*\], expected two colours",
    ),
}


@pytest.mark.parametrize("task", ["cvc_endoscene", "idrid"])
@pytest.mark.parametrize("name", REFUSED_CASES)
def test_a_picture_that_cannot_be_used(name, task, pictures, refused, tmp_path):
    spoil, *messages = REFUSED_CASES[name]
    spoil(pictures)
    message = messages[1] if task == "idrid" and messages[1] else messages[0]
    options = ["--source", pictures, "--dataset_dir", tmp_path / "new/data", "--split", "sorted"]
    line = refused(message, "prepare", task, *options)
    assert "1 of 5 cases refused, nothing was written" in line


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            [],
            "source .*raw: no published split for images/ . masks/ .*; use --split random, sorted, a JSON file or a CSV",
        ),
        (["--split", "sorted", "--size", 4], "size 4: expected pixels of the longest edge, at least 16"),
        (["--split", "sorted", "--size", "big"], "--?size: found 'big', expected|size 'big': expected pixels"),
    ],
)
def test_options_of_pictures(options, message, pictures, refused, tmp_path):
    refused(message, "prepare", "idrid", "--source", pictures, "--dataset_dir", tmp_path / "data", *options)


def test_a_folder_of_something_else(pictures, refused, tmp_path):
    shutil.rmtree(pictures / "masks")
    options = ["--source", pictures, "--dataset_dir", tmp_path / "data"]
    refused("--source .*raw: expected CVC-300/ or CVC-612/ .*found none of them", "prepare", "cvc_endoscene", *options)


@pytest.mark.parametrize("high", [255, 1], ids=["0 and 255", "0 and 1"])
def test_names_with_spaces_and_both_kinds_of_masks_are_fine(high, pictures, works, tmp_path):
    for number in range(5):
        old = np.asarray(Image.open(pictures / f"masks/p{number}.png"))
        Image.fromarray((old // 255 * high).astype(np.uint8)).save(pictures / f"masks/p{number}.png")
    for name in ("images", "masks"):
        (pictures / name / "p1.png").rename(pictures / name / "Bild eins äöü 日.png")
    options = ["--source", pictures, "--dataset_dir", tmp_path / "fertig ü", "--split", "sorted"]
    works("prepare", "cvc_endoscene", *options)
    label = np.asarray(Image.open(tmp_path / "fertig ü/labels/Bild eins äöü 日.png"))
    assert label.sum() == 100 and label.max() == 1
    listed = json.loads((tmp_path / "fertig ü/datalist.json").read_text())
    assert any(
        entry["case"] == "Bild eins äöü 日" for split in ("training", "validation", "test") for entry in listed[split]
    )
