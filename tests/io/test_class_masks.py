"""Masks of several classes: which number a pixel has, and what is refused."""

import numpy as np
import pytest
import tifffile
from PIL import Image
from scipy.ndimage import gaussian_filter

from medkd.io import read_class_mask

CLASSES = np.zeros((40, 48), np.uint8)
CLASSES[5:20, 5:20], CLASSES[10:30, 24:40] = 1, 2
DISC = (np.hypot(*np.ogrid[-20:20, -24:24]) < 12).astype(np.uint8)


def save(path, values, **options):
    Image.fromarray(values).save(path, **options)
    return path


@pytest.mark.parametrize("values", [[0, 1, 2], [0, 85, 255], [0, 128, 255], [0, 1, 255], [0, 3, 250]])
@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
def test_numbers_are_classes(tmp_path, values, suffix):
    expected = np.array(values, np.uint8)[CLASSES]
    mask = read_class_mask(save(tmp_path / f"a{suffix}", expected))
    np.testing.assert_array_equal(mask.labels, expected)
    assert mask.soft == 0


def test_numbers_of_16_bit_are_classes(tmp_path):
    expected = np.array([0, 300, 1000], np.uint16)[CLASSES]
    np.testing.assert_array_equal(read_class_mask(save(tmp_path / "a.png", expected)).labels, expected)
    tifffile.imwrite(tmp_path / "b.tif", expected)
    np.testing.assert_array_equal(read_class_mask(tmp_path / "b.tif").labels, expected)


@pytest.mark.parametrize("top", [255, 65535])
def test_two_values_are_0_and_255(tmp_path, top):
    image = DISC * np.array(top, np.uint8 if top == 255 else np.uint16)
    np.testing.assert_array_equal(read_class_mask(save(tmp_path / "a.png", image)).labels, DISC.astype(int) * 255)


def test_the_indices_of_a_palette_are_classes(tmp_path):
    picture = Image.fromarray(CLASSES, "P")
    picture.putpalette([0, 0, 0, 200, 30, 30, 30, 200, 30])
    picture.save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_class_mask(tmp_path / "a.png").labels, CLASSES)
    inverted = Image.fromarray(1 - DISC, "P")
    inverted.putpalette([255, 255, 255, 0, 0, 0])
    inverted.save(tmp_path / "b.png")
    with pytest.raises(ValueError, match="b.png has a palette in which black is index 1, expected .* index 0"):
        read_class_mask(tmp_path / "b.png")


def test_soft_edges_of_two_values_are_cut(tmp_path):
    lossy = read_class_mask(save(tmp_path / "a.jpg", DISC * np.uint8(255), quality=80))
    smooth = read_class_mask(save(tmp_path / "b.png", gaussian_filter(DISC * 255.0, 0.7).astype(np.uint8)))
    assert lossy.soft > 0 and smooth.soft > 0
    np.testing.assert_array_equal(lossy.labels > 0, DISC)
    assert np.unique(smooth.labels).tolist() == [0, 255]


def test_a_colour_on_black_is_one_class(tmp_path):
    mask = read_class_mask(save(tmp_path / "a.png", DISC[..., None] * np.array([0, 200, 0], np.uint8)))
    assert mask.colour == (0, 200, 0) and np.unique(mask.labels).tolist() == [0, 255]


REFUSED = {
    "numbers in JPEG": (lambda path: save(path / "a.jpg", CLASSES), "holds classes in a lossy format"),
    "a third class in JPEG": (
        lambda path: save(path / "a.jpg", np.array([0, 128, 255], np.uint8)[CLASSES], quality=95),
        "holds the mask values .* expected a number for each class",
    ),
    "an image": (
        lambda path: save(path / "a.png", np.random.default_rng(0).integers(0, 200, (40, 48)).astype(np.uint8)),
        "holds 200 different values: is it an image",
    ),
    "colours": (
        lambda path: save(path / "a.png", np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0]], np.uint8)[CLASSES]),
        "holds the colours .* or one folder for each class",
    ),
    "one colour of each channel": (  # the median of each channel is 0
        lambda path: save(
            path / "a.png", 255 * np.eye(4, dtype=np.uint8)[np.arange(1600).reshape(40, 40) // 400][..., 1:]
        ),
        r"holds the colours \[\[255, 0, 0\], \[0, 255, 0\]\]",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_uncertain_is_refused(tmp_path, name):
    make, message = REFUSED[name]
    path = make(tmp_path)
    with pytest.raises(ValueError, match=message) as error:
        read_class_mask(path)
    assert str(path) in str(error.value)
