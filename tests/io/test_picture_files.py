"""One picture of a file: pages, orientation, formats, damage."""

import io
import re
import struct

import numpy as np
import pytest
import tifffile
from monai.transforms import LoadImage
from PIL import Image

from medkd.data import PictureReader
from medkd.io import open_picture, read_mask, read_picture, turn_upright

FRAME = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
PICTURE = Image.fromarray(FRAME)


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


@pytest.mark.parametrize("name", ["a.png", "a.gif", "a.tif", "a.webp"])
def test_several_pages_are_refused(tmp_path, name):
    PICTURE.save(tmp_path / name, save_all=True, append_images=[PICTURE.rotate(180), PICTURE.rotate(90)])
    with pytest.raises(ValueError, match=f"{name} has 3 pages or frames, expected one picture"):
        open_picture(tmp_path / name)


def test_planes_of_a_stack_are_pages(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((3, 20, 30), np.float64), photometric="minisblack")
    with pytest.raises(ValueError, match="a.tif has 3 pages or frames"):
        open_picture(tmp_path / "a.tif")


@pytest.mark.parametrize("order", ["thumbnail last", "thumbnail first"])
def test_a_thumbnail_is_no_page(tmp_path, order):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        pages = [(FRAME, 0), (FRAME[::4, ::4], 1)]
        for array, kind in pages if order == "thumbnail last" else pages[::-1]:
            file.write(array, photometric="rgb", subfiletype=kind)
    found = open_picture(tmp_path / "a.tif")
    assert np.array_equal(found.image, FRAME) and found.remark == "reduced copies in the file are passed over"


def test_of_a_cameras_frames_the_first_is_the_picture(tmp_path):
    smooth = PICTURE.resize((2, 2)).resize((30, 20), Image.Resampling.BILINEAR)
    smooth.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[PICTURE], quality=100)
    found = open_picture(tmp_path / "a.jpg")
    assert found.image.size == (30, 20) and found.remark == "the first of several frames (MPO) is read"
    assert np.abs(np.asarray(found.image).astype(int) - smooth).max() < 25


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.webp"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_pictures_are_upright(tmp_path, name, orientation):
    turns = {1: None, 3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    smooth = PICTURE.resize((2, 2)).resize((30, 20), Image.Resampling.BILINEAR)
    stored = smooth.transpose(turns[orientation]) if turns[orientation] is not None else smooth
    stored.save(tmp_path / name, exif=exif(orientation), quality=100)
    found = open_picture(tmp_path / name)
    assert found.orientation == orientation and found.image.size == (30, 20)
    assert np.abs(np.asarray(found.image).astype(int) - smooth).max() < 25


@pytest.mark.parametrize("orientation", [0, 9, 300])
def test_orientations_that_are_none_turn_nothing(tmp_path, orientation):
    PICTURE.save(tmp_path / "a.png", exif=exif(orientation))
    assert np.array_equal(read_picture(tmp_path / "a.png"), np.moveaxis(FRAME, -1, 0))


def test_broken_exif_is_passed_over(tmp_path):
    for broken in (b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0nonsense"):
        PICTURE.save(tmp_path / "a.jpg", exif=broken)
        assert open_picture(tmp_path / "a.jpg").orientation == 1


@pytest.mark.parametrize("content", ["JPEG", "GIF", "BMP", "WEBP", "TIFF"])
def test_the_content_counts_and_not_the_suffix(tmp_path, content):
    PICTURE.save(tmp_path / "a.png", format=content)
    assert open_picture(tmp_path / "a.png").image.size == (30, 20)


@pytest.mark.parametrize("content", ["EPS", "PDF", "ICO", "PPM"])
def test_other_formats_are_not_tried(tmp_path, content):
    PICTURE.save(tmp_path / "a.png", format=content)
    with pytest.raises(ValueError, match=r"a.png is unreadable or truncated .found .*, expected PNG, JPEG"):
        open_picture(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "an empty file (0 bytes): download it again"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(300), "a HEIF picture: convert it to PNG"),
        (b"<!DOCTYPE html><html>", "an HTML page, which a failed download leaves: download it again"),
    ],
)
def test_what_is_no_picture_is_told_to_prepare_and_to_infer(tmp_path, content, found):
    (tmp_path / "a.png").write_bytes(content)
    message = re.escape(f"a.png is unreadable or truncated (found {found}, expected PNG, JPEG")
    with pytest.raises(ValueError, match=message):
        open_picture(tmp_path / "a.png")
    with pytest.raises(ValueError, match=message):
        LoadImage(PictureReader())(tmp_path / "a.png")


