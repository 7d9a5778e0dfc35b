"""Pictures are read as RGB with 8 bit."""

import numpy as np
import pytest
from PIL import Image

from medkd.io import as_rgb, read_picture


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_pictures_of_16_bit_keep_their_contrast(tmp_path, suffix):
    grey = np.arange(256, dtype=np.uint16).reshape(16, 16)
    Image.fromarray(grey * 257).save(tmp_path / f"deep{suffix}")
    found = read_picture(tmp_path / f"deep{suffix}")
    assert found.dtype == np.uint8 and np.array_equal(found, np.stack([grey] * 3))


def test_pictures_whose_range_nobody_knows_are_refused(tmp_path):
    Image.fromarray(np.ones((4, 4), np.float32)).save(tmp_path / "float.tif")
    with pytest.raises(ValueError, match="mode F"):
        read_picture(tmp_path / "float.tif")


def test_a_picture_too_large_to_be_one_is_an_input_error(tmp_path, monkeypatch):
    Image.fromarray(np.zeros((16, 16), np.uint8)).save(tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(ValueError, match="bomb.png is unreadable .*exceeds limit of 200 pixels"):
        read_picture(tmp_path / "bomb.png")


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "CMYK"])
def test_every_mode_becomes_rgb(mode):
    picture = as_rgb(Image.new("RGB", (3, 2), (255, 255, 255)).convert(mode))
    assert picture.mode == "RGB" and np.asarray(picture).min() == 255
