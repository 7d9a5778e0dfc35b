"""The report on pictures: odd cases, notes and warnings; nothing else changes in a data set."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from medkd.data_prep import isic2018
from medkd.data_prep._picture_report import PictureMeasures, odd_pictures

CASE = PictureMeasures(size=(100, 200), image="RGB 8 bit", mask="L 8 bit", pixels=1000)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"pixels": 0}, "no lesion"),
        ({"pixels": 20000, "border": 1.0}, "the whole picture is lesion"),
        ({"pixels": 18000, "border": 1.0}, "lesion surrounds the rest, 90% of the picture: is the mask inverted?"),
        ({"pixels": 9}, "little lesion: 9 pixels, 0.00045 (median 5.00%)"),
        ({"size": (10, 20), "pixels": 10}, "size 10 x 20, the others' median longest edge is 200"),
    ],
)
def test_a_picture_that_differs_is_odd(change, reason):
    cases = {"a": CASE, "b": CASE, "c": CASE, "odd": replace(CASE, **change)}
    assert odd_pictures(cases, "lesion") == {"odd": [reason]}


def test_much_foreground_is_odd():
    cases = {"a": replace(CASE, pixels=100), "b": replace(CASE, pixels=100), "odd": replace(CASE, pixels=3000)}
    assert odd_pictures(cases, "disc") == {"odd": ["much disc: 15.0% of the picture (median 0.50%)"]}


def folders(folder, change=lambda number, mask: mask, suffix="png"):
    generator = np.random.default_rng(0)
    for number in range(10):
        mask = np.zeros((40, 60), np.uint8)
        mask[5:25, 10 + number : 30 + number] = 255
        for name, array, ending in (
            ("images", generator.integers(0, 256, (40, 60, 3), dtype=np.uint8), "png"),
            ("masks", change(number, mask), suffix),
        ):
            (folder / name).mkdir(parents=True, exist_ok=True)
            picture = array if isinstance(array, Image.Image) else Image.fromarray(array)
            picture.save(folder / name / f"p{number}.{ending}")
    return folder


def prepare(source, out, **options):
    isic2018.prepare(source, out, split="sorted", **options)
    return (out / "report.md").read_text(), json.loads((out / "report.json").read_text())


def test_the_report_of_ordinary_pictures(tmp_path, recwarn):
    text, report = prepare(folders(tmp_path / "raw"), tmp_path / "out")
    assert text.startswith("# 10 cases: 7 training, 1 validation, 2 test\n\n- lesion: 16.67% to 16.67% of the picture")
    assert "- sizes: 1, the most common is 40 x 60 (rows x columns) of 10 pictures" in text
    assert "## Odd cases\n\nNone.\n" in text and "| p3 " in text and not recwarn.list
    assert report["cases"]["p3"] == {
        "part": "training",
        "size": [40, 60],
        "image": "RGB 8 bit",
        "mask": "L 8 bit",
        "lesion %": 16.67,
        "soft %": 0.0,
    }


def test_inverted_and_empty_masks_are_seen(tmp_path):
    source = folders(tmp_path / "raw", lambda number, mask: mask * 0 if number == 1 else 255 - mask)
    with pytest.warns(UserWarning, match="^in 9 of 10 masks lesion surrounds the rest: are they inverted"):
        text, _ = prepare(source, tmp_path / "out")
    assert (
        "- p1: no lesion" in text
        and "- p2: lesion surrounds the rest, 83% of the picture: is the mask inverted?" in text
    )
    assert "- in 9 of 10 masks lesion surrounds the rest: are they inverted?" in text
    assert "in 1 of 10 masks none" in text


def test_lossy_masks_are_told_once(tmp_path):
    def smooth(number, mask):
        return (
            Image.fromarray(mask).resize((48, 32), Image.Resampling.BILINEAR).resize((60, 40)) if number < 3 else mask
        )

    with pytest.warns(UserWarning, match="^3 of 10 masks hold values between both ends .* cut at 127$") as caught:
        text, report = prepare(folders(tmp_path / "raw", smooth), tmp_path / "out")
    assert len(caught) == 1 and f"- {caught[0].message}" in text
    assert report["cases"]["p0"]["soft %"] > 0 == report["cases"]["p5"]["soft %"]


def test_conversions_and_refused_cases_are_listed(tmp_path):
    source = folders(
        tmp_path / "raw", lambda number, mask: np.stack([mask, mask * 0, mask * 0], -1) if number == 3 else mask
    )
    Image.open(source / "images/p4.png").convert("L").save(source / "images/p4.png")
    (source / "masks/p6.png").write_bytes(b"")
    text, report = prepare(source, tmp_path / "out", skip_bad=True)
    assert "- 1 of 9: image: grey, copied to three channels" in text
    assert report["cases"]["p3"]["mask"] == "RGB 8 bit (255, 0, 0)"
    assert "- p6: " in text and list(report["refused"]) == ["p6"]


def test_grey_images_are_told_of_their_own_task(tmp_path):
    source = folders(tmp_path / "raw")
    for path in (source / "images").iterdir():
        Image.open(path).convert("L").save(path)
    with pytest.warns(UserWarning, match="^10 of 10 images are grey: `medkd prepare pictures` keeps one channel"):
        prepare(source, tmp_path / "out")


def test_a_mask_turned_by_the_exif_of_its_image_is_told(tmp_path, capsys):
    source = folders(tmp_path / "raw")
    tags = Image.Exif()
    tags[0x0112] = 6
    image = Image.open(source / "images/p4.png")
    image.save(source / "images/p4.png", exif=tags)
    text, _ = prepare(source, tmp_path / "out")
    assert "note: p4: mask: turned as the EXIF of its image says" in capsys.readouterr().err
    assert "- 1 of 10: image: turned upright by EXIF" in text and "mask: turned as the EXIF of its image says" in text
    stored = np.asarray(Image.open(tmp_path / "out/images/p4.png"))
    assert np.array_equal(stored, np.rot90(np.asarray(image), -1))
    assert np.asarray(Image.open(tmp_path / "out/labels/p4.png")).shape == (60, 40)
