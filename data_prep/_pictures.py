"""What preparations of pictures share: pairs of folders, reading with a reason for each refusal, smaller copies, PNGs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ._common import DiscoveredCases, pair_files

__all__ = [
    "SUFFIXES",
    "check_ends",
    "check_size",
    "convert",
    "mask_suffixes",
    "open_picture",
    "plain_pairs",
    "read_grey",
    "read_image",
]

SUFFIXES = (".bmp", ".png", ".tif", ".tiff", ".jpg", ".jpeg")
SMALLEST = 16  # pixels


def mask_suffixes(ending: str) -> tuple[str, ...]:
    """Suffixes by which a mask's name is the image's with ``ending`` behind it, or the image's itself."""
    return (*(f"{ending.lower()}{suffix}" for suffix in SUFFIXES), *SUFFIXES)


def plain_pairs(
    source: Path, ending: str = "", keep: Callable[[str], bool] = lambda stem: True
) -> DiscoveredCases | None:
    """Return the pairs of ``images/`` and ``masks/``; None when one of the two folders is not there."""
    images, masks = source / "images", source / "masks"
    if not (images.is_dir() and masks.is_dir()):
        return None
    return pair_files(images, masks, SUFFIXES, mask_suffixes(ending), name=str, keep=keep)


def check_size(size: int | None) -> None:
    """Raise ValueError when ``size`` is no length of an edge; None and 0 stand for the original size."""
    whole = isinstance(size, int) and not isinstance(size, bool)
    if size is not None and not (whole and (size == 0 or size >= SMALLEST)):
        raise ValueError(
            f"size {size!r}: expected pixels of the longest edge, at least {SMALLEST}, or 0: original size."
        )


def convert(
    case: str,
    files: tuple[Path, Path],
    folder: Path,
    patient: str,
    read_mask: Callable[[Path], np.ndarray],
    size: int | None = None,
) -> dict[str, Any]:
    """Write image and mask as PNGs, their longest edge at most ``size``, and return the entry of the data list."""
    image, mask = read_image(files[0]), read_mask(files[1])
    if image.shape[:2] != mask.shape:
        raise ValueError(f"image {image.shape[:2]} and mask {mask.shape} (height, width) have different sizes")
    names = {"image": f"images/{case}.png", "label": f"labels/{case}.png"}
    # A class value between two others is none: the mask takes its nearest pixel, the image is antialiased.
    for key, array, filtered in (("image", image, Image.Resampling.LANCZOS), ("label", mask, Image.Resampling.NEAREST)):
        (folder / names[key]).parent.mkdir(exist_ok=True)
        # Level 1: a tenth larger than the default and several times faster to write.
        _shrink(Image.fromarray(array), size, filtered).save(folder / names[key], compress_level=1)
    return {**names, "case": case, "patient": patient}


def _shrink(picture: Image.Image, size: int | None, filtered: Image.Resampling) -> Image.Image:
    longest = max(picture.size)
    if not size or longest <= size:
        return picture
    return picture.resize([max(1, round(edge * size / longest)) for edge in picture.size], filtered)


def open_picture(path: Path) -> Image.Image:
    """Return the whole picture in memory; a file that cannot be read raises ValueError with its name."""
    try:
        with Image.open(path) as file:
            file.load()
            return file.copy()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} is unreadable or truncated ({' '.join(str(error).split())[:120]})") from error


def read_image(path: Path) -> np.ndarray:
    """Return an RGB picture ``(H, W, 3)`` uint8."""
    image = open_picture(path)
    if image.mode != "RGB":
        kind = {"L": "greyscale", "1": "black and white", "RGBA": "with an alpha channel", "P": "with a palette"}
        raise ValueError(f"{path} is {kind.get(image.mode, f'of mode {image.mode}')}, expected RGB with 8 bit")
    array = np.asarray(image)
    if array.min() == array.max():
        raise ValueError(f"{path}: every pixel is {array.flat[0]}, expected an image")
    return array


def read_grey(path: Path) -> np.ndarray:
    """Return a mask's values ``(H, W)``; RGB is taken when its channels are equal."""
    picture = open_picture(path)
    mask = np.asarray(picture)
    if picture.mode == "RGB" and (mask == mask[..., :1]).all():
        mask = mask[..., 0]
    if mask.ndim != 2:
        raise ValueError(f"{path} is a mask of mode {picture.mode} with unequal channels, expected greyscale")
    return mask


def check_ends(path: Path, values: np.ndarray, expected: str) -> None:
    """Raise ValueError unless all values are within 10 of 0 or 255 (lossy files), and some are near 255."""
    values = np.unique(values)
    soft = values[((values > 10) & (values < 245)) | (values > 255)]
    if soft.size or values.max() < 245:
        shown = (soft if soft.size else values)[:8].tolist()
        raise ValueError(f"{path} holds the mask values {shown}, expected {expected}")
