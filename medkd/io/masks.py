"""Reading masks of one class: which pixels a picture file marks, whatever numbers or colours it marks them with."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from scipy import ndimage

from .labels import whole_numbers
from .picture_files import PictureFile, open_picture
from .pictures import has_transparency

__all__ = ["LOSSY", "NEAR", "Mask", "cut_grey", "cut_one_colour", "mask_values", "read_mask"]

THRESHOLD = 127
NEAR = 10  # grey values from 0 or 255 that lossy files leave at a pixel of one of the two
SOFTEST = 64  # from there on a value is neither 0 nor 255
MOST_SOFT = 0.05  # share of pixels of such values
BLOCK = 8  # pixels: a block of JPEG; soft values lie that near to both ends
FEWEST_AT_EDGES = 3  # different soft values; of one or two each may be a class
MOST_OFF_EDGE = 0.001  # share of pixels of values in between elsewhere
OTHER_COLOUR = 64  # difference in a channel from the foreground's colour, made darker
LOSSY = ("JPEG", "MPO")
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA")
DEEPEST = 65535  # with 16 bit


class Mask(NamedTuple):
    """A mask, upright as viewers show it.

    Attributes:
        foreground: ``(rows, columns)`` bool.
        file: its file.
        soft: share of pixels, from 0 to 1, whose value is within 10 neither of the background's nor of the foreground's.
        colour: the colour that is the foreground, where it is no grey; else empty.
    """

    foreground: np.ndarray
    file: PictureFile
    soft: float = 0.0
    colour: tuple[int, ...] = ()


def read_mask(path: str | Path, expected: str, highest: int = 1, any_value: bool = False) -> Mask:
    """Read which pixels of a mask are class 1.

    Values up to ``highest`` are classes. Other masks are two-valued: 0, and 255 (65535 with 16 bit), or one colour on black.
    Values in between are taken for edges that a lossy format or a smooth drawing left, and cut at 127, where they lie beside
    an edge, are several, and at most 5 % of pixels are far from both ends.

    Args:
        path: a picture file.
        expected: the values that the mask should hold, for messages.
        highest: highest class of this kind of mask; classes above 1 are background.
        any_value: whether a grey value, too, may be the foreground when it is the only one above 0; no classes then.

    Raises:
        ValueError: for a file that `open_picture` refuses, several values or colours, values that are not whole numbers from
            0 on, an alpha channel that shows another mask than the colours, or a TIFF that says that 0 is white.
    """
    file = open_picture(path)
    values = mask_values(file)
    if values.ndim == 2 and not any_value:
        if values.max() > highest:
            return cut_grey(file, values, expected, 255 if values.max() <= 255 else DEEPEST)
        if values.any() and file.format in LOSSY:
            raise ValueError(f"{file.path} holds classes in a lossy format ({file.format}), expected {expected}")
        if 0 < values.min() < values.max():
            raise ValueError(f"{file.path} holds classes and no background (0), expected {expected}")
        return Mask(values == 1, file)
    return cut_one_colour(file, values if values.ndim == 3 else values[..., None], expected)


def mask_values(file: PictureFile) -> np.ndarray:
    """Return ``(rows, columns)`` whole numbers from 0 on; or ``(rows, columns, 3)`` uint8 where it has colours."""
    image = file.image
    if file.white_is_zero:
        raise ValueError(
            f"{file.path} says that 0 is white (MinIsWhite): some programs exchange background and foreground then, others "
            "do not; expected a TIFF in which 0 is black, or PNG"
        )
    if file.hidden_samples:
        raise ValueError(
            f"{file.path} has {file.hidden_samples + len(image.getbands())} values per pixel, expected one"
        )
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return whole_numbers(np.asarray(image), np.uint16, f"{file.path}: values of the mask")
    if image.mode not in MODES:
        raise ValueError(f"{file.path} is a mask of mode {file.mode}, expected grey, a palette or RGB")
    colours = np.asarray(_on_black(file))
    if file.bits > 8 and colours.max() < 16:
        raise ValueError(f"{file.path} has colours of 16 bit, all below 4096, expected a mask with 8 bit")
    if (colours != colours[..., :1]).any():
        return colours
    grey = colours[..., 0]
    # Pillow scales grey of 2 and 4 bit to 255, not the colours of palettes; classes are the numbers in the file
    is_scaled = file.mode == "L" and file.bits in (2, 4) and grey.max() < 255
    return grey // (255 // (2**file.bits - 1)) if is_scaled else grey


def _on_black(file: PictureFile) -> Image.Image:
    """Return the picture as RGB on black.

    Raises:
        ValueError: when what is opaque and what is not black are different masks.
    """
    if not has_transparency(file.image):
        return file.image.convert("RGB")
    picture = file.image.convert("RGBA")
    alpha, is_black = np.asarray(picture)[..., 3], ~np.asarray(picture)[..., :3].any(-1)
    if (is_black & (alpha == 255)).any() or (~is_black & (alpha == 0)).any():
        raise ValueError(
            f"{file.path} has an alpha channel that shows another mask than its colours, expected a mask without alpha"
        )
    black = Image.new("RGBA", picture.size, (0, 0, 0, 255))
    return Image.alpha_composite(black, picture).convert("RGB")


def cut_one_colour(file: PictureFile, colours: np.ndarray, expected: str) -> Mask:
    """Take the one colour on black for the foreground; a lossy format may blur it as `cut_grey` allows."""
    marked = np.asarray(colours.any(-1))
    if not marked.any():
        return Mask(marked, file)
    brightness = colours.max(-1)
    if brightness.min() > NEAR:
        found = np.unique(colours.reshape(-1, colours.shape[-1])[:1000], axis=0)[:2].tolist()
        raise ValueError(f"{file.path} has no black background, found the colours {found}, expected {expected}")
    colour = colours[marked][0]
    if not marked.all() and (colours[marked] == colour).all():
        return Mask(marked, file, 0.0, tuple(colour.tolist()))
    colour = np.median(colours[brightness > brightness.max() / 2], axis=0)
    if not colour.any():  # the medians of the channels of three colours, of which each channel marks one
        colour = colours[brightness == brightness.max()][0].astype(float)
    others = np.abs(colours - brightness[..., None] * (colour / colour.max())).max(-1) > OTHER_COLOUR
    others |= brightness > colour.max() + OTHER_COLOUR
    if others.any() and file.format not in LOSSY:
        found = np.stack([colour.astype(int), colours[others][0]]).squeeze().tolist()
        kind = "colours" if len(colour) > 1 else "mask values"
        raise ValueError(f"{file.path} holds the {kind} {found}, expected {expected}")
    top = 255 if colour.max() >= 255 - NEAR else float(colour.max())
    return cut_grey(file, brightness, expected, top, others)._replace(colour=tuple(colour.astype(int).tolist()))


def cut_grey(
    file: PictureFile, values: np.ndarray, expected: str, top: float = 255, others: np.ndarray | None = None
) -> Mask:
    """Cut values at the middle, when nearly all are near one of the two ends.

    Args:
        file: the file.
        values: ``(rows, columns)``, from 0 to ``top``.
        expected: for messages.
        top: the value of the foreground.
        others: pixels of other colours, where there are colours.
    """
    grey = values if top == 255 else values * np.float32(255 / top)
    foreground = grey > THRESHOLD
    soft = (grey > NEAR) & (grey < 255 - NEAR)
    if others is not None:
        soft |= others
    softest = (soft & (grey >= SOFTEST) & (grey <= 255 - SOFTEST)).mean()
    block = BLOCK if others is None else 2 * BLOCK  # JPEG stores colours at half the size
    is_third = soft.mean() > MOST_OFF_EDGE and len(np.unique(values[soft])) < FEWEST_AT_EDGES
    is_edge = softest <= MOST_SOFT and not is_third and _off_edge(grey, soft, block) <= MOST_OFF_EDGE
    if is_edge and _has_two_ends(grey, foreground):
        return Mask(foreground, file, float(soft.mean()))
    listed = [f"{value:g}" for value in np.unique(values[soft] if soft.any() else values)[:8]]
    share = f"; {soft.mean():.2%} of its pixels are between both ends" if soft.any() else ""
    raise ValueError(f"{file.path} holds the mask values [{', '.join(listed)}], expected {expected}{share}")


def _has_two_ends(grey: np.ndarray, foreground: np.ndarray) -> bool:
    """Return whether there is foreground, near 255, and background near 0; a mask of 255 alone has both."""
    if not foreground.any() or np.median(grey[foreground]) < 255 - NEAR:
        return False
    return bool(grey.min() == grey.max() if foreground.all() else np.median(grey[~foreground]) <= NEAR)


def _off_edge(grey: np.ndarray, soft: np.ndarray, block: int) -> float:
    """Return the share of pixels between the ends that do not have pixels of both ends within a block."""
    if not soft.any():
        return 0.0
    ends = (~soft & (grey <= NEAR), ~soft & (grey >= 255 - NEAR))
    is_near = [ndimage.maximum_filter(end, 2 * block + 1) for end in ends]
    return float((soft & ~(is_near[0] & is_near[1])).mean())