def test_damaged_and_missing_files_are_named(tmp_path):
    for format_name in ("PNG", "JPEG", "BMP", "TIFF", "GIF"):
        stream = io.BytesIO()
        PICTURE.save(stream, format_name)
        for length in (0, 3, 20, len(stream.getvalue()) // 2):
            (tmp_path / "a.png").write_bytes(stream.getvalue()[:length])
            with pytest.raises(ValueError, match="a.png is unreadable or truncated"):
                open_picture(tmp_path / "a.png")
    with pytest.raises(ValueError, match="gone.png cannot be opened: No such file or directory"):
        open_picture(tmp_path / "gone.png")


@pytest.mark.parametrize("size", [(30, 20), (3, 2)])
def test_bmp_of_two_colours_with_8_bit(tmp_path, size):
    picture = Image.fromarray((np.asarray(PICTURE.convert("L").resize(size)) > 127).astype(np.uint8))
    picture.putpalette([0, 0, 0, 255, 255, 255])
    picture.save(tmp_path / "a.bmp")
    assert np.array_equal(read_picture(tmp_path / "a.bmp")[0], np.asarray(picture) * 255)


@pytest.mark.parametrize("top", [1, 15])
@pytest.mark.parametrize("row", [20, -20])
def test_bmp_of_greys_with_4_bit(tmp_path, top, row):
    """The palette is black and white (top 1), or the greys 0 to 15; rows are stored from the bottom, or the top."""
    numbers = np.random.default_rng(0).integers(0, top + 1, (20, 30)).astype(np.uint8)
    rows = np.pad(numbers[:, ::2] << 4 | numbers[:, 1::2], ((0, 0), (0, 1)))[:: 1 if row < 0 else -1].tobytes()
    greys = [0, 255] if top == 1 else range(16)
    palette = b"".join(bytes((grey, grey, grey, 0)) for grey in greys)
    offset = 54 + len(palette)
    header = struct.pack(
        "<IHHIIiiHHIIiiII", offset + len(rows), 0, 0, offset, 40, 30, row, 1, 4, 0, 0, 0, 0, len(greys), 0
    )
    (tmp_path / "a.bmp").write_bytes(b"BM" + header + palette + rows)
    assert np.array_equal(read_picture(tmp_path / "a.bmp")[0], numbers * (255 if top == 1 else 1))
    assert np.array_equal(read_mask(tmp_path / "a.bmp", "0 and 1", highest=15).foreground, numbers == 1)


def test_tiffs_in_planes_tiles_and_strips(tmp_path):
    for options in ({"planarconfig": "separate"}, {"tile": (16, 16)}, {"rowsperstrip": 7}, {"byteorder": ">"}):
        array = np.moveaxis(FRAME, -1, 0) if "planarconfig" in options else FRAME
        tifffile.imwrite(tmp_path / "a.tif", array, photometric="rgb", **options)
        assert np.array_equal(open_picture(tmp_path / "a.tif").image, FRAME), options
    for compression in ("tiff_lzw", "packbits", "tiff_deflate", "jpeg"):
        PICTURE.save(tmp_path / "a.tif", compression=compression)
        assert np.array_equal(open_picture(tmp_path / "a.tif").image, FRAME) or compression == "jpeg"


@pytest.mark.parametrize("dtype", ["bool", "uint8", "uint16", "int32", "float32", "float64"])
@pytest.mark.parametrize("orientation", [2, 3, 6, 7])
def test_tiffs_of_numbers_are_upright(tmp_path, dtype, orientation):
    array = np.random.default_rng(0).integers(0, 2, (20, 30)).astype(dtype)
    tags = [(274, "H", 1, orientation, True)]
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="minisblack", extratags=tags)
    found = open_picture(tmp_path / "a.tif")
    assert found.orientation == orientation
    assert np.array_equal(found.image, turn_upright((array > 0).astype(np.uint8), orientation))
