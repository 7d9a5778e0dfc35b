"""Pictures of a preparation: plain pairs of folders, reading, reduced copies."""

import numpy as np
import pytest
from PIL import Image

from medkd.data_prep._pictures import (
    check_ends,
    check_size,
    discover_plain_pairs,
    mask_suffixes,
    open_picture,
    read_grey,
    read_image,
    store_pictures,
)

PICTURE = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
MASK = np.zeros((20, 30), np.uint8)
MASK[4:8, 10:20] = 1


def save(array, path, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)
    return path


def test_masks_may_have_an_ending_behind_the_name(tmp_path):
    assert {"_od.png", ".png"} <= set(mask_suffixes("_OD"))
    assert discover_plain_pairs(tmp_path) is None
    for name, mask in (("a", "a_OD"), ("b", "b")):
        save(PICTURE, tmp_path / f"images/{name}.jpg")
        save(MASK, tmp_path / f"masks/{mask}.PNG")
    assert list(discover_plain_pairs(tmp_path, "_OD").files) == ["a", "b"]
    assert sorted(discover_plain_pairs(tmp_path).refused) == ["a", "a_OD"]
    assert list(discover_plain_pairs(tmp_path, "_OD", keep=lambda stem: stem == "b").patients) == ["b"]


def test_sizes():
    for size in (None, 0, 16, 1024):
        check_size(size)
    for size in (15, -1, 20.0, True, "64"):
        with pytest.raises(ValueError, match="expected pixels of the longest edge, at least 16, or 0"):
            check_size(size)


def test_stored_pictures_are_reduced_and_never_enlarged(tmp_path):
    for size, stored in ((None, (30, 20)), (0, (30, 20)), (64, (30, 20)), (16, (16, 11))):
        entry = store_pictures("c", "p", PICTURE, MASK, tmp_path, size)
        assert entry == {"image": "images/c.png", "label": "labels/c.png", "case": "c", "patient": "p"}
        image, label = (Image.open(tmp_path / entry[key]) for key in ("image", "label"))
        assert image.size == label.size == stored and np.unique(label).tolist() == [0, 1]
        assert np.array_equal(image, PICTURE) == (size != 16)
    with pytest.raises(ValueError, match=r"image \(20, 30\) and mask \(19, 30\) .* have different sizes"):
        store_pictures("c", "p", PICTURE, MASK[1:], tmp_path)


def test_images_are_rgb_and_vary(tmp_path):
    assert np.array_equal(read_image(save(PICTURE, tmp_path / "a.png")), PICTURE)
    for array, message in [
        (PICTURE[..., 0], "is greyscale, expected RGB with 8 bit"),
        (PICTURE[..., 0].astype(np.uint16), "is of mode I;16, expected RGB"),
        (PICTURE * 0 + 9, "every pixel is 9, expected an image"),
    ]:
        with pytest.raises(ValueError, match=f"b.png:? {message}"):
            read_image(save(array, tmp_path / "b.png"))


def test_masks_are_grey_or_have_equal_channels(tmp_path):
    for array in (MASK, np.stack([MASK] * 3, -1)):
        assert np.array_equal(read_grey(save(array, tmp_path / "a.png")), MASK)
    with pytest.raises(ValueError, match="a.png is a mask of mode RGB with unequal channels"):
        read_grey(save(PICTURE, tmp_path / "a.png"))


def test_unreadable_pictures_are_named(tmp_path):
    path = save(PICTURE, tmp_path / "a.png")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="a.png is unreadable or truncated"):
        open_picture(path)


@pytest.mark.parametrize(
    ("values", "listed"),
    [([0, 255], None), ([10, 245], None), ([0, 11, 255], [11]), ([0, 244], [244]), ([0, 1], [0, 1]), ([0, 300], [300])],
)
def test_mask_values_near_both_ends(tmp_path, values, listed):
    if listed is None:
        check_ends(tmp_path / "a.png", np.array(values), "0 and 255")
        return
    with pytest.raises(ValueError) as error:
        check_ends(tmp_path / "a.png", np.array(values), "0 and 255")
    assert str(error.value) == f"{tmp_path}/a.png holds the mask values {listed}, expected 0 and 255"
