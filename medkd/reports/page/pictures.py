"""Pictures and outlines as text inside the page."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from skimage.measure import approximate_polygon, find_contours

from medkd.io import class_colour_code

__all__ = ["Outline", "Picture", "embed", "embed_file", "outline_path", "outlines"]

_QUALITY = 88
_TOLERANCE = 0.35  # pixels that an outline may be off
LONGEST = 384  # pixels of the longer edge of a picture in the page


class Picture(NamedTuple):
    """A picture as a data URI, with its size in pixels."""

    uri: str
    width: int
    height: int


class Outline(NamedTuple):
    """The outline of a class, as an SVG path in pixels."""

    colour: str
    path: str


def embed(pixels: np.ndarray, longest: int = LONGEST) -> Picture:
    """Encode an image as WebP.

    Args:
        pixels: (rows, columns, 1 or 3), from 0 to 1.
        longest: length of the longer edge in pixels; larger images are reduced.
    """
    values = np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
    return _encode(Image.fromarray(values[..., 0] if values.shape[-1] == 1 else values), longest)


def embed_file(file: Path, longest: int = 1500) -> Picture:
    """Encode a picture file as WebP; larger pictures are reduced."""
    with Image.open(file) as picture:
        return _encode(picture.convert("RGB"), longest)


def _encode(picture: Image.Image, longest: int) -> Picture:
    picture.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    picture.save(stream, "WEBP", quality=_QUALITY, method=4)
    return Picture("data:image/webp;base64," + base64.b64encode(stream.getvalue()).decode(), *picture.size)


def outlines(labels: np.ndarray) -> list[Outline]:
    """Return the outline of each class above 0 of (rows, columns) labels that has pixels."""
    return [
        Outline(class_colour_code(int(value)), outline_path(labels == value)) for value in np.unique(labels[labels > 0])
    ]


def outline_path(mask: np.ndarray) -> str:
    """Return the outline of a (rows, columns) mask as an SVG path in pixels."""
    parts = []
    # a border of background closes outlines at the edge of the image
    for contour in find_contours(np.pad(mask, 1).astype(np.float32), 0.5):
        # pixel centres lie at +0.5, and the border is one pixel
        points = approximate_polygon(contour, _TOLERANCE) - 0.5
        parts.append("M" + "L".join(f"{x:.4g} {y:.4g}" for y, x in points) + "Z")
    return "".join(parts)
