"""Colours of methods: readable on both grounds, told apart by colour-blind people, and never those of a class."""

import itertools
import re
from pathlib import Path

import numpy as np
import pytest

import medkd.reports.page
from medkd.io import class_colour
from medkd.reports.page.colours import row_colours

CSS = (Path(medkd.reports.page.__file__).parent / "templates/page.css").read_text()
GROUNDS = {"light": (255, 255, 255), "dark": (20, 23, 27)}


def palette(theme):
    """The colours --m0 to --m7 of a theme."""
    blocks = re.findall(r"--m0: .*", CSS)
    block = blocks[0] if theme == "light" else blocks[1]
    return [tuple(int(code[i : i + 2], 16) for i in (0, 2, 4)) for code in re.findall(r"--m\d: #([0-9a-f]{6})", block)]


def luminance(colour):
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in np.array(colour) / 255]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


@pytest.mark.parametrize("theme", GROUNDS)
def test_lines_stand_out_and_none_is_the_colour_of_a_class(theme):
    colours = palette(theme)
    assert len(set(colours)) == 8
    for colour in colours:
        high, low = sorted((luminance(colour), luminance(GROUNDS[theme])), reverse=True)
        assert (high + 0.05) / (low + 0.05) >= 4.5
        # the ground truth is drawn in the colours of the classes
        assert min(np.abs(np.subtract(colour, class_colour(value))).sum() for value in range(1, 8)) > 40


@pytest.mark.parametrize("theme", GROUNDS)
def test_colours_of_the_main_methods_differ_for_colour_blind_people(theme):
    """Machado et al., 2009: deuteranopia and protanopia, on linear RGB."""
    matrices = (
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    )
    for matrix in matrices:
        seen = [
            255 * np.clip(np.array(matrix) @ (np.array(c) / 255) ** 2.2, 0, 1) ** (1 / 2.2) for c in palette(theme)[:5]
        ]
        assert min(np.abs(a - b).sum() for a, b in itertools.combinations(seen, 2)) > 40


def test_a_method_has_the_same_colour_on_every_page():
    first = row_colours({"A": "hlfd", "B": "kd"}, None, "")
    second = row_colours({"x": "none", "y": "kd", "z": "hlfd", "t": "teacher"}, "t", "x")
    assert (first["A"], first["B"]) == (second["z"], second["y"])
    assert row_colours({"a": "dist"}, None, "") == {"a": row_colours({"b": "dist"}, None, "")["b"]}
    assert second["t"] == "var(--teacher)" and second["x"] == "var(--alone)"
