"""Contact sheets of a data set: one slice or picture of each case, with outlined masks.

They are drawn without matplotlib, whose import and drawing would take longer than a small data set itself.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from medkd.data.volume_store import SUFFIX, read_slice
from medkd.io import image_files, read_stored_picture
from medkd.io.colours import class_colour
from medkd.runs.errors import counted

__all__ = ["PAGES", "write_contact_sheets"]

COLUMNS, ROWS, MOST_PAGES = 8, 6, 6
PAGES = ("report.png", *(f"report_{number}.png" for number in range(2, MOST_PAGES + 1)))
EDGE, GAP, LINE = 160, 6, 15  # pixels: of a picture, between pictures, of a line of text
ABDOMEN = (-160.0, 240.0)  # HU: of CT data sets whose data list names no window
LONGEST_TITLE = 26  # characters


def write_contact_sheets(
    folder: Path,
    entries: Sequence[Mapping[str, Any]],
    odd: Mapping[str, Sequence[str]],
    names: Sequence[str],
    window: Sequence[float] | None = None,
) -> str:
    """Write ``report.png``, and ``report_2.png`` and so on where there are more cases: odd cases first.

    Of a volume, the slice in the middle of its labelled ones is drawn, or of all where none is labelled; of several
    channels, the first. Of more cases than the pages hold, an evenly spread sample is drawn.

    Args:
        folder: folder of the data set.
        entries: of the data list, all splits.
        odd: case -> how it differs from the others.
        names: of the classes, in order of their numbers from 1 on.
        window: intensities that are black and white; None: a usual one.

    Returns:
        A sentence on what the files show.
    """
    shown = _sample(entries, odd)
    pages = [shown[first : first + COLUMNS * ROWS] for first in range(0, len(shown), COLUMNS * ROWS)]
    every = (
        f"all {counted(len(entries), 'case')}"
        if len(shown) == len(entries)
        else f"{len(shown)} of {len(entries)} cases"
    )
    text = f"{every}{'' if len(shown) == len(entries) else ', evenly spread'}{', odd ones first' if odd else ''}"
    for number, (file, cases) in enumerate(zip(PAGES, pages, strict=False), 1):
        page = f"page {number} of {len(pages)}: " if len(pages) > 1 else ""
        _draw_page(folder, cases, odd, names, window, page + text).save(folder / file)
    files = PAGES[0] if len(pages) == 1 else f"{PAGES[0]} to {PAGES[len(pages) - 1]}"
    slices = ", the middle slice of what is labelled" if _is_volume(shown[0]) else ""
    return f"{files}: {text}{slices}"


def _sample(entries: Sequence[Mapping[str, Any]], odd: Mapping[str, Sequence[str]]) -> list[Mapping[str, Any]]:
    """Return the entries that are drawn, the odd ones first."""
    most = COLUMNS * ROWS * MOST_PAGES
    first = [entry for entry in entries if entry["case"] in odd][: most // 2 if len(entries) > most else None]
    others = [entry for entry in entries if entry["case"] not in odd]
    count = min(len(others), most - len(first))
    return first + [others[index] for index in np.linspace(0, len(others) - 1, count).round().astype(int)]


def _draw_page(
    folder: Path,
    entries: Sequence[Mapping[str, Any]],
    odd: Mapping[str, Sequence[str]],
    names: Sequence[str],
    window: Sequence[float] | None,
    text: str,
) -> Image.Image:
    columns = min(COLUMNS, len(entries))
    rows = -(-len(entries) // columns)
    width, height = EDGE + GAP, EDGE + LINE + GAP
    sheet = Image.new("RGB", (max(columns * width + GAP, 4 * width), rows * height + 2 * (LINE + GAP)), "white")
    draw, font = ImageDraw.Draw(sheet), _font()
    draw.text((GAP, 2), text, "black", font)
    for index, entry in enumerate(entries):
        left, top = GAP + index % columns * width, LINE + GAP + index // columns * height
        slice_number, picture = _thumbnail(folder, entry, window)
        draw.text((left, top), _title(entry["case"], slice_number, entry["case"] in odd), "black", font)
        sheet.paste(picture, (left + (EDGE - picture.width) // 2, top + LINE + (EDGE - picture.height) // 2))
    _draw_legend(draw, font, names, sheet.height - LINE - 2, sheet.width)
    return sheet


def _draw_legend(
    draw: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont, names: Sequence[str], top: int, width: int
) -> None:
    left = float(GAP)
    for number, name in enumerate(names, 1):
        length = draw.textlength(name, font)
        if left + LINE + length > width:
            draw.text((left, top), "...", "black", font)
            return
        draw.rectangle((left, top + 2, left + 10, top + 12), class_colour(number))
        draw.text((left + LINE, top), name, "black", font)
        left += LINE + length + 2 * GAP


def _thumbnail(
    folder: Path, entry: Mapping[str, Any], window: Sequence[float] | None
) -> tuple[int | None, Image.Image]:
    """Return the number of the slice, None of a picture, and its picture with outlines."""
    file, label_file = folder / image_files(entry["image"])[0], entry.get("label")
    number = _middle_slice(entry) if _is_volume(entry) else None
    if number is None:
        image = np.moveaxis(read_stored_picture(file), 0, -1)
        label = None if label_file is None else np.asarray(Image.open(folder / label_file))
        low, high = window or (0, 255)
        mm_rows, mm_columns = 1.0, 1.0
    else:
        image = read_slice(file, number)[..., None]
        label = None if label_file is None else read_slice(folder / label_file, number)
        low, high = window or ABDOMEN
        mm_rows, mm_columns = entry["spacing"][1:]
    pixels = (255 * ((image.astype(np.float32) - low) / (high - low)).clip(0, 1)).astype(np.uint8)
    rows, columns = image.shape[0] * mm_rows, image.shape[1] * mm_columns
    scale = EDGE / max(rows, columns)
    size = max(1, round(columns * scale)), max(1, round(rows * scale))
    thumbnail = np.array(Image.fromarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)).copy()).resize(size))
    for value in [] if label is None else np.unique(label[label > 0]):
        # any pixel of the class counts: a small target does not get lost
        mask = np.asarray(Image.fromarray((label == value).astype(np.uint8) * 255).resize(size, Image.Resampling.BOX))
        thumbnail[_outline(mask > 0)] = class_colour(int(value))
    return number, Image.fromarray(thumbnail)


def _outline(mask: np.ndarray) -> np.ndarray:
    """Return the pixels of a mask that have a neighbour outside of it; so has a pixel at the border."""
    padded = np.pad(mask, 1)
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return mask & ~inner


def _is_volume(entry: Mapping[str, Any]) -> bool:
    return image_files(entry["image"])[0].endswith(SUFFIX)


def _middle_slice(entry: Mapping[str, Any]) -> int:
    labelled = sorted({number for numbers in entry.get("slices_with", {}).values() for number in numbers})
    return labelled[len(labelled) // 2] if labelled else entry["shape"][0] // 2


def _title(case: str, slice_number: int | None, is_odd: bool) -> str:
    details = ("" if slice_number is None else f", slice {slice_number}") + (", odd" if is_odd else "")
    room = LONGEST_TITLE - len(details)
    return (case if len(case) <= room else f"...{case[3 - room :]}") + details


def _font() -> ImageFont.FreeTypeFont:
    """Return matplotlib's font, which has the letters of more languages than Pillow's own."""
    spec = importlib.util.find_spec("matplotlib")
    assert spec is not None and spec.submodule_search_locations
    return ImageFont.truetype(Path(spec.submodule_search_locations[0]) / "mpl-data/fonts/ttf/DejaVuSans.ttf", 10)
