"""Opening picture files: the one picture of a file, upright as viewers show it, and what the file says of its pixels."""

from __future__ import annotations

import logging
import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import tifffile
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from .file_content import describe_content, read_start

__all__ = ["UPRIGHT", "PictureFile", "load_picture", "open_picture", "turn_upright"]

# Pillow tells formats by their content. Others are left out: it runs Ghostscript on PostScript, whatever the suffix says.
FORMATS = ("PNG", "JPEG", "BMP", "DIB", "TIFF", "GIF", "WEBP", "JPEG2000")
UPRIGHT = 1  # EXIF: the first row is the top, the first column the left
# EXIF orientation -> the operation that makes a picture upright
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
TIFF_BYTES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
SUBFILE, BITS, PHOTOMETRIC, ORIENTATION, SAMPLES, PLANES, SAMPLE_FORMAT = 254, 258, 262, 274, 277, 284, 339  # TIFF tags
REDUCED_OR_MASK = 0b101  # bits of SUBFILE: a page that is a thumbnail, or a transparency mask, of another one
SIGNED = 2  # of SAMPLE_FORMAT
logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what it reports there is raised here, as an error


@dataclass(frozen=True)
class PictureFile:
    """A picture that was read completely.

    Attributes:
        path: its file.
        image: the picture, upright. Of colours with 16 bit it holds the higher 8.
        format: Pillow's name of the file's format, such as ``"JPEG"``.
        mode: Pillow's name of the pixels' type in the file, such as ``"RGB"``.
        bits: of a value in the file.
        orientation: EXIF orientation in the file, from 1 (upright) to 8.
        white_is_zero: whether a TIFF says that 0 is white. Pillow inverts such files of 8 bit or fewer, and no others.
        hidden_samples: values of each pixel that a TIFF holds and that ``image`` lacks: it does not say what they are.
        remark: what was passed over, for a note on the data set; empty when nothing was.
    """

    path: Path
    image: Image.Image
    format: str
    mode: str
    bits: int = 8
    orientation: int = UPRIGHT
    white_is_zero: bool = False
    hidden_samples: int = 0
    remark: str = ""


def open_picture(path: str | Path) -> PictureFile:
    """Read the picture of a file.

    A file of several pages is refused, for nothing tells which of them is meant. Reduced copies of a TIFF's picture do not
    count; the frames that cameras put behind the first one of a JPEG (MPO) are passed over.

    Raises:
        ValueError: for a file that cannot be opened, is unreadable or truncated, no picture, a decompression bomb, or of
            several pages.
    """
    path = Path(path)
    try:
        picture = Image.open(path, formats=FORMATS)
    except UnidentifiedImageError as error:
        if path.read_bytes()[:4] in TIFF_BYTES:
            return _read_numbers(path)
        content = describe_content(read_start(path))
        raise _unreadable(path, f"found {content}, expected {', '.join(FORMATS)}") from error
    except Exception as error:  # decoders of damaged files raise errors of many types
        if isinstance(error, OSError) and error.errno:
            raise ValueError(f"{path} cannot be opened: {error.strerror}") from error
        raise _unreadable(path, error) from error
    with picture:
        return load_picture(picture)


def load_picture(picture: Image.Image) -> PictureFile:
    """Read a picture that Pillow has opened, as `open_picture` does.

    Raises:
        ValueError: see `open_picture`.
    """
    path = Path(getattr(picture, "filename", "") or "picture")
    if picture.format not in (None, "MPO", *FORMATS):
        raise ValueError(f"{path} is a picture in {picture.format}, expected one of {', '.join(FORMATS)}")
    picture.filename = ""  # type: ignore[attr-defined]  # else Pillow maps it into memory, and garbles TIFFs that lie
    try:
        pages, remark = _select_page(picture)
        if pages == 1:
            return _load(path, picture, remark)
    except Exception as error:  # as above
        raise _unreadable(path, error) from error
    raise ValueError(f"{path} has {pages} pages or frames, expected one picture")


def turn_upright(array: np.ndarray, orientation: int) -> np.ndarray:
    """Return ``(H, W)`` uint8 turned as a picture of that EXIF orientation is turned to be upright.

    Example:
        >>> turn_upright(np.array([[1, 2], [3, 4]], np.uint8), 6).tolist()
        [[3, 1], [4, 2]]
    """
    return array if orientation == UPRIGHT else np.asarray(Image.fromarray(array).transpose(TURNS[orientation]))


def _select_page(picture: Image.Image) -> tuple[int, str]:
    """Select the page to read; return the number of pages that could be meant, and a remark."""
    count = getattr(picture, "n_frames", 1)
    if picture.format == "MPO":
        picture.seek(0)
        return 1, "the first of several frames (MPO) is read" if count > 1 else ""
    if picture.format != "TIFF" or count == 1:
        return count, ""
    pages = []
    for number in range(count):
        picture.seek(number)
        if not _tag(picture, SUBFILE, 0) & REDUCED_OR_MASK:
            pages.append(number)
    picture.seek(pages[0] if pages else 0)
    return max(len(pages), 1), "reduced copies in the file are passed over"


