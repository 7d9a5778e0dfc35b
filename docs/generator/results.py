"""Read the rows of one method from the tables of the pages of results."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from .pages import ROOT, table

__all__ = ["results_of"]

_PAGES = ("results.md", "every_method.md")
_ALONE = "Student alone: its Dice"


def results_of(method: str) -> list[str]:
    """Return Markdown lines: each summary of the results that has rows of the method, with these and the student alone.

    A summary is a table whose values are differences to its first row, the student alone. A row is the method's where a plan
    of ``bundles/experiments`` gives its title to the method.
    """
    titles = _titles(method)
    lines: list[str] = []
    last = ""
    for page, heading, head, rows in _tables():
        alone = [row for row in rows if row[0].startswith(_ALONE)]
        found = [row for row in rows if _plain(row[0]) in titles]
        if not alone or not (found or method == "none"):
            continue
        if heading != last:
            lines += ["", f"[{heading}](../../{page}#{_anchor(heading)}):"]
        lines += ["", table(head, alone + found)]
        last = heading
    if not lines:
        return ["", "Not measured yet ([what was](../../results.md))."]
    return ["", "Dice points more than the student alone. The linked sections give the protocol.", *lines]


def _titles(method: str) -> set[str]:
    titles = {method}
    for path in sorted((ROOT / "bundles/experiments").glob("*.yaml")):
        rows: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8")).get("rows", {})
        titles |= {title for title, row in rows.items() if row.get("method") == method}
    return titles | ({"AT"} if method == "recommended" else set())  # what it is for students with a decoder


def _tables() -> Iterator[tuple[str, str, list[str], list[list[str]]]]:
    """Yield each table: its page, the heading above it, its head and its rows."""
    for page in _PAGES:
        for table_of_page in _tables_of(page):
            yield page, *table_of_page


def _tables_of(page: str) -> Iterator[tuple[str, list[str], list[list[str]]]]:
    heading, lines = "", []
    for line in [*(ROOT / "docs" / page).read_text(encoding="utf-8").splitlines(), ""]:
        if line.startswith("|"):
            lines.append([cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
            continue
        if len(lines) > 2:
            yield heading, lines[0], lines[2:]
        lines = []
        heading = line.lstrip("# ") if line.startswith("#") else heading


def _plain(cell: str) -> str:
    return cell.replace("*", "").replace("`", "")


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
