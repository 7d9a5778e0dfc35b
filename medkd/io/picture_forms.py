"""The form of a picture, grey or RGB and its bits, and pictures in the form of a data set, converted on request alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .picture_files import PictureFile, open_picture
from .pictures import FEW, to_rgb

__all__ = ["FORMS", "form_channels", "picture_form", "read_in_form", "read_stored_picture", "to_form"]

# Form -> what it is, for messages and reports.
FORMS = {"grey": "grey of 8 bit", "grey16": "grey of 16 bit", "rgb": "RGB"}
_DEPTH = 257  # 255 with 8 bit is 65535 with 16 bit


def form_channels(form: str) -> dict[str, str]:
    """Return channel number -> name of a form, as data lists have it.

    Example:
        >>> form_channels("grey16")
        {'0': 'grey'}
    """
    return {"0": "red", "1": "green", "2": "blue"} if form == "rgb" else {"0": "grey"}


def picture_form(file: PictureFile) -> str:
    """Return the form of a picture: "grey", "grey16" (16 bit, signed numbers too) or "rgb".

    A palette of greys is grey. Colours that are all grey, as many programs save scans, are RGB: `read_in_form` takes their
    one channel where grey was asked for.

    Raises:
        ValueError: for numbers of 32 bit or floats, whose range is unknown, and for grey with values of unknown content.
    """
    mode = file.image.mode
    if mode == "F" or (mode == "I" and file.bits > 16):
        raise ValueError(
            f"{file.path} is of mode {file.mode} ({file.bits}-bit numbers), expected colours or grey of 8 or 16 bit"
        )
    if file.hidden_samples and mode != "RGB":
        raise ValueError(f"{file.path} has {file.hidden_samples + 1} values per pixel, expected grey or colours")
    if mode == "I" or mode.startswith("I;16"):
        return "grey16"
    if mode in ("P", "PA"):
        colours = np.asarray(file.image.convert("RGB"))
        return "rgb" if (colours != colours[..., :1]).any() else "grey"
    return "grey" if mode in ("1", "L", "LA") else "rgb"


def read_in_form(
    path: str | Path, form: str, convert: bool = False, window: Sequence[float] | Sequence[Sequence[float]] = ()
) -> np.ndarray:
    """Return a picture ``(channels, rows, columns)`` in a form, upright as viewers show it.

    Args:
        path: a picture file.
        form: one of `FORMS`.
        convert: whether a picture of another form is converted; else it is refused.
        window: intensities that the network tells apart. 8 bit are not converted to 16 where these have 12 bit or fewer.

    Raises:
        ValueError: see `picture_form`, `to_form` and `medkd.io.open_picture`; and for another form.
    """
    file = open_picture(path)
    found = picture_form(file)
    if convert and form == "grey16" != found and window and np.max(window) < FEW:
        low, high = np.ravel(window)[:2]
        raise ValueError(
            f"{path}: found {FORMS[found]}, expected {FORMS[form]} with intensities from {low:g} to {high:g} as in training: "
            "8 bit scaled to 16 would be white"
        )
    if not convert and found != form:
        raise ValueError(
            f"{path}: found {FORMS[found]}, expected {FORMS[form]} as in training (--convert True converts)"
        )
    return to_form(file, form)


def to_form(file: PictureFile, form: str) -> np.ndarray:
    """Return a picture ``(channels, rows, columns)`` in a form: uint8, or whole numbers as they are for "grey16".

    Grey of colours is their luminance (ITU-R BT.601), of equal channels any of them. 8 and 16 bit are scaled so that black
    and white stay black and white. An alpha channel and colour profiles are left out.

    Raises:
        ValueError: see `picture_form` and `medkd.io.to_rgb`.
    """
    found = picture_form(file)
    if form == "grey16" and found == "grey16":
        values = np.asarray(file.image)
        values = values.astype(np.uint16 if values.dtype.kind == "u" else np.int32)  # in this machine's order of bytes
        return (np.iinfo(np.uint16).max - values if file.white_is_zero and values.dtype.kind == "u" else values)[None]
    colours = to_rgb(file)
    if form == "rgb":
        return np.moveaxis(np.asarray(colours), -1, 0)
    grey = np.asarray(colours.convert("L"))[None]
    return grey if form == "grey" else grey.astype(np.uint16) * np.uint16(_DEPTH)


def read_stored_picture(path: str | Path) -> np.ndarray:
    """Return a picture of a prepared data set ``(channels, rows, columns)``, in the form in which it was stored."""
    file = open_picture(path)
    return to_form(file, picture_form(file))
