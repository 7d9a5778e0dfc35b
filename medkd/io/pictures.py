"""Reading pictures as RGB with 8 bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

__all__ = ["as_rgb", "read_picture"]

_DEPTH = 257  # 65535 with 16 bit is 255 with 8 bit


def as_rgb(picture: Image.Image) -> Image.Image:
    """Return a picture of any mode as RGB with 8 bit.

    Grey with 16 bit is scaled; pillow alone would make nearly all of it white.

    Raises:
        ValueError: for 32-bit numbers, whose range is unknown; TIFF files may hold them.
    """
    # Older pillow reads PNG with 16 bit as mode I.
    is_deep = picture.mode.startswith("I;16") or (picture.mode == "I" and picture.format == "PNG")
    if picture.mode in ("I", "F") and not is_deep:
        raise ValueError(f"picture of mode {picture.mode} (32-bit numbers), expected colours or grey of 8 or 16 bit")
    if is_deep:
        picture = Image.fromarray(np.rint(np.asarray(picture) / _DEPTH).astype(np.uint8))
    return picture.convert("RGB")


def read_picture(path: Path) -> np.ndarray:
    """Return a picture as ``(3, rows, columns)`` uint8: red, green, blue; 16 bit are scaled to 8.

    Raises:
        OSError: for an unreadable or truncated file.
        ValueError: for a broken file, a decompression bomb, or 32-bit numbers.
    """
    try:
        with Image.open(path) as picture:
            return np.moveaxis(np.asarray(as_rgb(picture)), -1, 0)
    except (SyntaxError, Image.DecompressionBombError) as error:  # what pillow raises for broken chunks and for bombs
        raise ValueError(f"{path} is unreadable ({' '.join(str(error).split())[:120]})") from error
