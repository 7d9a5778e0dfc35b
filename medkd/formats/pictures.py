"""Colour pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

__all__ = ["read_picture"]


def read_picture(path: Path) -> np.ndarray:
    """Return ``(3, rows, columns)``, red, green, blue from 0 to 255, uint8; 16 bit are scaled to 8.

    Raises:
        OSError, ValueError: unreadable or truncated.
    """
    with Image.open(path) as picture:
        if picture.mode[0] == "I":  # 16 bit, which Pillow would cut off at 255
            picture = picture.point(lambda value: value * (1 / 257) + 0.5)
        return np.moveaxis(np.asarray(picture.convert("RGB")), -1, 0)
