"""Masks of one class: numbers, colours, palettes, alpha, lossy edges, and every refusal."""

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageDraw, ImageFilter

from medkd.io import read_mask

EXPECTED = "0 and 255, or 0 and 1"


def disc(size=200, radius=60):
    picture = Image.new("L", (size, size), 0)
    ImageDraw.Draw(picture).ellipse(
        [size // 2 - radius, size // 2 - radius, size // 2 + radius, size // 2 + radius], fill=255
    )
    return picture


DISC = np.asarray(disc()) > 0


def stored(path, content, **options):
    if isinstance(content, Image.Image):
        content.save(path, **options)
    elif path.suffix == ".tif":
        tifffile.imwrite(path, content, **options)
    else:
        Image.fromarray(content).save(path, **options)
    return path


def is_disc(path, **options):
    return np.array_equal(read_mask(path, EXPECTED, **options).foreground, DISC)


@pytest.mark.parametrize("bits", [1, 2, 4])
@pytest.mark.parametrize("value", ["class", "white"])
def test_grey_of_few_bits(tmp_path, bits, value):
    number = 2**bits - 1 if value == "white" else 1
    palette = Image.fromarray((DISC * 255 if value == "white" else DISC * (255 // (2**bits - 1))).astype(np.uint8))
    assert number and is_disc(stored(tmp_path / "a.png", palette, bits=bits))


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("value", [1, 2, 16, 255])
def test_greys_of_a_palette_are_numbers(tmp_path, bits, value):
    picture = Image.fromarray(DISC.astype(np.uint8))
    picture.putpalette([0, 0, 0, *[value] * 3, *[value] * 3])
    path = stored(tmp_path / "a.png", picture, bits=bits)
    if value in (1, 255):
        assert is_disc(path)
    else:
        with pytest.raises(ValueError, match=rf"holds the mask values \[(0, )?{value}\]"):
            read_mask(path, EXPECTED)


@pytest.mark.parametrize(
    "dtype", ["uint8", "int8", "uint16", "int16", "uint32", "int32", "int64", "float16", "float32", "float64"]
)
def test_classes_of_any_type(tmp_path, dtype):
    assert is_disc(stored(tmp_path / "a.tif", DISC.astype(dtype)))
    if np.iinfo(dtype).max > 255 if dtype[0] != "f" else True:
        assert is_disc(stored(tmp_path / "a.tif", DISC.astype(dtype) * np.array(255, dtype)))


@pytest.mark.parametrize("options", [{"byteorder": ">"}, {"compression": "zlib"}, {"tile": (64, 64)}])
def test_white_of_16_bit(tmp_path, options):
    assert is_disc(stored(tmp_path / "a.tif", (DISC * 65535).astype(np.uint16), **options))
    assert is_disc(stored(tmp_path / "a.png", Image.fromarray((DISC * 65535).astype(np.uint16))))


def test_classes_above_the_first_are_background(tmp_path):
    classes = DISC.astype(np.uint8)
    classes[:9, :9] = 2
    assert is_disc(stored(tmp_path / "a.png", classes), highest=2)
    with pytest.raises(ValueError, match=r"holds the mask values \[0, 1, 2\], expected 0 and 255, or 0 and 1"):
        read_mask(tmp_path / "a.png", EXPECTED)


def test_classes_that_begin_with_1_are_refused(tmp_path):
    path = stored(tmp_path / "a.png", (DISC + 1).astype(np.uint8))
    with pytest.raises(ValueError, match="holds classes and no background"):
        read_mask(path, EXPECTED, highest=2)
    with pytest.raises(ValueError, match=r"holds the mask values \[1, 2\]"):
        read_mask(path, EXPECTED)


def test_numbers_within_the_tolerance_are_whole(tmp_path):
    for dtype in ("float32", "float64"):
        assert is_disc(stored(tmp_path / "a.tif", DISC * np.array(0.9999, dtype)))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (0.7, "0.7 is not a whole number"),
        (np.nan, "NaN or infinite"),
        (np.inf, "NaN or infinite"),
        (-1.0, "-1 is outside 0 to 65535"),
        (1e9, "1e.09 is outside 0 to 65535"),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_that_are_no_labels(tmp_path, value, message, dtype):
    with pytest.raises(ValueError, match=f"a.tif: values of the mask: {message}"):
        read_mask(stored(tmp_path / "a.tif", np.where(DISC, value, 0).astype(dtype)), EXPECTED)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32"])
def test_negative_integers(tmp_path, dtype):
    with pytest.raises(ValueError, match="-1 is outside 0"):
        read_mask(stored(tmp_path / "a.tif", -DISC.astype(dtype)), EXPECTED)


@pytest.mark.parametrize(
    "colours", [[0, 0, 0, 255, 255, 255], [255, 255, 255, 0, 0, 0], [0, 0, 0, 128, 0, 0], [0, 0, 0, 1, 1, 1]]
)
@pytest.mark.parametrize("suffix", [".png", ".gif", ".tif", ".bmp"])
def test_palettes_are_looked_up(tmp_path, colours, suffix):
    is_second = np.asarray(disc()) > 0 if not any(colours[:3]) else np.asarray(disc()) == 0
    picture = Image.fromarray(is_second.astype(np.uint8))
    picture.putpalette(colours)
    assert is_disc(stored(tmp_path / f"a{suffix}", picture))


def test_quantized_pictures(tmp_path):
    assert is_disc(stored(tmp_path / "a.png", disc().convert("RGB").quantize(2)))


@pytest.mark.parametrize("colour", [(255, 255, 255), (255, 0, 0), (0, 0, 128), (255, 128, 0)])
def test_one_colour_on_black_is_the_foreground(tmp_path, colour):
    picture = (DISC[..., None] * np.array(colour)).astype(np.uint8)
    for mode in ("RGB", "RGBA", "P"):
        path = stored(tmp_path / "a.png", Image.fromarray(picture).convert(mode, palette=Image.Palette.ADAPTIVE))
        found = read_mask(path, EXPECTED)
        assert np.array_equal(found.foreground, DISC) and found.colour == (colour if colour[1] != 255 else ())


@pytest.mark.parametrize(
    ("other", "message"),
    [((0, 255, 0), r"holds the colours \[\[255, 0, 0\], \[0, 255, 0\]\]"), ((255, 255, 0), "holds the colours")],
)
def test_several_colours_are_refused(tmp_path, other, message):
    picture = (DISC[..., None] * np.array([255, 0, 0])).astype(np.uint8)
    picture[:3, :3] = other
    for any_value in (False, True):
        with pytest.raises(ValueError, match=message):
            read_mask(stored(tmp_path / "a.png", picture), EXPECTED, any_value=any_value)


def test_colours_without_black_are_refused(tmp_path):
    picture = np.where(DISC[..., None], [255, 0, 0], [255, 255, 255]).astype(np.uint8)
    with pytest.raises(ValueError, match=r"no black background, found the colours \[\[255, 255, 255\]"):
        read_mask(stored(tmp_path / "a.png", picture), EXPECTED)


def layer(colour, background):
    picture = np.where(DISC[..., None], np.array(colour), np.array(background))
    return Image.fromarray(picture.astype(np.uint8))


def test_alpha_that_agrees_with_the_colours(tmp_path):
    for background in ((0, 0, 0, 0), (0, 0, 0, 255)):
        assert is_disc(stored(tmp_path / "a.png", layer((255, 255, 255, 255), background)))
    assert is_disc(stored(tmp_path / "a.png", disc(), transparency=0))


@pytest.mark.parametrize(
    "pair", [((9, 9, 9, 255), (9, 9, 9, 0)), ((0, 0, 0, 255), (0, 0, 0, 0)), ((0, 0, 0, 0), (255, 0, 0, 255))]
)
def test_alpha_that_is_another_mask_is_refused(tmp_path, pair):
    if pair[1][0] == 255:
        assert np.array_equal(read_mask(stored(tmp_path / "a.png", layer(*pair)), EXPECTED).foreground, ~DISC)
        return
    with pytest.raises(ValueError, match="alpha channel that shows another mask than its colours"):
        read_mask(stored(tmp_path / "a.png", layer(*pair)), EXPECTED)


@pytest.mark.parametrize("quality", [95, 90, 75, 50, 30])
@pytest.mark.parametrize("colour", [None, (255, 0, 0)])
def test_lossy_masks_are_cut(tmp_path, quality, colour):
    picture = disc() if colour is None else Image.fromarray((DISC[..., None] * np.array(colour)).astype(np.uint8))
    found = read_mask(stored(tmp_path / "a.jpg", picture, quality=quality), EXPECTED)
    assert (found.foreground != DISC).mean() < 0.002 and found.soft < 0.1 and (quality == 95 or found.soft > 0)


def test_smooth_edges_are_cut(tmp_path):
    for picture in (disc(800, 240).resize((200, 200)), disc().filter(ImageFilter.GaussianBlur(1))):
        found = read_mask(stored(tmp_path / "a.png", picture), EXPECTED)
        assert (found.foreground != DISC).mean() < 0.005 and 0.01 < found.soft < 0.05


def test_a_single_value_does_not_refuse_a_mask(tmp_path):
    mask = np.asarray(disc()).copy()
    mask[3, 3] = 90
    assert is_disc(stored(tmp_path / "a.png", mask))


def with_region(value):
    mask = np.asarray(disc()).copy()
    mask[:10, :10] = value
    return Image.fromarray(mask)


def ring(value):
    """A disc whose outermost pixels are of another class."""
    picture = Image.new("L", (200, 200), 0)
    ImageDraw.Draw(picture).ellipse([40, 40, 160, 160], fill=255, outline=value, width=2)
    return picture


@pytest.mark.parametrize(
    "picture",
    [
        disc().filter(ImageFilter.GaussianBlur(4)),
        disc().point(lambda value: value * 0.7),
        disc().point(lambda value: 100 + value * 0.6),
        with_region(128),
        with_region(40),
        with_region(220),
        ring(128),
        disc().point(lambda value: 254 + value // 255),
        disc().point(lambda value: 5 * (value > 0)),
        disc().point(lambda value: 128 * (value > 0)),
    ],
)
def test_values_that_are_no_edge_are_refused(tmp_path, picture):
    with pytest.raises(ValueError, match=r"a.png holds the mask values \[.*, expected 0 and 255, or 0 and 1"):
        read_mask(stored(tmp_path / "a.png", picture), EXPECTED)


def test_any_single_value_may_be_allowed(tmp_path):
    for value in (1, 76, 128, 255):
        assert is_disc(stored(tmp_path / "a.png", (DISC * value).astype(np.uint8)), any_value=True)


def test_classes_in_a_lossy_format_are_refused(tmp_path):
    with pytest.raises(ValueError, match="classes in a lossy format|holds the mask values"):
        read_mask(stored(tmp_path / "a.jpg", DISC.astype(np.uint8), quality=100), EXPECTED, highest=4)


def test_tiffs_in_which_zero_is_white_are_refused(tmp_path):
    for array in (DISC, (DISC * 255).astype(np.uint8), DISC.astype(np.uint8)):
        with pytest.raises(ValueError, match="says that 0 is white"):
            read_mask(stored(tmp_path / "a.tif", array, photometric="miniswhite"), EXPECTED)


def test_other_masks_that_are_refused(tmp_path):
    for path, message in (
        (stored(tmp_path / "a.jpg", disc().convert("CMYK")), "is a mask of mode CMYK"),
        (
            stored(
                tmp_path / "b.tif",
                np.stack([DISC] * 2, -1).astype(np.uint8),
                planarconfig="contig",
                photometric="minisblack",
            ),
            "2 values per pixel",
        ),
        (
            stored(tmp_path / "c.tif", np.stack([DISC] * 3, -1).astype(np.uint16), photometric="rgb"),
            "colours of 16 bit, all below 4096",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            read_mask(path, EXPECTED)


@pytest.mark.parametrize("value", [0, 255])
def test_empty_and_full_masks(tmp_path, value):
    for suffix in (".png", ".jpg", ".tif"):
        assert (
            read_mask(stored(tmp_path / f"a{suffix}", Image.new("L", (30, 20), value)), EXPECTED).foreground
            == (value > 0)
        ).all()
