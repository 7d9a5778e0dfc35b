"""Colour pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

__all__ = ["as_rgb", "read_picture"]

_DEPTH = 257  # 65535 of 16 bit is 255 of 8 bit


def as_rgb(picture: Image.Image) -> Image.Image:
    """A picture of any mode in colours of 8 bit; grey of 16 bit is scaled, where pillow would make nearly all of it white.

    Raises:
        ValueError: for numbers whose range nobody knows, as TIFF files may hold.
    """
    deep = picture.mode.startswith("I;16") or (picture.mode == "I" and picture.format == "PNG")  # older pillow: I
    if picture.mode in ("I", "F") and not deep:
        raise ValueError(f"picture of mode {picture.mode} (32-bit numbers), expected colours or grey of 8 or 16 bit")
    if deep:
        picture = Image.fromarray(np.rint(np.asarray(picture) / _DEPTH).astype(np.uint8))
    return picture.convert("RGB")


def read_picture(path: Path) -> np.ndarray:
    """Return ``(3, rows, columns)``, red, green, blue from 0 to 255, uint8; 16 bit are scaled to 8.

    Raises:
        OSError, ValueError: unreadable or truncated.
    """
    try:
        with Image.open(path) as picture:
            return np.moveaxis(np.asarray(as_rgb(picture)), -1, 0)
    except (SyntaxError, Image.DecompressionBombError) as error:  # pillow's words for broken chunks, and for a bomb
        raise ValueError(f"{path} is unreadable ({' '.join(str(error).split())[:120]})") from error
