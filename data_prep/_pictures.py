"""Pictures: pairs of folders, reading with a reason for each refusal, reduced copies, stored PNGs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ._cases import DiscoveredCases, pair_files

__all__ = [
    "SUFFIXES",
    "check_ends",
    "check_size",
    "discover_plain_pairs",
    "mask_suffixes",
    "open_picture",
    "read_grey",
    "read_image",
    "store_pictures",
]

SUFFIXES = (".bmp", ".png", ".tif", ".tiff", ".jpg", ".jpeg")
SMALLEST = 16  # pixels


def mask_suffixes(ending: str) -> tuple[str, ...]:
    """Return the suffixes of masks that are named as their image, with ``ending`` behind the name or without."""
    return (*(f"{ending.lower()}{suffix}" for suffix in SUFFIXES), *SUFFIXES)


def discover_plain_pairs(
    source: Path, ending: str = "", keep: Callable[[str], bool] = lambda stem: True
) -> DiscoveredCases | None:
    """Return the pairs of ``images/`` and ``masks/``; None when one of the two folders is missing.

    Args:
        source: folder that holds the two folders.
        ending: what may stand behind an image's name in the name of its mask.
        keep: whether a file name without suffix counts; other files are ignored.
    """
    images, masks = source / "images", source / "masks"
    if not (images.is_dir() and masks.is_dir()):
        return None
    return pair_files(images, masks, SUFFIXES, mask_suffixes(ending), keep=keep)


def check_size(size: int | None) -> None:
    """Raise ValueError when ``size`` is no edge length in pixels; None and 0 stand for the original size."""
    is_whole = isinstance(size, int) and not isinstance(size, bool)
    if size is not None and not (is_whole and (size == 0 or size >= SMALLEST)):
        raise ValueError(
            f"size {size!r}: expected pixels of the longest edge, at least {SMALLEST}, or 0: original size"
        )


def store_pictures(
    case: str, patient: str, image: np.ndarray, mask: np.ndarray, folder: Path, size: int | None = None
) -> dict[str, Any]:
    """Write image and mask of a case as PNGs.

    Args:
        case: name of the case.
        patient: name of its patient.
        image: ``(H, W, 3)`` uint8, RGB.
        mask: ``(H, W)`` uint8, classes.
        folder: folder of the data set, in which ``images`` and ``labels`` are made.
        size: longest edge in pixels to which larger pictures are reduced; None or 0: the original size.

    Returns:
        The case's entry of the data list.

    Raises:
        ValueError: when image and mask have different sizes.
    """
    if image.shape[:2] != mask.shape:
        raise ValueError(f"image {image.shape[:2]} and mask {mask.shape} (height, width) have different sizes")
    names = {"image": f"images/{case}.png", "label": f"labels/{case}.png"}
    # No value lies between two classes: a mask takes its nearest pixel. An image is antialiased.
    for key, array, resampling in (
        ("image", image, Image.Resampling.LANCZOS),
        ("label", mask, Image.Resampling.NEAREST),
    ):
        (folder / names[key]).parent.mkdir(exist_ok=True)
        # Level 1: a tenth larger than the default and several times faster to write.
        _reduce(Image.fromarray(array), size, resampling).save(folder / names[key], compress_level=1)
    return {**names, "case": case, "patient": patient}


def _reduce(picture: Image.Image, size: int | None, resampling: Image.Resampling) -> Image.Image:
    longest = max(picture.size)
    if not size or longest <= size:
        return picture
    width, height = (max(1, round(edge * size / longest)) for edge in picture.size)
    return picture.resize((width, height), resampling)


def open_picture(path: Path) -> Image.Image:
    """Return the picture, read completely.

    Raises:
        ValueError: for an unreadable or truncated file.
    """
    try:
        with Image.open(path) as file:
            file.load()
            return file.copy()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} is unreadable or truncated ({' '.join(str(error).split())[:120]})") from error


def read_image(path: Path) -> np.ndarray:
    """Return an RGB picture ``(H, W, 3)`` uint8.

    Raises:
        ValueError: for an unreadable file, another mode than RGB with 8 bit, a picture of one value.
    """
    image = open_picture(path)
    if image.mode != "RGB":
        kind = {"L": "greyscale", "1": "black and white", "RGBA": "with an alpha channel", "P": "with a palette"}
        raise ValueError(f"{path} is {kind.get(image.mode, f'of mode {image.mode}')}, expected RGB with 8 bit")
    array = np.asarray(image)
    if array.min() == array.max():
        raise ValueError(f"{path}: every pixel is {array.flat[0]}, expected an image")
    return array


def read_grey(path: Path) -> np.ndarray:
    """Return the values of a mask ``(H, W)``; RGB is accepted when its channels are equal.

    Raises:
        ValueError: for an unreadable file, or unequal channels.
    """
    picture = open_picture(path)
    mask = np.asarray(picture)
    if picture.mode == "RGB" and (mask == mask[..., :1]).all():
        mask = mask[..., 0]
    if mask.ndim != 2:
        raise ValueError(f"{path} is a mask of mode {picture.mode} with unequal channels, expected greyscale")
    return mask


def check_ends(path: Path, values: np.ndarray, expected: str) -> None:
    """Check that all values of a mask are within 10 of 0 or 255 (lossy files), and some are near 255.

    Args:
        path: file of the mask, for messages.
        values: the values of the mask, of any shape.
        expected: the values that the mask should hold, for messages.

    Raises:
        ValueError: for other values.
    """
    values = np.unique(values)
    between = values[((values > 10) & (values < 245)) | (values > 255)]
    if between.size or values.max() < 245:
        listed = (between if between.size else values)[:8].tolist()
        raise ValueError(f"{path} holds the mask values {listed}, expected {expected}")