def _load(path: Path, picture: Image.Image, remark: str) -> PictureFile:
    # Before the pixels are read: Pillow turns a TIFF while it reads, and then forgets how its pixels lay in the file.
    mode, bits = picture.mode, _bits(picture)
    hidden = white_is_zero = is_signed = 0
    if is_tiff := picture.format == "TIFF":
        hidden = _tag(picture, SAMPLES, 1) - len(picture.getbands())
        white_is_zero = _tag(picture, PHOTOMETRIC, 1) == 0
        is_signed = _tag(picture, SAMPLE_FORMAT, (1,))[0] == SIGNED
        if bits > 8 and _tag(picture, PLANES, 1) != 1 and len(picture.getbands()) > 1:
            raise ValueError("colours of 16 bit in separate planes, which Pillow misreads: save them as PNG")
    elif picture.format == "BMP" and mode in ("1", "L") and bits != _bmp_bits(path):
        return PictureFile(path, _read_grey_bmp(path, picture), "BMP", "P", 8)
    orientation = _orientation(picture)
    picture.load()
    image = picture.copy() if is_tiff else ImageOps.exif_transpose(picture)
    if is_signed and mode == "L":  # Pillow takes -1 for 255 here, and for 4294967295 the reverse
        image = Image.fromarray(np.asarray(image).view(np.int8).astype(np.int32))
    elif is_tiff and mode == "I" and bits == 32 and not is_signed:
        image = Image.fromarray(np.asarray(image).view(np.uint32).astype(np.float32))
    elif mode == "I" and bits == 16 and not is_signed:  # so did older Pillow read grey PNGs
        image = Image.fromarray(np.asarray(image).astype(np.uint16))
    return PictureFile(
        path, image, str(picture.format), mode, bits, orientation, bool(white_is_zero), max(hidden, 0), remark
    )


def _bits(picture: Image.Image) -> int:
    """Return the bits of a value in the file, which the mode leaves open for colours and for grey of few bits."""
    if picture.format == "TIFF":
        return max(_tag(picture, BITS, (1,)))
    tiles = getattr(picture, "tile", [])
    arguments = tiles[0][3] if tiles else ""
    raw_mode = str(arguments if isinstance(arguments, str) or not arguments else arguments[0])
    digits = "".join(filter(str.isdigit, raw_mode.partition(";")[2]))  # L;4, I;16B, RGB;16B
    return int(digits) if digits else {"1": 1, "I": 32, "F": 32, "I;16": 16}.get(picture.mode, 8)


def _bmp_bits(path: Path) -> int:
    """Return the bits of a pixel: of two black and white colours with 8 bit Pillow reads the bytes as bits."""
    with path.open("rb") as file:
        header = file.read(30)
    return int.from_bytes(header[28:30] if header[14] >= 40 else header[24:26], "little")


def _read_grey_bmp(path: Path, picture: Image.Image) -> Image.Image:
    """Read a BMP with a palette of greys, of whose pixels of 4 or 8 bit Pillow takes the bytes for its mode's.

    Raises:
        ValueError: for black and white of 4 bit that is compressed.
    """
    decoder, _, offset, arguments = picture.tile[0][:4]  # type: ignore[attr-defined]
    if _bmp_bits(path) != 4:
        return Image.fromarray(sitk.GetArrayFromImage(sitk.ReadImage(path, imageIO="BMPImageIO")))
    if decoder == "raw":
        data = path.read_bytes()[offset:]
        image = Image.frombytes("P", picture.size, data, "raw", "P;4", *arguments[1:])
    elif picture.mode == "L":
        return picture.copy()  # unpacked by Pillow
    else:
        raise ValueError("black and white of 4 bit, compressed: save it as PNG")
    image.putpalette([0] * 3 + [255] * 3 if picture.mode == "1" else [grey for grey in range(16) for _ in range(3)])
    return image


def _orientation(picture: Image.Image) -> int:
    try:
        with warnings.catch_warnings(action="ignore"):
            value = picture.getexif().get(ExifTags.Base.Orientation, UPRIGHT)
    except Exception:  # viewers pass over broken EXIF as well
        return UPRIGHT
    return value if value in TURNS else UPRIGHT


def _tag(picture: Image.Image, number: int, default: Any) -> Any:
    return picture.tag_v2.get(number, default)  # type: ignore[attr-defined]


def _read_numbers(path: Path) -> PictureFile:
    """Read a TIFF of numbers that Pillow has no type for, such as floats of 64 bit."""
    try:
        with tifffile.TiffFile(path) as file:
            pages, page = len(file.pages), file.pages.first
            if math.prod(page.shape) > 2 * (Image.MAX_IMAGE_PIXELS or math.inf):
                raise ValueError(f"shape {page.shape}")
            array, orientation = page.asarray(), int(page.tags.valueof(ORIENTATION, UPRIGHT))
    except Exception as error:
        raise _unreadable(path, error) from error
    if pages > 1:
        raise ValueError(f"{path} has {pages} pages or frames, expected one picture")
    if array.ndim != 2 or array.dtype.kind not in "iuf":
        raise ValueError(
            f"{path} has pixels of shape {array.shape[2:]} and type {array.dtype}, expected grey or colours"
        )
    # Pillow has floats of 32 bit alone; they hold every label value exactly
    image = Image.fromarray(array.astype(np.float32))
    if orientation in TURNS:
        image = image.transpose(TURNS[orientation])
    return PictureFile(
        path,
        image,
        "TIFF",
        str(array.dtype),
        8 * array.itemsize,
        orientation if orientation in TURNS else UPRIGHT,
        white_is_zero=page.photometric == tifffile.PHOTOMETRIC.MINISWHITE,
    )


def _unreadable(path: Path, error: Exception | str) -> ValueError:
    return ValueError(f"{path} is unreadable or truncated ({' '.join(str(error).split())[:200]})")
