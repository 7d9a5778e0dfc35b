"""CVC-EndoSceneStill preparation: the published split, the mask conventions, every refusal."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medkd.data import SPLITS, load_datalist
from medkd.data_prep import cvc_endoscene
from medkd.phantoms import make_cvc_endoscene

from .own_pictures import numbered

MASK = np.zeros((20, 30), np.uint8)
MASK[5:9, 10:20] = 1
FRAME = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def save(array, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def pairs(folder, names=("1", "26", "27", "51", "200"), image=None, mask=None, suffix=".png", mask_suffix=".png"):
    """A plain pair of folders; the first name's image or mask may be replaced. 1 test, 26, 27, 200 training, 51 val."""
    for number, name in enumerate(names):
        first = number == 0
        save(image if first and image is not None else numbered(FRAME, number), folder / "images" / f"{name}{suffix}")
        save(mask if first and mask is not None else MASK * 255, folder / "masks" / f"{name}{mask_suffix}")
    return folder


def test_published_ranges():
    totals = {}
    for name, frames in (("CVC-300", 300), ("CVC-612", 612)):
        numbers = []
        for split, stretches in cvc_endoscene.PUBLISHED[name].items():
            covered = [number for first, last in stretches for number in range(first, last + 1)]
            totals[split] = totals.get(split, 0) + len(covered)
            numbers += covered
        assert sorted(numbers) == list(range(1, frames + 1))
    assert totals == {"training": 547, "validation": 183, "test": 182}


def test_all_official_frames_get_the_published_split(tmp_path):
    """All 912 names, as 2x2 pictures."""
    frame, mask = FRAME[:2, :2], MASK[5:7, 9:11]
    for name, count, suffix in (("CVC-300", 300, ".bmp"), ("CVC-612", 612, ".tif")):
        for number in range(1, count + 1):
            save(
                numbered(frame, number + (300 if name == "CVC-612" else 0)),
                tmp_path / "source" / name / "bbdd" / f"{number}.bmp",
            )
            save(mask * 255, tmp_path / "source" / name / "gtpolyp" / f"{number}{suffix}")
    summary = cvc_endoscene.prepare(tmp_path / "source", tmp_path / "out")
    assert summary["cases"] == {"training": 547, "validation": 183, "test": 182}
    splits = {split: load_datalist(tmp_path / "out", split) for split in SPLITS}
    patients = {split: {entry["patient"] for entry in entries} for split, entries in splits.items()}
    assert sum(map(len, patients.values())) == 21
    assert {"case": "cvc612_001", "patient": "cvc612_001-025"}.items() <= splits["test"][60].items()
    assert {"cvc300_076", "cvc612_612"} <= {entry["case"] for entry in splits["training"]}
    assert {"cvc300_077", "cvc612_051"} <= {entry["case"] for entry in splits["validation"]}
    assert np.array_equal(np.asarray(Image.open(splits["test"][0]["image"])), numbered(frame, 149))
    assert np.asarray(Image.open(splits["test"][0]["label"])).tolist() == [[0, 1], [0, 1]]


@pytest.mark.parametrize("variant", ["official", "cvc912"])
def test_phantoms(tmp_path, variant):
    make_cvc_endoscene(tmp_path / "source", frames=24, variant=variant, scale=0.1)
    counts = cvc_endoscene.prepare(tmp_path / "source", tmp_path / "out")["cases"]
    assert sum(counts.values()) == 24 and min(counts.values()) >= 4
    for entry in load_datalist(tmp_path / "out", "training"):
        image, label = Image.open(entry["image"]), Image.open(entry["label"])
        assert image.mode == "RGB" and label.mode == "L" and image.size == label.size
        assert np.unique(np.asarray(label)).tolist() == [0, 1]
    if variant == "cvc912":
        void = np.asarray(Image.open(next((tmp_path / "source").glob("CVC-912/train/masks2/0.tif"))))
        stored = np.asarray(Image.open(tmp_path / "out" / "labels" / "cvc912_train_0.png"))
        assert (void == 2).any() and np.array_equal(stored, void == 1)
        assert cvc_endoscene.prepare(tmp_path / "source" / "CVC-912", tmp_path / "again")["cases"] == counts


