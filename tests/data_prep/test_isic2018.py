"""ISIC 2018 preparation: the published split and what is held out of it, the two layouts, every refusal."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medkd.data import SPLITS, load_datalist
from medkd.data_prep import isic2018
from medkd.phantoms import make_isic2018

from .own_pictures import numbered

MASK = np.zeros((20, 30), np.uint8)
MASK[5:9, 10:20] = 1
SKIN = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def save(array, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **({"quality": 95, "subsampling": 0} if path.suffix == ".jpg" else {}))


def official(folder, names):
    """Official folders with 2x2 pictures: ``{"Training": [0, 1], ...}``."""
    save(MASK[5:7, 9:11] * 255, folder / "mask.png")
    mask = (folder / "mask.png").read_bytes()
    count = 0
    for split, numbers in names.items():
        images, masks = folder / f"ISIC2018_Task1-2_{split}_Input", folder / f"ISIC2018_Task1_{split}_GroundTruth"
        for path in (images, masks):
            path.mkdir(parents=True)
            (path / "ATTRIBUTION.txt").write_text("CC-0")
        for number in numbers:
            count += 1
            save(numbered(SKIN[:2, :2], count), images / f"ISIC_{number:07d}.jpg")
            (masks / f"ISIC_{number:07d}_segmentation.png").write_bytes(mask)
    return folder


def pairs(folder, count=10, image=None, mask=None):
    """A plain pair of folders; the first image or mask may be replaced."""
    for n in range(count):
        save(numbered(SKIN, n) if n or image is None else image, folder / "images" / f"ISIC_{n}.png")
        save(MASK * 255 if n or mask is None else mask, folder / "masks" / f"ISIC_{n}_segmentation.png")
    return folder


def cases(folder):
    return {split: [entry["case"] for entry in load_datalist(folder, split)] for split in SPLITS}


def small(folder):
    return official(folder, {"Training": range(50), "Validation": range(60, 70), "Test": range(80, 90)})


def test_all_official_names_get_the_published_split(tmp_path, capsys):
    """All 3694 names, as 2x2 pictures."""
    names = {"Training": range(2594), "Validation": range(20_000, 20_100), "Test": range(30_000, 31_000)}
    source = official(tmp_path / "source", names)
    summary = isic2018.prepare(source, tmp_path / "out")
    assert summary["cases"] == {"training": 2694 - 269, "validation": 269, "test": 1000}
    assert list(summary["folders"].values()) == [2594, 100, 1000] and not summary["refused"]
    assert "published data set has" not in capsys.readouterr().out
    listed = {
        split: {int(case.removeprefix("ISIC_")) for case in found} for split, found in cases(tmp_path / "out").items()
    }
    assert listed["test"] == set(names["Test"])
    assert not listed["training"] & listed["validation"]
    assert listed["training"] | listed["validation"] == {*names["Training"], *names["Validation"]}
    # sampled from all of them, the challenge's own validation images as well as the others
    assert listed["validation"] & set(names["Validation"]) and listed["training"] & set(names["Validation"])
    assert 1000 < np.median(list(listed["validation"])) < 1650
    recorded = json.loads((tmp_path / "out" / "split.json").read_text())
    assert recorded["held_out"] == "validation: 269 of 2694 training patients, drawn by the seed; not published"
    assert {split: recorded[split] for split in SPLITS} == cases(tmp_path / "out")


def test_held_out_images_follow_the_seed_alone(tmp_path):
    source = small(tmp_path / "source")
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        assert isic2018.prepare(source, tmp_path / name, seed=seed)["cases"]["validation"] == 6
    first, again, other = (cases(tmp_path / name) for name in "abc")
    assert first == again and first["validation"] != other["validation"] and first["test"] == other["test"]
    broken = [first["validation"][0], first["training"][0]]
    for case in broken:
        (source / "ISIC2018_Task1-2_Training_Input" / f"{case}.jpg").write_bytes(b"")
    left = isic2018.prepare(source, tmp_path / "d", skip_bad=True)
    assert sorted(left["refused"]) == sorted(broken)
    assert cases(tmp_path / "d") == {split: [c for c in first[split] if c not in broken] for split in SPLITS}


def test_a_written_split_can_be_given_again(tmp_path):
    source = small(tmp_path / "source")
    isic2018.prepare(source, tmp_path / "out", seed=3)
    isic2018.prepare(source, tmp_path / "again", split=tmp_path / "out" / "split.json")
    assert cases(tmp_path / "again") == cases(tmp_path / "out")
    assert "held_out" not in json.loads((tmp_path / "again" / "split.json").read_text())
    assert isic2018.prepare(source, tmp_path / "random", split="random")["cases"]["test"] == 14


def test_phantoms(tmp_path):
    make_isic2018(tmp_path / "source", images=24, scale=0.1)
    summary = isic2018.prepare(tmp_path / "source", tmp_path / "out")
    assert summary["cases"] == {"training": 16, "validation": 2, "test": 6}
    assert list(summary["folders"].values()) == [17, 1, 6]
    for entry in load_datalist(tmp_path / "out", "training"):
        image, label = Image.open(entry["image"]), Image.open(entry["label"])
        assert image.mode == "RGB" and label.mode == "L" and image.size == label.size
        assert np.unique(np.asarray(label)).tolist() == [0, 1]
    assert not list((tmp_path / "out").rglob("*superpixels*"))


def test_superpixels_are_no_images(tmp_path):
    source = small(tmp_path / "source")
    for name in ("ISIC_0000000_superpixels.png", "ISIC_0000000_superpixels.jpg", "thumbnail.jpg"):
        save(SKIN, source / "ISIC2018_Task1-2_Training_Input" / name)
    assert isic2018.prepare(source, tmp_path / "out")["folders"]["ISIC2018_Task1-2_Training_Input"] == 50
    plain = pairs(tmp_path / "plain")
    save(SKIN, plain / "images" / "ISIC_0_superpixels.png")
    counts = isic2018.prepare(plain, tmp_path / "other", split="sorted")["cases"]
    assert sum(counts.values()) == 10


@pytest.mark.parametrize("split", ["Training", "Test"])
def test_a_missing_folder_of_a_split_is_named(tmp_path, split):
    source = small(tmp_path / "source")
    masks, images = source / f"ISIC2018_Task1_{split}_GroundTruth", source / f"ISIC2018_Task1-2_{split}_Input"
    masks.rename(tmp_path / "masks")
    with pytest.raises(ValueError, match=f"^--source .*source: no folder ISIC2018_Task1_{split}_GroundTruth in it$"):
        isic2018.prepare(source, tmp_path / "out")
    images.rename(tmp_path / "images")
    with pytest.raises(ValueError, match=f"^--source .*source: no folder ISIC2018_Task1-2_{split}_Input in it$"):
        isic2018.prepare(source, tmp_path / "out")
    # a split that is not the published one is cut from whatever is there
    assert sum(isic2018.prepare(source, tmp_path / "out", split="random")["cases"].values()) in (20, 60)


def test_a_missing_validation_folder_is_reported(tmp_path, capsys):
    source = official(tmp_path / "source", {"Training": range(50), "Test": range(80, 90)})
    summary = isic2018.prepare(source, tmp_path / "out")
    assert summary["cases"] == {"training": 45, "validation": 5, "test": 10}
    assert summary["folders"]["ISIC2018_Task1-2_Validation_Input"] == 0
    said = capsys.readouterr().out
    assert "ISIC2018_Task1-2_Validation_Input: 0 images with a mask, the published data set has 100 there" in said
    (source / "ISIC2018_Task1-2_Validation_Input").mkdir()
    with pytest.raises(ValueError, match="no folder ISIC2018_Task1_Validation_GroundTruth in it"):
        isic2018.prepare(source, tmp_path / "out", overwrite=True)


def test_an_image_in_two_splits_is_refused(tmp_path):
    source = official(tmp_path / "source", {"Training": range(50), "Test": range(49, 59)})
    with pytest.raises(
        ValueError, match=r"1 of 59 cases refused.* ISIC_0000049: two files stand for this case: .* and "
    ):
        isic2018.prepare(source, tmp_path / "out")
    summary = isic2018.prepare(source, tmp_path / "out", skip_bad=True)
    assert list(summary["refused"]) == ["ISIC_0000049"] and sum(summary["cases"].values()) == 58


def test_converted_files_in_the_official_folders(tmp_path):
    source = small(tmp_path / "source")
    for file in source.rglob("*.jpg"):
        Image.open(file).save(file.with_suffix(".png"))
        file.unlink()
    assert isic2018.prepare(source, tmp_path / "out")["cases"] == {"training": 54, "validation": 6, "test": 10}


def test_plain_folders(tmp_path):
    source = pairs(tmp_path / "source")
    with pytest.raises(ValueError, match=r"no published split for images/ .*use --split random, sorted, a JSON file"):
        isic2018.prepare(source, tmp_path / "out")
    (source / "masks" / "ISIC_9_segmentation.png").rename(source / "masks" / "ISIC_9.png")
    isic2018.prepare(source, tmp_path / "out", split="sorted")
    found = cases(tmp_path / "out")
    assert found["test"] == ["ISIC_0", "ISIC_1"] and found["validation"] == ["ISIC_2"] and len(found["training"]) == 7
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out" / "images" / "ISIC_0.png")), numbered(SKIN, 0))
    (tmp_path / "split.json").write_text(
        json.dumps({"training": ["ISIC_5"], "validation": ["ISIC_9"], "test": ["ISIC_1"]})
    )
    with pytest.warns(UserWarning, match="7 cases in no split"):
        summary = isic2018.prepare(source, tmp_path / "out", split=tmp_path / "split.json", overwrite=True)
    assert summary["cases"] == {"training": 1, "validation": 1, "test": 1}


@pytest.mark.parametrize(
    "mask",
    [MASK, MASK * 255, MASK * 235 + 10, np.stack([MASK * 255] * 3, -1), MASK > 0],
    ids=["01", "0255", "lossy", "rgb", "bits"],
)
def test_mask_conventions(tmp_path, mask):
    source = pairs(tmp_path / "source", mask=mask if mask.dtype == bool else mask.astype(np.uint8))
    isic2018.prepare(source, tmp_path / "out", split="sorted")
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out" / "labels" / "ISIC_0.png")), MASK)


def test_reduced_size(tmp_path):
    isic2018.prepare(pairs(tmp_path / "source"), tmp_path / "out", split="sorted", size=16)
    assert (
        "longest edge at most 16 pixels" in json.loads((tmp_path / "out" / "datalist.json").read_text())["description"]
    )
    image, label = (Image.open(tmp_path / "out" / kind / "ISIC_0.png") for kind in ("images", "labels"))
    assert image.size == label.size == (16, 11)
    assert np.unique(np.asarray(label)).tolist() == [0, 1]
    with pytest.raises(ValueError, match="size 8: expected pixels of the longest edge, at least 16"):
        isic2018.prepare(tmp_path / "source", tmp_path / "out", size=8)


@pytest.mark.parametrize(
    ("odd", "message"),
    [
        ({"mask": MASK[:, :29]}, r"image \(20, 30\) and mask \(20, 29\) \(height, width\) have different sizes"),
        ({"mask": MASK * 200}, r"ISIC_0_segmentation.png holds the mask values \[200\], expected 0 and 255"),
        ({"mask": MASK * 2}, r"mask values \[0, 2\], expected 0 and 255, or 0 and 1"),
        ({"mask": SKIN}, "no black background, found the colours"),
        ({"image": SKIN * 0 + 7}, "images/ISIC_0.png: every pixel is 7, expected an image"),
    ],
)
def test_refused_images(tmp_path, odd, message):
    source = pairs(tmp_path / "source", **odd)
    with pytest.raises(ValueError, match=rf"^1 of 10 cases refused, nothing was written: ISIC_0: .*{message}"):
        isic2018.prepare(source, tmp_path / "out", split="sorted")
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_a_validation_part_without_a_lesion_is_warned_about(tmp_path):
    source = pairs(tmp_path / "source")
    save(MASK * 0, source / "masks" / "ISIC_2_segmentation.png")
    with pytest.warns(UserWarning, match="^no validation case has lesion: the best model could not be chosen by it"):
        isic2018.prepare(source, tmp_path / "out", split="sorted")


def test_partners(tmp_path):
    source = small(tmp_path / "source")
    images, masks = source / "ISIC2018_Task1-2_Test_Input", source / "ISIC2018_Task1_Test_GroundTruth"
    (masks / "ISIC_0000080_segmentation.png").unlink()
    (images / "ISIC_0000081.jpg").unlink()
    (images / "ISIC_0000082.jpg").write_bytes((images / "ISIC_0000083.jpg").read_bytes()[:300])
    with pytest.raises(ValueError, match="^3 of 70 cases refused") as error:
        isic2018.prepare(source, tmp_path / "out")
    assert "ISIC_0000080.jpg has no mask of the same name in" in str(error.value)
    assert "ISIC_0000081_segmentation.png has no image of the same name in" in str(error.value)
    assert "ISIC_0000082.jpg is unreadable or truncated" in str(error.value)


def test_source_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match="source .*nowhere: no such folder"):
        isic2018.prepare(tmp_path / "nowhere", tmp_path / "out")
    (tmp_path / "source" / "images").mkdir(parents=True)
    with pytest.raises(ValueError, match="expected ISIC2018_Task1-2_Training_Input/, .*found none of them"):
        isic2018.prepare(tmp_path / "source", tmp_path / "out")


@pytest.mark.slow
@pytest.mark.skipif("MEDKD_SAMPLE_DATA" not in os.environ, reason="MEDKD_SAMPLE_DATA is not set")
def test_real_images(tmp_path):
    source = Path(os.environ["MEDKD_SAMPLE_DATA"]) / "isic2018_256"
    counts = isic2018.prepare(source, tmp_path / "out", split="sorted")["cases"]
    assert counts == {"training": 1307, "validation": 145, "test": 364}
    entry = load_datalist(tmp_path / "out", "test")[0]
    image, mask = source / "images" / f"{entry['case']}.jpg", source / "masks" / f"{entry['case']}_segmentation.png"
    assert np.array_equal(np.asarray(Image.open(entry["image"])), np.asarray(Image.open(image)))
    assert np.array_equal(np.asarray(Image.open(entry["label"])), np.asarray(Image.open(mask)) == 255)
