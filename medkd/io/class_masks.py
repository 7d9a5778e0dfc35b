"""Reading masks of several classes: the label value of each pixel of a picture file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from .masks import LOSSY, NEAR, cut_grey, cut_one_colour, mask_values
from .picture_files import PictureFile, open_picture

__all__ = ["ClassMask", "read_class_mask"]

MARKED = 255  # label value of the foreground of a two-valued mask, whatever its depth or colour
MOST_VALUES = 64  # of a mask; any image has more
EXPECTED = "a number for each class (0 is background), 0 and 255, or a palette"


class ClassMask(NamedTuple):
    """A mask with its label values, upright as viewers show it.

    Attributes:
        labels: ``(rows, columns)`` uint16: numbers of the file, indices of its palette, or 0 and 255.
        file: its file.
        soft: share of pixels, from 0 to 1, that lay between both ends of a two-valued mask and were cut.
        colour: the colour that is the foreground, where it is no grey; else empty.
        palette: index -> its colour, of a mask with a palette.
    """

    labels: np.ndarray
    file: PictureFile
    soft: float = 0.0
    colour: tuple[int, ...] = ()
    palette: Mapping[int, tuple[int, ...]] = MappingProxyType({})


def read_class_mask(path: str | Path) -> ClassMask:
    """Read the label values of a mask.

    Two-valued masks are those of 0 and 255 (65535 with 16 bit), and of one colour on black. Their edges may be soft, as
    `read_mask` allows. Other grey values are classes, as are the indices of a palette.

    Args:
        path: a picture file.

    Raises:
        ValueError: for a file that `open_picture` refuses; several colours without a palette; a palette whose black is not
            its index 0; classes in a lossy format, which changes values; more values than classes; and see `read_mask`.
    """
    file = open_picture(path)
    if file.image.mode == "P":
        indices = _few(file, _indices(file))
        values, first = np.unique(indices, return_index=True)
        colours = np.asarray(file.image.convert("RGB")).reshape(-1, 3)[first].tolist()
        return ClassMask(indices, file, palette=dict(zip(values.tolist(), map(tuple, colours), strict=True)))
    values = mask_values(file)
    if values.ndim == 3:
        mask = cut_one_colour(file, values, f"{EXPECTED}; or one folder for each class")
    else:
        top = MARKED if values.max() <= MARKED else np.iinfo(np.uint16).max
        inner = np.unique(values[(values > 0) & (values < top)])
        if not len(inner):
            return ClassMask(np.where(values, np.uint16(MARKED), np.uint16(0)), file)
        if values.max() < top - NEAR:
            return _by_value(file, values)
        is_lossy = file.format in LOSSY
        scaled = inner * (MARKED / top)
        # Values near the ends alone: no edge looks so. They are classes, beside 255 for "not labelled" say.
        if not is_lossy and ((scaled <= NEAR) | (scaled >= MARKED - NEAR)).all():
            return _by_value(file, values)
        try:
            mask = cut_grey(file, values, EXPECTED, float(top))
        except ValueError:
            if is_lossy:
                raise
            return _by_value(file, values)
    return ClassMask(mask.foreground * np.uint16(MARKED), file, mask.soft, mask.colour)


def _by_value(file: PictureFile, values: np.ndarray) -> ClassMask:
    """Return grey values as label values."""
    if file.format in LOSSY:
        raise ValueError(
            f"{file.path} holds classes in a lossy format ({file.format}), expected {EXPECTED} in PNG, TIFF or BMP"
        )
    return ClassMask(_few(file, values), file)


def _few(file: PictureFile, values: np.ndarray) -> np.ndarray:
    if (count := len(np.unique(values))) > MOST_VALUES:
        raise ValueError(
            f"{file.path} holds {count} different values: is it an image, or are objects numbered? Expected {EXPECTED}"
        )
    return values.astype(np.uint16)


def _indices(file: PictureFile) -> np.ndarray:
    """Return the indices of a palette. Where it has black, that is the background, and must be index 0."""
    indices = np.asarray(file.image)
    colours = np.asarray(file.image.convert("RGB"))
    is_black = ~colours.any(-1)
    if is_black.any() and indices[is_black].max() > 0:
        raise ValueError(
            f"{file.path} has a palette in which black is index {indices[is_black].max()}, expected the background as index 0"
        )
    return indices