def test_masks_with_more_classes(tmp_path):
    mask = MASK.copy()
    mask[0, :5] = range(5)
    for number, split in enumerate(("train", "valid", "test")):
        save(numbered(FRAME, number), tmp_path / "source" / split / "images" / "1.bmp")
        save(mask, tmp_path / "source" / split / "masks4" / "1.tif")
    cvc_endoscene.prepare(tmp_path / "source", tmp_path / "out")
    stored = np.asarray(Image.open(load_datalist(tmp_path / "out", "test")[0]["label"]))
    assert np.array_equal(stored, mask == 1)


def test_numbers_are_frames_of_cvc612(tmp_path):
    cvc_endoscene.prepare(pairs(tmp_path / "source"), tmp_path / "out")
    cases = {split: [entry["case"] for entry in load_datalist(tmp_path / "out", split)] for split in SPLITS}
    assert cases == {
        "training": ["cvc612_026", "cvc612_027", "cvc612_200"],
        "validation": ["cvc612_051"],
        "test": ["cvc612_001"],
    }
    assert load_datalist(tmp_path / "out", "training")[1]["patient"] == "cvc612_026-050"
    for name, official in (("images", "Original"), ("masks", "Ground Truth")):  # as CVC-ClinicDB is downloaded
        (tmp_path / "source" / name).rename(tmp_path / "source" / official)
    cvc_endoscene.prepare(tmp_path / "source", tmp_path / "clinic")
    assert load_datalist(tmp_path / "clinic", "test")[0]["case"] == "cvc612_001"


def test_other_names_need_another_split(tmp_path):
    source = pairs(tmp_path / "source", names=[f"polyp_{n}" for n in range(1, 11)])
    with pytest.raises(ValueError, match=r"no published split .*use --split random, sorted, a JSON file"):
        cvc_endoscene.prepare(source, tmp_path / "out")
    counts = cvc_endoscene.prepare(source, tmp_path / "out", split="sorted")["cases"]
    assert counts == {"training": 7, "validation": 1, "test": 2}
    assert json.loads((tmp_path / "out" / "split.json").read_text())["test"] == ["polyp_1", "polyp_2"]


@pytest.mark.parametrize(
    "mask",
    [MASK, MASK * 255, MASK * 235 + 10, np.stack([MASK * 255] * 3, -1), MASK + 2 * (MASK[::-1] > 0)],
    ids=["01", "0255", "lossy", "rgb", "void"],
)
def test_mask_conventions(tmp_path, mask):
    cvc_endoscene.prepare(pairs(tmp_path / "source", mask=mask.astype(np.uint8)), tmp_path / "out")
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out" / "labels" / "cvc612_001.png")), MASK)


def test_empty_mask_stays_empty(tmp_path):
    cvc_endoscene.prepare(pairs(tmp_path / "source", mask=MASK * 0), tmp_path / "out")
    assert not np.asarray(Image.open(tmp_path / "out" / "labels" / "cvc612_001.png")).any()


@pytest.mark.parametrize(
    ("odd", "message"),
    [
        ({"mask": MASK[:, :29]}, r"image \(20, 30\) and mask \(20, 29\) \(height, width\) have different sizes"),
        ({"mask": MASK * 200}, r"masks/1.png holds the mask values \[200\], expected 0 and 255"),
        ({"mask": MASK * 255 - np.eye(20, 30, dtype=np.uint8) * 100}, r"mask values \[156\]"),
        ({"mask": MASK * 5}, r"mask values \[0, 5\], expected 0 and 255, or 0, 1 and 2"),
        ({"mask": FRAME}, "no black background, found the colours"),
        ({"image": FRAME * 0 + 7}, "images/1.png: every pixel is 7, expected an image"),
    ],
)
def test_refused_frames(tmp_path, odd, message):
    source = pairs(tmp_path / "source", **odd)
    with pytest.raises(ValueError, match=rf"^1 of 5 cases refused, nothing was written: cvc612_001: .*{message}"):
        cvc_endoscene.prepare(source, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
def test_truncated_files(tmp_path, suffix):
    source = pairs(tmp_path / "source", suffix=suffix, mask_suffix=suffix)
    for path in (source / "images" / f"1{suffix}", source / "masks" / f"51{suffix}"):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match="^2 of 5 cases refused") as error:
        cvc_endoscene.prepare(source, tmp_path / "out")
    first, second = str(error.value).splitlines()[1:]
    assert first.startswith("cvc612_001: ") and f"images/1{suffix} is unreadable or truncated" in first
    assert second.startswith("cvc612_051: ") and f"masks/51{suffix} is unreadable or truncated" in second


