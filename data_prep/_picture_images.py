"""Images of pictures: their stored size and form, what reading changes of them, and their files."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from medkd.io import UPRIGHT, PictureFile, has_transparency
from medkd.runs.errors import UsageError

__all__ = [
    "check_size",
    "describe_reading",
    "size_in_words",
    "size_of_description",
    "store_image",
    "store_picture",
]

SMALLEST = 16  # pixels
_SIGNED = (np.iinfo(np.int16).min, np.iinfo(np.int16).max)


def check_size(size: int | None) -> None:
    """Raise ValueError when ``size`` is no edge length in pixels; None and 0 stand for the original size."""
    is_whole = isinstance(size, int) and not isinstance(size, bool)
    if size is not None and not (is_whole and (size == 0 or size >= SMALLEST)):
        raise UsageError(
            f"--size {size!r}: expected pixels of the longest edge, at least {SMALLEST}, or 0: original size"
        )


def size_in_words(size: int | None) -> str:
    """Return what the description of a data set says of the size of its pictures.

    Example:
        >>> size_in_words(256), size_of_description("Pictures, RGB, longest edge at most 256 pixels")
        ('longest edge at most 256 pixels', 256)
    """
    return f"longest edge at most {size} pixels" if size else "original size"


def size_of_description(description: str) -> int | None:
    """Return the longest edge that a description states, see `size_in_words`; None: the original size."""
    match = re.search(r"longest edge at most (\d+) pixels", description)
    return int(match[1]) if match else None


def store_image(case: str, image: np.ndarray, folder: Path, inner: str, size: int | None = None) -> str:
    """Write the image of a case into a folder of the data set, and return its path in the data list.

    Args:
        case: name of the case.
        image: see `store_pictures`.
        folder: folder of the data set.
        inner: name of the folder in it, which is made.
        size: see `store_pictures`.
    """
    name = f"{inner}/{case}{'.tif' if image.dtype == np.int32 else '.png'}"
    store_picture(image, folder / name, size, Image.Resampling.LANCZOS)  # antialiased
    return name


def store_picture(array: np.ndarray, path: Path, size: int | None, resampling: Image.Resampling) -> None:
    """Write an array as a picture, reduced by the resampling where its longest edge is above ``size``."""
    path.parent.mkdir(exist_ok=True)
    picture = _reduce(Image.fromarray(array), size, resampling)
    if picture.mode == "I":
        signed = np.asarray(picture).clip(*_SIGNED).astype(np.int16)  # a reduced image may overshoot
        tifffile.imwrite(path, signed, compression="zlib")
    else:
        # Level 1: a tenth larger than the default and several times faster to write.
        picture.save(path, compress_level=1)


def _reduce(picture: Image.Image, size: int | None, resampling: Image.Resampling) -> Image.Image:
    longest = max(picture.size)
    if not size or longest <= size:
        return picture
    width, height = (max(1, round(edge * size / longest)) for edge in picture.size)
    return picture.resize((width, height), resampling)


def describe_reading(file: PictureFile) -> list[str]:
    """Return what reading changes of a user's own image in every form, see `medkd.io.to_form`."""
    remarks = [f"image: {file.remark}"] if file.remark else []
    remarks += ["image: turned upright by EXIF"] if file.orientation != UPRIGHT else []
    if file.image.mode not in ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "F") and not file.image.mode.startswith("I"):
        remarks.append(f"image: {file.mode} converted to RGB without its colour profile")
    if file.bits > 8 and file.image.mode in ("RGB", "RGBA", "L", "LA"):
        remarks.append(f"image: {file.bits} bit scaled to 8")
    if has_transparency(file.image) or file.hidden_samples:
        remarks.append("image: an alpha channel that is not opaque, left out")
    return remarks
