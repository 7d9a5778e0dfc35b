"""Pictures of a preparation: plain pairs of folders, reading, reduced copies."""

import numpy as np
import pytest
from PIL import Image

from medkd.data_prep._cases import CaseFiles
from medkd.data_prep._picture_images import check_size
from medkd.data_prep._pictures import discover_plain_pairs, mask_suffixes, read_pair, store_pictures
from medkd.io import read_mask

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


def pair(image, mask):
    return read_pair(CaseFiles((image,), mask), lambda path: read_mask(path, "0 and 255"))


def test_images_are_converted_and_vary(tmp_path):
    mask = save(MASK * 255, tmp_path / "mask.png")
    assert np.array_equal(pair(save(PICTURE, tmp_path / "a.png"), mask).image, PICTURE)
    grey = PICTURE[..., 0]
    for array in (grey, grey.astype(np.uint16) * 257, np.stack([grey] * 3, -1)):
        assert np.array_equal(pair(save(array, tmp_path / "a.png"), mask).image, np.stack([grey] * 3, -1))
    with pytest.raises(ValueError, match="b.png: every pixel is 9, expected an image"):
        pair(save(PICTURE * 0 + 9, tmp_path / "b.png"), mask)


def test_masks_of_another_size_are_refused_with_a_hint(tmp_path):
    image = save(PICTURE, tmp_path / "a.png")
    with pytest.raises(
        ValueError, match=r"image \(20, 30\) and mask \(19, 30\) \(height, width\) have different sizes$"
    ):
        pair(image, save(MASK[1:], tmp_path / "m.png"))
    with pytest.raises(ValueError, match="sizes; their rows and columns are exchanged: is one of them turned?"):
        pair(image, save(np.ascontiguousarray(MASK.T), tmp_path / "m.png"))


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


@pytest.mark.parametrize("turn", [None, *Image.Transpose])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_image_and_mask(tmp_path, orientation, turn):
    """Whatever the file's own turn, image and mask lie on each other as viewers show them."""
    bright = np.stack([MASK * 200] * 3, -1)
    lying = [
        Image.fromarray(array) if turn is None else Image.fromarray(array).transpose(turn) for array in (bright, MASK)
    ]
    for picture, name in zip(lying, ("image", "mask"), strict=True):
        picture.save(tmp_path / f"{name}.png", exif=exif(orientation))
    found = pair(tmp_path / "image.png", tmp_path / "mask.png")
    assert np.array_equal(found.image[..., 0] > 100, found.label > 0) and not found.is_turned


TURNED_BACK = {3: Image.Transpose.ROTATE_180, 5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90}


@pytest.mark.parametrize("orientation", TURNED_BACK)
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_exif_of_the_image_alone(tmp_path, orientation, suffix):
    path = tmp_path / f"image.{suffix}"
    stored = Image.fromarray(PICTURE).transpose(TURNED_BACK[orientation])
    stored.save(path, exif=exif(orientation))
    upright = save(MASK, tmp_path / "upright.png")
    lying = save(np.asarray(Image.fromarray(MASK).transpose(TURNED_BACK[orientation])), tmp_path / "lying.png")
    if orientation == 3:  # both fit, and differ
        for mask in (upright, lying):
            with pytest.raises(
                ValueError, match=r"image\..* is turned by EXIF \(orientation 3\), and .* fits it turned and as"
            ):
                pair(path, mask)
        assert np.array_equal(pair(path, save(MASK * 0, tmp_path / "empty.png")).image, PICTURE)
        return
    for mask, is_turned in ((upright, False), (lying, True)):
        found = pair(path, mask)
        assert (
            np.array_equal(found.image, PICTURE) and np.array_equal(found.label, MASK) and found.is_turned == is_turned
        )
    with pytest.raises(ValueError, match=rf"sizes; EXIF turns the image \(orientation {orientation}\)"):
        pair(path, save(MASK[1:], tmp_path / "m.png"))


def test_square_pictures_that_exif_turns_need_a_mask_that_is_clear(tmp_path):
    Image.fromarray(PICTURE[:, :20]).save(tmp_path / "image.jpg", exif=exif(6))
    with pytest.raises(ValueError, match="EXIF"):
        pair(tmp_path / "image.jpg", save(MASK[:, :20], tmp_path / "m.png"))
    Image.fromarray(MASK[:, :20]).save(tmp_path / "m.png", exif=exif(6))
    pair(tmp_path / "image.jpg", tmp_path / "m.png")
