"""The contact sheet of a data set of pictures: a grid of images with outlined masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

from medkd.io import read_stored_picture
from medkd.io.colours import class_colour_code

__all__ = ["draw_contact_sheet"]

COLUMNS, ROWS = 6, 5
MOST_ODD = 10
EDGE = 300  # pixels to which larger pictures are reduced
LONGEST_TITLE = 26  # characters


def draw_contact_sheet(
    folder: Path,
    entries: Sequence[Mapping[str, Any]],
    odd: Mapping[str, Sequence[str]],
    names: Sequence[str],
    window: Sequence[float],
) -> None:
    """Write ``report.png``: odd cases first, then others that are evenly spread over the data set.

    Args:
        folder: folder of the data set.
        entries: of the data list, all splits.
        odd: case -> how it differs from the others.
        names: of the classes, in order of their numbers from 1 on.
        window: intensities that are black and white.
    """
    shown = [entry for entry in entries if entry["case"] in odd][:MOST_ODD]
    others = [entry for entry in entries if entry["case"] not in odd]
    count = min(len(others), COLUMNS * ROWS - len(shown))
    shown += [others[index] for index in np.linspace(0, len(others) - 1, count).round().astype(int)]
    columns = min(COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    pairs = [_thumbnail(folder, entry, window) for entry in shown]
    tallest = max(label.shape[0] / label.shape[1] for _, label in pairs)
    height = min(2.2 * tallest, 4.4)
    figure = Figure(figsize=(2.2 * columns, (height + 0.35) * rows + 0.6), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels:
        axes.set_axis_off()
    for axes, entry, (image, label) in zip(panels, shown, pairs, strict=False):
        _draw(axes, image, label)
        axes.set_title(_title(entry["case"], entry["case"] in odd), fontsize=8, parse_math=False)
    lines = [Line2D([], [], color=class_colour_code(number), label=name) for number, name in enumerate(names, 1)]
    legend = figure.legend(handles=lines, loc="outside lower center", ncols=min(len(lines), 8), fontsize=10)
    for text in legend.get_texts():
        text.set_parse_math(False)
    figure.savefig(folder / "report.png", dpi=110)


def _thumbnail(folder: Path, entry: Mapping[str, Any], window: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Return the image, from 0 to 1 with channels last, and its label, both reduced alike."""
    image = np.moveaxis(read_stored_picture(folder / entry["image"]).astype(np.float32), 0, -1)
    label = np.asarray(Image.open(folder / entry["label"]))
    step = max(1, -(-max(label.shape) // EDGE))
    image = (image[::step, ::step] - window[0]) / (window[1] - window[0])
    return image.clip(0, 1), label[::step, ::step]


def _draw(axes: Axes, image: np.ndarray, label: np.ndarray) -> None:
    axes.imshow(image, cmap="gray", vmin=0, vmax=1)
    for value in np.unique(label[label > 0]):
        # a margin of background: a class that reaches the border, or fills the picture, is outlined there too
        mask = np.pad(label == value, 1)
        rows, columns = (np.arange(-1, edge + 1) for edge in label.shape)
        axes.contour(columns, rows, mask, levels=[0.5], colors=class_colour_code(int(value)), linewidths=1.3)


def _title(case: str, is_odd: bool) -> str:
    name = case if len(case) <= LONGEST_TITLE else f"...{case[3 - LONGEST_TITLE :]}"
    return f"{name} (odd)" if is_odd else name
