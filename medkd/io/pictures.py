"""Reading pictures as RGB with 8 bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from .picture_files import UPRIGHT, PictureFile, load_picture, open_picture

__all__ = ["as_rgb", "describe_conversion", "has_transparency", "read_picture", "to_rgb"]

DEPTH = 257  # 65535 with 16 bit is 255 with 8 bit
FEW = 4096  # values of 16 bit that are all below are of 12 bit or fewer


def read_picture(path: str | Path) -> np.ndarray:
    """Return a picture as ``(3, rows, columns)`` uint8: red, green, blue, upright as viewers show it.

    Grey becomes three equal channels, the colours of a palette are looked up, 16 bit are scaled to 8. An alpha channel and
    colour profiles are left out.

    Raises:
        ValueError: see `open_picture` and `to_rgb`.
    """
    return np.moveaxis(np.asarray(to_rgb(open_picture(path))), -1, 0)


def as_rgb(picture: Image.Image) -> Image.Image:
    """Return a picture that Pillow has opened as `read_picture` reads it.

    Bundles made before have it as the converter of MONAI's ``PILReader``.

    Raises:
        ValueError: see `read_picture`.
    """
    return to_rgb(load_picture(picture))


def to_rgb(file: PictureFile) -> Image.Image:
    """Return a picture as RGB with 8 bit.

    Raises:
        ValueError: for numbers of 32 bit or floats, whose range is unknown; for numbers of 12 bit or fewer in 16 bit, which
            would be black; for grey with a channel of unknown content, or colours of another kind than RGB and CMYK.
    """
    image = file.image
    if image.mode.startswith("I;16"):  # Pillow alone would make nearly all of it white
        image = _scale_grey(file)
    elif image.mode in ("I", "F"):
        numbers = f"mode {file.mode} ({file.bits}-bit numbers)"
        raise ValueError(f"{file.path} is of {numbers}, expected colours or grey of 8 or 16 bit")
    elif file.bits > 8 and (highest := int(np.max(image.convert("RGB").getextrema()))) < FEW >> 8:
        raise _dark(file, (highest << 8) + 255)
    if file.hidden_samples and image.mode != "RGB":
        raise ValueError(f"{file.path} has {file.hidden_samples + 1} values per pixel, expected grey or colours")
    try:
        return image.convert("RGB")
    except ValueError as error:
        raise ValueError(f"{file.path} is of mode {file.mode}, expected grey, RGB or CMYK") from error


def describe_conversion(file: PictureFile) -> str:
    """Return what `to_rgb` and `open_picture` change of a picture, for a note on the data set; empty when nothing.

    Example:
        >>> describe_conversion(PictureFile(Path("a.png"), Image.new("L", (4, 4)), "PNG", "L"))
        'grey, copied to three channels'
    """
    changes = [file.remark] if file.remark else []
    if file.orientation != UPRIGHT:
        changes.append("turned upright by EXIF")
    if file.mode in ("1", "L", "LA") or file.mode.startswith("I"):
        changes.append("grey, copied to three channels")
    elif file.mode in ("P", "PA"):
        changes.append("colours of a palette")
    elif file.mode != "RGB" and file.mode != "RGBA":
        changes.append(f"{file.mode} converted to RGB without its colour profile")
    if file.bits > 8:
        changes.append(f"{file.bits} bit scaled to 8")
    if has_transparency(file.image) or file.hidden_samples:
        changes.append("an alpha channel that is not opaque, left out")
    return "; ".join(changes)


def has_transparency(image: Image.Image) -> bool:
    """Return whether a pixel is not opaque."""
    if not image.has_transparency_data:
        return False
    return np.asarray(image.convert("RGBA"))[..., 3].min() < 255


def _scale_grey(file: PictureFile) -> Image.Image:
    values = np.asarray(file.image)
    if 0 < values.max() < FEW:
        raise _dark(file, int(values.max()))
    grey = np.rint(values / DEPTH).astype(np.uint8)
    return Image.fromarray(255 - grey if file.white_is_zero else grey)


def _dark(file: PictureFile, highest: int) -> ValueError:
    return ValueError(
        f"{file.path} has 16 bit and no value above {highest}, expected values up to 65535: are these numbers of "
        f"{max(8, highest.bit_length())} bit? Scale them, or save the picture with 8 bit"
    )
