"""Building blocks of picture phantoms: textures, ellipses, file numbers, files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

__all__ = ["ellipse", "grid", "save", "spread", "texture"]


def texture(rng: np.random.Generator, shape: tuple[int, int], width: float) -> np.ndarray:
    """Return a smooth random field of zero mean and unit variance; ``width`` is a share of the picture's height."""
    field = gaussian_filter(rng.standard_normal(shape), max(0.7, width * shape[0]), mode="wrap")
    return (field - field.mean()) / field.std()


def grid(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return row coordinates from -1 to 1, and column coordinates on the same scale, so that circles are round."""
    wide = shape[1] / shape[0]
    rows, columns = np.meshgrid(np.linspace(-1, 1, shape[0]), np.linspace(-wide, wide, shape[1]), indexing="ij")
    return rows, columns


def ellipse(rows: np.ndarray, columns: np.ndarray, centre: np.ndarray, radius: np.ndarray, angle: float) -> np.ndarray:
    """Return the distance of each pixel from the centre, scaled to 1 on the ellipse with these two radii."""
    along = (rows - centre[0]) * np.cos(angle) + (columns - centre[1]) * np.sin(angle)
    across = -(rows - centre[0]) * np.sin(angle) + (columns - centre[1]) * np.cos(angle)
    return np.sqrt((along / radius[0]) ** 2 + (across / radius[1]) ** 2)


def spread(count: int, total: int) -> list[int]:
    """Return ``count`` different numbers in 1..total, evenly spaced."""
    return [int((position + 0.5) * total / count) + 1 for position in range(count)]


def save(array: np.ndarray, path: Path, palette: list[int] | None = None, **options: Any) -> None:
    """Write a picture, and create its folder.

    Args:
        array: grey values (H, W), colours (H, W, 3), or indices into the palette.
        path: file; its suffix decides the format.
        palette: red, green and blue of each index.
        **options: options of Pillow's writer.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(array)
    if palette:
        picture.putpalette(palette)  # turns greyscale into a picture of mode P
    picture.save(path, **options)
