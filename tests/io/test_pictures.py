"""Pictures are read as RGB with 8 bit, upright, and what cannot be told is refused."""

import numpy as np
import pytest
import SimpleITK as sitk
import tifffile
from monai.transforms import LoadImage
from PIL import Image

from medkd.data import PictureReader
from medkd.io import as_rgb, describe_conversion, open_picture, read_picture

COLOURS = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)
GREY = np.arange(256, dtype=np.uint16).reshape(16, 16)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_pictures_of_16_bit_keep_their_contrast(tmp_path, suffix):
    Image.fromarray(GREY * 257).save(tmp_path / f"deep{suffix}")
    found = read_picture(tmp_path / f"deep{suffix}")
    assert found.dtype == np.uint8 and np.array_equal(found, np.stack([GREY] * 3))


@pytest.mark.parametrize(
    "options", [{"byteorder": ">"}, {"compression": "zlib"}, {"bigtiff": True}, {"rowsperstrip": 4}]
)
def test_tiffs_of_16_bit_of_every_kind(tmp_path, options):
    tifffile.imwrite(tmp_path / "a.tif", GREY * 257, **options)
    assert np.array_equal(read_picture(tmp_path / "a.tif")[0], GREY)


def test_colours_of_16_bit(tmp_path):
    sitk.WriteImage(sitk.GetImageFromArray(COLOURS.astype(np.uint16) * 257, isVector=True), tmp_path / "a.png")
    tifffile.imwrite(tmp_path / "a.tif", COLOURS.astype(np.uint16) * 257, photometric="rgb")
    planes = np.moveaxis(COLOURS.astype(np.uint16) * 257, -1, 0)
    tifffile.imwrite(tmp_path / "planes.tif", planes, photometric="rgb", planarconfig="separate")
    with pytest.raises(ValueError, match="planes.tif is unreadable .* separate planes, which Pillow misreads"):
        read_picture(tmp_path / "planes.tif")
    for name in ("a.png", "a.tif"):
        assert np.array_equal(read_picture(tmp_path / name), np.moveaxis(COLOURS, -1, 0)), name
        assert "16 bit scaled to 8" in describe_conversion(open_picture(tmp_path / name))


@pytest.mark.parametrize("highest", [255, 1023, 4095])
def test_numbers_of_fewer_bits_in_16_would_be_black(tmp_path, highest):
    deep = (GREY.astype(int) * highest // 255).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "a.png")
    tifffile.imwrite(tmp_path / "a.tif", np.stack([deep] * 3, -1), photometric="rgb")
    for name in ("a.png", "a.tif"):
        with pytest.raises(ValueError, match=r"a\.... has 16 bit and no value above \d+, expected values up to 65535"):
            read_picture(tmp_path / name)


def test_zero_may_be_white(tmp_path):
    for array in (GREY.astype(np.uint8), GREY * 257):
        tifffile.imwrite(tmp_path / "a.tif", array, photometric="miniswhite")
        assert np.array_equal(read_picture(tmp_path / "a.tif")[0], 255 - GREY)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16", "int32", "uint32", "int8", "uint64"])
def test_pictures_whose_range_nobody_knows_are_refused(tmp_path, dtype):
    tifffile.imwrite(tmp_path / "a.tif", np.ones((4, 4), dtype))
    with pytest.raises(ValueError, match=r"a.tif is of mode .*-bit numbers\), expected colours or grey of 8 or 16 bit"):
        read_picture(tmp_path / "a.tif")


@pytest.mark.parametrize("samples", [2, 5])
def test_channels_of_unknown_content_are_refused(tmp_path, samples):
    tifffile.imwrite(
        tmp_path / "a.tif", np.ones((4, 6, samples), np.uint8), photometric="minisblack", planarconfig="contig"
    )
    with pytest.raises(ValueError, match="a.tif has (2 values per pixel|pixels of shape)"):
        read_picture(tmp_path / "a.tif")


def test_a_picture_too_large_to_be_one_is_an_input_error(tmp_path, monkeypatch):
    Image.fromarray(np.zeros((16, 16), np.uint8)).save(tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(ValueError, match="bomb.png is unreadable .*exceeds limit of 200 pixels"):
        read_picture(tmp_path / "bomb.png")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr"])
def test_every_mode_becomes_rgb(mode):
    picture = as_rgb(Image.new("RGB", (3, 2), (255, 255, 255)).convert(mode))
    assert picture.mode == "RGB" and np.asarray(picture).min() == 255


def test_what_was_converted_is_told(tmp_path):
    colour = Image.fromarray(COLOURS)
    hidden = colour.convert("RGBA")
    hidden.putpixel((0, 0), (1, 2, 3, 0))
    for picture, told in (
        (colour, ""),
        (colour.convert("RGBA"), ""),
        (hidden, "an alpha channel that is not opaque, left out"),
        (colour.convert("L"), "grey, copied to three channels"),
        (colour.quantize(4), "colours of a palette"),
    ):
        picture.save(tmp_path / "a.png")
        assert describe_conversion(open_picture(tmp_path / "a.png")) == told
    colour.convert("CMYK").save(tmp_path / "a.jpg")
    assert describe_conversion(open_picture(tmp_path / "a.jpg")) == "CMYK converted to RGB without its colour profile"


def odd_files(folder):
    """One file of each kind that is read, and of each that is refused."""
    colour = Image.fromarray(COLOURS)
    exif = Image.Exif()
    exif[0x0112] = 6
    colour.save(folder / "turned.jpg", exif=exif)
    colour.save(folder / "turned.tif", exif=exif)
    colour.quantize(4).save(folder / "palette.png", transparency=1)
    colour.convert("LA").save(folder / "grey.png")
    colour.convert("CMYK").save(folder / "cmyk.jpg")
    colour.save(folder / "mpo.jpg", format="MPO", save_all=True, append_images=[colour])
    colour.save(folder / "jpeg.png", format="JPEG")
    Image.fromarray(GREY * 257).save(folder / "deep.png")
    tifffile.imwrite(folder / "white.tif", GREY * 257, photometric="miniswhite")
    colour.save(folder / "pages.tif", save_all=True, append_images=[colour])
    colour.save(folder / "postscript.png", format="EPS")
    Image.fromarray(GREY).save(folder / "dark.png")
    tifffile.imwrite(folder / "float.tif", np.ones((4, 4), np.float32))
    (folder / "damaged.png").write_bytes((folder / "grey.png").read_bytes()[:60])
    return sorted(folder.iterdir())


def test_infer_reads_and_refuses_what_prepare_does(tmp_path):
    """The reader of the bundles, beside the reader of prepare and of the runtime."""
    load = LoadImage(PictureReader(reverse_indexing=False))
    refused = []
    for path in odd_files(tmp_path):
        try:
            expected = read_picture(path)
        except ValueError:
            refused.append(path.stem)
            with pytest.raises(ValueError):
                load(path)
        else:
            assert np.array_equal(np.moveaxis(load(path).numpy(), -1, 0), expected), path
    assert refused == ["damaged", "dark", "float", "pages", "postscript"]
