"""IDRiD preparation: the published split and what is held out of it, red masks, reduced sizes, every refusal."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medkd.data import SPLITS, load_datalist
from medkd.data_prep import idrid
from medkd.phantoms import make_idrid

from .own_pictures import numbered

MASK = np.zeros((20, 30), np.uint8)
MASK[5:9, 10:20] = 1
FUNDUS = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
RED = MASK[..., None] * np.array([255, 0, 0], np.uint8)


def save(array, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    (array if isinstance(array, Image.Image) else Image.fromarray(array)).save(path)


def official(folder, train=range(1, 55), test=range(55, 82)):
    root = folder / "A. Segmentation"
    for split, numbers in (("a. Training Set", train), ("b. Testing Set", test)):
        for n in numbers:
            save(numbered(FUNDUS, n), root / "1. Original Images" / split / f"IDRiD_{n:02d}.jpg")
            masks = root / "2. All Segmentation Groundtruths" / split
            save(RED, masks / "5. Optic Disc" / f"IDRiD_{n:02d}_OD.tif")
            save(RED, masks / "1. Microaneurysms" / f"IDRiD_{n:02d}_MA.tif")
    return folder


def plain(folder, count=10, image=None, mask=None, suffix=".png", ending="_OD"):
    """A plain pair of folders; the first image or mask may be replaced."""
    for n in range(count):
        save(numbered(FUNDUS, n) if n or image is None else image, folder / "images" / f"eye_{n}.png")
        save(RED if n or mask is None else mask, folder / "masks" / f"eye_{n}{ending}{suffix}")
    return folder


def palette(colours):
    picture = Image.fromarray(MASK)
    picture.putpalette(colours)
    return picture


def cases(folder):
    return {split: [entry["case"] for entry in load_datalist(folder, split)] for split in SPLITS}


def test_all_official_names_get_the_published_split(tmp_path, capsys):
    source = official(tmp_path / "source")
    summary = idrid.prepare(source, tmp_path / "out")
    assert summary["cases"] == {"training": 49, "validation": 5, "test": 27}
    assert list(summary["folders"].values()) == [54, 27]
    assert "published data set has" not in capsys.readouterr().out
    found = cases(tmp_path / "out")
    assert found["test"] == [f"IDRiD_{n}" for n in range(55, 82)]
    assert sorted(found["training"] + found["validation"]) == [f"IDRiD_{n:02d}" for n in range(1, 55)]
    recorded = json.loads((tmp_path / "out" / "split.json").read_text())
    assert recorded["held_out"] == "validation: 5 of 54 training patients, drawn by the seed; not published"
    assert recorded["validation"] == found["validation"]
    inside = idrid.prepare(source / "A. Segmentation", tmp_path / "inside")
    assert list(inside["folders"]) == ["1. Original Images/a. Training Set", "1. Original Images/b. Testing Set"]
    assert cases(tmp_path / "inside") == found
    idrid.prepare(source, tmp_path / "other", seed=1)
    assert cases(tmp_path / "other")["validation"] != found["validation"]
    (source / "A. Segmentation/1. Original Images/a. Training Set" / f"{found['validation'][0]}.jpg").unlink()
    idrid.prepare(source, tmp_path / "left", skip_bad=True)
    assert cases(tmp_path / "left") == {**found, "validation": found["validation"][1:]}


def test_phantoms(tmp_path):
    make_idrid(tmp_path / "source", images=12, scale=0.03)
    summary = idrid.prepare(tmp_path / "source", tmp_path / "out", size=64)
    assert summary["cases"] == {"training": 7, "validation": 1, "test": 4}
    for entry in load_datalist(tmp_path / "out", "training"):
        image, label = Image.open(entry["image"]), Image.open(entry["label"])
        assert image.mode == "RGB" and label.mode == "L" and image.size == label.size == (64, 42)
        assert np.unique(np.asarray(label)).tolist() == [0, 1]


def test_converted_files_in_the_official_folders(tmp_path):
    """As people convert the 4288 x 2848 photographs to work with them."""
    source = official(tmp_path / "source")
    for file in [*source.rglob("*.tif"), *source.rglob("*.jpg")]:
        Image.open(file).save(file.with_suffix(".png" if file.suffix == ".tif" else ".bmp"))
        file.unlink()
    assert idrid.prepare(source, tmp_path / "out")["cases"] == {"training": 49, "validation": 5, "test": 27}


def test_train_and_test_folders_have_the_published_split(tmp_path, capsys):
    for split, numbers in (("train", range(1, 55)), ("test", range(55, 82, 2))):
        for n in numbers:
            save(numbered(FUNDUS, n), tmp_path / "source" / split / "images" / f"IDRiD_{n:02d}.jpg")
            save(MASK * 255, tmp_path / "source" / split / "masks" / f"IDRiD_{n:02d}_OD.png")
    summary = idrid.prepare(tmp_path / "source", tmp_path / "out")
    assert summary["cases"] == {"training": 49, "validation": 5, "test": 14}
    assert summary["folders"] == {"train/images": 54, "test/images": 14}
    assert "test/images: 14 images with a mask, the published data set has 27 there" in capsys.readouterr().out
    # the same names, seed and held-out images as in the official layout
    idrid.prepare(official(tmp_path / "official"), tmp_path / "same")
    assert cases(tmp_path / "same")["validation"] == cases(tmp_path / "out")["validation"]
    save(FUNDUS, tmp_path / "source/test/images/IDRiD_01.png")
    save(MASK, tmp_path / "source/test/masks/IDRiD_01.bmp")
    with pytest.raises(ValueError, match="IDRiD_01: two files stand for this case: .*train/images.*test/images"):
        idrid.prepare(tmp_path / "source", tmp_path / "out", overwrite=True)


def test_plain_folders(tmp_path):
    source = plain(tmp_path / "source", ending="")
    with pytest.raises(ValueError, match=r"no published split for images/ .*use --split random, sorted, a JSON file"):
        idrid.prepare(source, tmp_path / "out")
    idrid.prepare(source, tmp_path / "out", split="sorted")
    assert cases(tmp_path / "out")["test"] == ["eye_0", "eye_1"]
    (tmp_path / "split.json").write_text(
        json.dumps({"training": ["eye_5"], "validation": ["eye_9"], "test": ["eye_1"]})
    )
    with pytest.warns(UserWarning, match="7 cases in no split"):
        idrid.prepare(source, tmp_path / "out", split=tmp_path / "split.json", overwrite=True)
    assert cases(tmp_path / "out")["validation"] == ["eye_9"]


@pytest.mark.parametrize(
    "mask",
    [
        RED,
        palette([0, 0, 0, 255, 0, 0]),
        palette([0, 0, 0, 1, 0, 0]),
        np.dstack([RED, np.full_like(MASK, 255)]),
        np.dstack([RED, MASK * 255]),
        MASK,
        MASK * 76,
        MASK * 255,
        MASK > 0,
        RED // 255 * 235 + 10,
    ],
    ids=["rgb", "palette", "dim", "alpha", "clear", "index", "grey", "0255", "bits", "lossy"],
)
def test_mask_conventions(tmp_path, mask):
    mask = Image.fromarray(mask) if isinstance(mask, np.ndarray) else mask
    idrid.prepare(plain(tmp_path / "source", mask=mask, suffix=".tif"), tmp_path / "out", split="sorted")
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out" / "labels" / "eye_0.png")), MASK)


def test_longest_edge(tmp_path):
    """Reduced: the image antialiased, the mask not, both in the same place; never enlarged."""
    columns = np.arange(300)[None, :, None] * np.ones((200, 1, 3))
    stripes = (columns.astype(int) % 2 * 255).astype(np.uint8)  # a nearest pixel of them would be black or white
    disc = np.zeros((200, 300), np.uint8)
    disc[40:80, 125:240:10] = 1  # nearest pixels see nothing else, averages next to nothing of it
    source = plain(tmp_path / "source", image=stripes, mask=disc)
    idrid.prepare(source, tmp_path / "out", split="sorted", size=30)
    image, label = (np.asarray(Image.open(tmp_path / "out" / kind / "eye_0.png")) for kind in ("images", "labels"))
    assert image.shape == (20, 30, 3) and np.abs(image[:, 3:-3].astype(int) - 127).max() < 10
    assert np.array_equal(label, disc[5::10, 5::10])
    assert Image.open(tmp_path / "out" / "images" / "eye_1.png").size == (30, 20)
    for size in (None, 0, 1024):
        idrid.prepare(source, tmp_path / "out", split="sorted", size=size, overwrite=True)
        assert np.array_equal(np.asarray(Image.open(tmp_path / "out" / "images" / "eye_0.png")), stripes)
        text = json.loads((tmp_path / "out" / "datalist.json").read_text())["description"]
        assert text.endswith("longest edge at most 1024 pixels" if size else "original size")


@pytest.mark.parametrize("size", [8, -1, 20.5, "large", True])
def test_sizes_that_are_none(tmp_path, size):
    with pytest.raises(ValueError, match=f"^--size {size!r}: expected pixels of the longest edge, at least 16, or 0"):
        idrid.prepare(tmp_path, tmp_path / "out", size=size)


SOFT = MASK * 255 - np.eye(20, 30, dtype=np.uint8) * 100


@pytest.mark.parametrize(
    ("odd", "message"),
    [
        ({"mask": RED[:, :29]}, r"image \(20, 30\) and mask \(20, 29\) \(height, width\) have different sizes"),
        ({"mask": SOFT}, r"eye_0_OD.png holds the mask values \[156\], expected two colours: black, and one"),
        ({"mask": FUNDUS}, "no black background, found the colours .*expected two colours"),
        ({"mask": palette([255, 255, 255, 255, 0, 0])}, r"no black background, found the colours .*\[255, 255, 255\]"),
        ({"mask": palette([80, 80, 80, 255, 0, 0])}, r"no black background, found the colours \[\[80, 80, 80\]"),
        ({"image": FUNDUS * 0 + 7}, "images/eye_0.png: every pixel is 7, expected an image"),
    ],
)
def test_refused_images(tmp_path, odd, message):
    source = plain(tmp_path / "source", **odd)
    with pytest.raises(ValueError, match=rf"^1 of 10 cases refused, nothing was written: eye_0: .*{message}"):
        idrid.prepare(source, tmp_path / "out", split="sorted")
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_partners_and_skipping(tmp_path):
    source = official(tmp_path / "source", train=range(1, 21), test=range(55, 60))
    root = source / "A. Segmentation"
    (root / "2. All Segmentation Groundtruths/b. Testing Set/5. Optic Disc/IDRiD_55_OD.tif").unlink()
    (root / "1. Original Images/b. Testing Set/IDRiD_56.jpg").unlink()
    image = root / "1. Original Images/b. Testing Set/IDRiD_57.jpg"
    image.write_bytes(image.read_bytes()[:-200])
    with pytest.raises(ValueError, match="^3 of 25 cases refused") as error:
        idrid.prepare(source, tmp_path / "out")
    assert "IDRiD_55.jpg has no mask of the same name in" in str(error.value)
    assert "IDRiD_56_OD.tif has no image of the same name in" in str(error.value)
    assert "IDRiD_57.jpg is unreadable or truncated" in str(error.value)
    summary = idrid.prepare(source, tmp_path / "out", skip_bad=True)
    assert summary["cases"] == {"training": 18, "validation": 2, "test": 2}


def test_source_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match="source .*nowhere: no such folder"):
        idrid.prepare(tmp_path / "nowhere", tmp_path / "out")
    (tmp_path / "source" / "else").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"expected 'A. Segmentation' with .*found none of them"):
        idrid.prepare(tmp_path / "source", tmp_path / "out")
    source = official(tmp_path / "some", train=range(1, 21), test=[])
    with pytest.raises(ValueError, match=r"no folder A. Segmentation/1. Original Images/b. Testing Set in it$"):
        idrid.prepare(source, tmp_path / "out")
    (tmp_path / "half" / "train").mkdir(parents=True)
    with pytest.raises(ValueError, match="half: no folder train/images in it"):
        idrid.prepare(tmp_path / "half", tmp_path / "out")
    plain(tmp_path / "half" / "train")
    with pytest.raises(ValueError, match="half: no folder test/images in it"):
        idrid.prepare(tmp_path / "half", tmp_path / "out")
    assert sum(idrid.prepare(tmp_path / "half", tmp_path / "out", split="sorted")["cases"].values()) == 10


@pytest.mark.slow
@pytest.mark.skipif("MEDKD_SAMPLE_DATA" not in os.environ, reason="MEDKD_SAMPLE_DATA is not set")
def test_real_images(tmp_path):
    source = Path(os.environ["MEDKD_SAMPLE_DATA"]) / "idrid_od"
    summary = idrid.prepare(source, tmp_path / "out", size=512)
    assert summary["cases"] == {"training": 49, "validation": 5, "test": 14}
    for entry in load_datalist(tmp_path / "out", "test"):
        image, label = np.asarray(Image.open(entry["image"])), np.asarray(Image.open(entry["label"])) > 0
        original = np.asarray(Image.open(source / "test" / "masks" / f"{entry['case']}_OD.png")) > 0
        assert image.shape == (340, 512, 3) and label.shape == (340, 512)
        assert 0.005 < label.mean() < 0.05 and abs(label.mean() / original.mean() - 1) < 0.02
        assert image[label].mean() > 1.3 * image[image.sum(-1) > 60].mean()  # the disc is the bright one
