"""Grey or RGB, 8 or 16 bit: what a file is, and pictures in the form of a data set."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from medkd.io import open_picture, picture_form, read_in_form, read_stored_picture

GREY = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)
EIGHT = (GREY // 16).astype(np.uint8)
RGB = np.stack([EIGHT, EIGHT[::-1], EIGHT.T], -1)


def files(folder):
    Image.fromarray(EIGHT).save(folder / "grey.png")
    Image.fromarray(EIGHT).convert("P").save(folder / "grey_palette.png")
    Image.fromarray(GREY).save(folder / "grey16.png")
    tifffile.imwrite(folder / "grey16_big.tif", GREY, byteorder=">", compression="zlib")
    tifffile.imwrite(folder / "grey16_signed.tif", GREY.astype(np.int16) - 1000)
    Image.fromarray(RGB).save(folder / "rgb.png")
    Image.fromarray(RGB).convert("RGBA").save(folder / "rgb_alpha.png")
    Image.fromarray(RGB).quantize(32).save(folder / "rgb_palette.png")
    return sorted(folder.iterdir())


def test_the_form_of_files(tmp_path):
    for path in files(tmp_path):
        assert picture_form(open_picture(path)) == path.stem.partition("_")[0], path.name


def test_nothing_is_lost_in_a_files_own_form(tmp_path):
    files(tmp_path)
    expected = {"grey.png": EIGHT, "grey16.png": GREY, "grey16_big.tif": GREY, "grey16_signed.tif": GREY - 1000.0}
    for name, array in expected.items():
        read = read_in_form(tmp_path / name, name.partition(".")[0].partition("_")[0])
        np.testing.assert_array_equal(read, array[None])
        np.testing.assert_array_equal(read_stored_picture(tmp_path / name), read)
    np.testing.assert_array_equal(read_in_form(tmp_path / "rgb.png", "rgb"), np.moveaxis(RGB, -1, 0))


def test_8_bit_are_not_converted_to_numbers_of_12_bit(tmp_path):
    files(tmp_path)
    with pytest.raises(ValueError, match=r"grey.png: found grey of 8 bit, expected grey of 16 bit .* 800 to 2300"):
        read_in_form(tmp_path / "grey.png", "grey16", convert=True, window=(800, 2300))
    assert read_in_form(tmp_path / "grey16.png", "grey16", convert=True, window=(800, 2300)).shape == (1, 64, 64)
    assert read_in_form(tmp_path / "grey.png", "grey16", convert=True, window=[[0, 60000]]).max() == 255 * 257


def test_another_form_is_refused_or_converted_on_request(tmp_path):
    files(tmp_path)
    with pytest.raises(ValueError, match=r"rgb.png: found RGB, expected grey of 8 bit .*--convert True"):
        read_in_form(tmp_path / "rgb.png", "grey")
    with pytest.raises(ValueError, match=r"grey16.png: found grey of 16 bit, expected grey of 8 bit"):
        read_in_form(tmp_path / "grey16.png", "grey")
    luminance = read_in_form(tmp_path / "rgb.png", "grey", convert=True)
    np.testing.assert_allclose(luminance[0], RGB @ [0.299, 0.587, 0.114], atol=1)
    np.testing.assert_array_equal(read_in_form(tmp_path / "grey.png", "rgb", convert=True), np.stack([EIGHT] * 3))
    np.testing.assert_array_equal(
        read_in_form(tmp_path / "grey.png", "grey16", convert=True)[0], EIGHT * np.uint16(257)
    )


def test_numbers_of_unknown_range_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", GREY.astype(np.float32))
    with pytest.raises(ValueError, match=r"a.tif is of mode F .*expected colours or grey of 8 or 16 bit"):
        read_in_form(tmp_path / "a.tif", "grey16")
