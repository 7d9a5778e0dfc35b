"""Colours of classes: fixed by the number of the class, the same in files, figures and pages.

The first seven are those of Okabe and Ito (Color Universal Design, 2008; https://jfly.uni-koeln.de/color/), which people with
the common forms of colour blindness tell apart, without their black, which nobody sees on a scan. They are ordered by how
well they stand out from grey values, so that an organ and its tumour have the first two.
"""

from __future__ import annotations

__all__ = ["class_colour", "class_colour_code"]

_OKABE_ITO = (
    (86, 180, 233),  # sky blue
    (213, 94, 0),  # vermilion
    (240, 228, 66),  # yellow
    (204, 121, 167),  # reddish purple
    (0, 158, 115),  # bluish green
    (230, 159, 0),  # orange
    (0, 114, 178),  # blue
)
_HALVES = 8  # bits that the shares of white and black have


def class_colour(value: int) -> tuple[int, int, int]:
    """Return red, green and blue, 0 to 255, of a class.

    No palette has more than about ten colours that everybody tells apart. From class 8 on the seven colours return in
    lighter and darker shades, each class with its own.

    Args:
        value: the value of the class in a label map, from 1 on.

    Raises:
        ValueError: for another value, the background among them.

    Example:
        >>> class_colour(1), class_colour(8)
        ((86, 180, 233), (170, 218, 244))
    """
    if value < 1:
        raise ValueError(f"class_colour: found {value}, expected the value of a class, from 1 on")
    shade, index = divmod(value - 1, len(_OKABE_ITO))
    # light and dark in turns; the share of white or black halves the gaps between the shares before
    end = 255 if shade % 2 else 0
    share = _bits_reversed((shade + 1) // 2)
    red, green, blue = (round(channel + share * (end - channel)) for channel in _OKABE_ITO[index])
    return red, green, blue


def class_colour_code(value: int) -> str:
    """Return the colour of a class as figures and pages write it.

    Example:
        >>> class_colour_code(2)
        '#d55e00'
    """
    return "#{:02x}{:02x}{:02x}".format(*class_colour(value))


def _bits_reversed(number: int) -> float:
    """Return van der Corput's sequence: 0, 1/2, 1/4, 3/4, 1/8, ..."""
    return sum(1 / 2 ** (bit + 1) for bit in range(_HALVES) if number >> bit & 1)