def test_partners_and_skipping(tmp_path):
    source = pairs(tmp_path / "source", names=("1", "2", "26", "27", "51", "52", "53"))
    (source / "masks" / "2.png").unlink()
    (source / "images" / "52.png").unlink()
    save(MASK, source / "masks" / "53.bmp")
    with pytest.raises(ValueError, match="^3 of 7 cases refused") as error:
        cvc_endoscene.prepare(source, tmp_path / "out")
    assert "images/2.png has no mask of the same name" in str(error.value)
    assert "masks/52.png has no image of the same name" in str(error.value)
    assert "cvc612_053: several files of one name" in str(error.value)
    summary = cvc_endoscene.prepare(source, tmp_path / "out", skip_bad=True)
    assert summary["cases"] == {"training": 2, "validation": 1, "test": 1}
    assert set(summary["refused"]) == {"cvc612_002", "cvc612_052", "cvc612_053"}


def test_a_frame_number_outside_the_set_is_named(tmp_path):
    make_cvc_endoscene(tmp_path / "source", frames=24, scale=0.1)
    for kind, array, suffix in (("bbdd", FRAME, ".bmp"), ("gtpolyp", MASK, ".bmp")):
        save(array, tmp_path / "source" / "CVC-300" / kind / f"301{suffix}")
    with pytest.raises(ValueError, match="cvc300_301: '301' in .*bbdd is not a frame number of CVC-300"):
        cvc_endoscene.prepare(tmp_path / "source", tmp_path / "out")


def test_source_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match="source .*nowhere: no such folder"):
        cvc_endoscene.prepare(tmp_path / "nowhere", tmp_path / "out")
    (tmp_path / "source" / "else").mkdir(parents=True)
    with pytest.raises(ValueError, match="expected CVC-300/ or CVC-612/ .*found none of them"):
        cvc_endoscene.prepare(tmp_path / "source", tmp_path / "out")
    (tmp_path / "source" / "CVC-612" / "bbdd").mkdir(parents=True)
    with pytest.raises(ValueError, match="CVC-612: no folder gtpolyp in it"):
        cvc_endoscene.prepare(tmp_path / "source", tmp_path / "out")
    source = pairs(tmp_path / "pairs", names=("26", "27"))
    with pytest.raises(ValueError, match="no usable case for validation and test"):
        cvc_endoscene.prepare(source, tmp_path / "out")


def test_existing_target(tmp_path):
    source = pairs(tmp_path / "source")
    cvc_endoscene.prepare(source, tmp_path / "out")
    with pytest.raises(ValueError, match="--overwrite True"):
        cvc_endoscene.prepare(source, tmp_path / "out")
    assert cvc_endoscene.prepare(source, tmp_path / "out", overwrite=True)["cases"]["training"] == 3


@pytest.mark.slow
@pytest.mark.skipif("MEDKD_SAMPLE_DATA" not in os.environ, reason="MEDKD_SAMPLE_DATA is not set")
def test_real_cvc612(tmp_path):
    source = Path(os.environ["MEDKD_SAMPLE_DATA"]) / "cvc612"
    counts = cvc_endoscene.prepare(source, tmp_path / "out")["cases"]
    assert counts == {"training": 367, "validation": 123, "test": 122}
    entry = load_datalist(tmp_path / "out", "test")[0]
    assert np.array_equal(np.asarray(Image.open(entry["image"])), np.asarray(Image.open(source / "images" / "1.png")))
    mask = np.asarray(Image.open(source / "masks" / "1.png"))
    assert np.array_equal(np.asarray(Image.open(entry["label"])), mask == 255)


def test_folders_and_names_of_nnunet(tmp_path):
    pairs(tmp_path / "plain", names=("a", "b", "c", "d", "e"))
    (tmp_path / "plain/masks").rename(tmp_path / "plain/labelsTr")
    (tmp_path / "plain/images").rename(tmp_path / "plain/imagesTr")
    for file in (tmp_path / "plain/imagesTr").iterdir():
        file.rename(file.with_name(f"{file.stem}_0000.png"))
    summary = cvc_endoscene.prepare(tmp_path / "plain", tmp_path / "out", split="random")
    assert sum(summary["cases"].values()) == 5 and (tmp_path / "out/images/a.png").is_file()
