"""Texts from data in tables: formulas of spreadsheets, HTML and Markdown."""

import pandas as pd
import pytest

from medkd.runs.escapes import escape_csv, markdown_cell, markdown_text, unescape_csv, without_escapes

FORMULAS = [
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "  =1",
    "＝1",
    "-case",
    "+HLFD",
    "=cmd|'/c calc'!A1",
    "\n=1",
]
PLAIN = ["case_1", "-0.5", "+3", "-1e-3", " -2", "-", "'quoted'", "", "a=b", "病例", "-inf", "'"]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_gets_an_apostrophe(text):
    assert escape_csv(text) == f"'{text}"


@pytest.mark.parametrize("text", PLAIN)
def test_numbers_and_other_texts_stay(text):
    assert escape_csv(text) == text


@pytest.mark.parametrize("text", [*FORMULAS, *PLAIN, *(f"'{text}" for text in FORMULAS), "'-0.5", "''=1"])
def test_what_was_written_is_read_again(text):
    assert unescape_csv(escape_csv(text)) == text


MARKUP = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</td>",
    "<!-- x",
    "<?php",
    "![](http://x)",
    "[a](b)",
]


@pytest.mark.parametrize("text", [*MARKUP, "[a][b]", "[a]: b", "\\[a](b)", "x [a [b] c](d)"])
def test_markup_is_shown_and_not_taken(text):
    escaped = markdown_text(text)
    assert "<" not in escaped and "](" not in escaped and "][" not in escaped and not escaped.startswith("[")
    assert without_escapes(escaped) == text


@pytest.mark.parametrize(
    "text",
    [
        "p < 0.05",
        "image_size [32, 32] (rows, columns)",
        "a [1, 2]: b",
        "T & U",
        "a -> b",
        "Dice ± 0.1",
        "می\u200cخواهم",
    ],
)
def test_ordinary_text_stays(text):
    assert markdown_text(text) == markdown_cell(text) == text


def test_a_cell_is_one_line_and_one_cell():
    assert markdown_cell("a|b\n# c\\|d\x1b[2J") == "a\\|b # c\\\\\\|d\ufffd[2J"
    assert markdown_text("&lt;b&gt;") == "&amp;lt;b&amp;gt;"
    assert "\n" not in pd.Series(["a\nb"]).map(markdown_cell)[0]


def test_a_console_shows_texts_as_they_are_and_tables_keep_their_columns():
    cells = [markdown_cell(text) for text in ("|RVD|", "a\\b", "<b>&amp;")]
    row = f"| {' | '.join(cells)} |"
    shown = without_escapes(f"# C:\\x &lt;b>\n{row}")
    assert shown.startswith("# C:\\x <b>\n| |RVD|   | a\\b  | <b>&amp;") and len(shown.splitlines()[1]) == len(row)
