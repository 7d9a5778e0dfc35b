"""What the reports say of the images without labels: how many, their sizes, and which differ from the others."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from medkd.data import natural_key
from medkd.data.splits import read_json
from medkd.runs.errors import counted
from medkd.runs.escapes import markdown_text
from medkd.runs.files import write_atomically

from ._stored_form import ImageMeasures

__all__ = ["write_unlabelled_report"]

HEADING = "## Images without labels"
OTHER_SIZE, OTHER_SPACING, NARROW = 4, 2, 8  # times from the median
MOST_ODD = 30
NAMES = ("lowest", "0.5 %", "99.5 %", "highest")


def write_unlabelled_report(
    folder: Path,
    measures: Mapping[str, ImageMeasures],
    notes: Mapping[str, Sequence[str]],
    refused: Mapping[str, str],
    guesses: Sequence[str],
) -> None:
    """Add a section to ``report.md`` and a key to ``report.json``, together with the images that were added earlier.

    Args:
        folder: folder of the data set.
        measures: case -> measures of the images that are added.
        notes: what files left open, and what was left out -> cases.
        refused: case -> reason, of images that were left out.
        guesses: sentences on what was guessed.
    """
    report = read_json(folder / "report.json") if (folder / "report.json").is_file() else {}
    earlier = report.get("unlabelled", {})
    rows = {**earlier.get("cases", {}), **{case: _row(one) for case, one in measures.items()}}
    odd = _odd(rows, {case: row for case, row in report.get("cases", {}).items() if _extent(row)})
    lines = [f"{note}: {', '.join(cases)}" for note, cases in notes.items()]
    lines += [f"refused, left out: {case}: {reason}" for case, reason in refused.items()]
    lines = [*earlier.get("notes", []), *guesses, *lines]
    report["unlabelled"] = {"cases": rows, "odd": odd, "notes": lines}
    write_atomically(
        folder / "report.json", lambda path: path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    )
    page = folder / "report.md"
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    section = "\n".join([HEADING, "", *_section(rows, odd, lines)]) + "\n"
    before = text.split(f"\n{HEADING}\n", 1)[0].rstrip("\n")
    write_atomically(page, lambda path: path.write_text(f"{before}\n\n{section}".lstrip("\n"), encoding="utf-8"))


def _row(one: ImageMeasures) -> dict[str, Any]:
    extent = {"shape": list(one.shape), "spacing": list(one.spacing)} if one.spacing else {"size": list(one.shape)}
    values = {name: float(f"{value:.5g}") for name, value in zip(NAMES, one.intensities, strict=True)}
    return {**extent, "axes" if one.spacing else "image": one.kind, **values}


def _section(rows: Mapping[str, Any], odd: Mapping[str, Sequence[str]], notes: Sequence[str]) -> list[str]:
    """Return the lines below the heading."""
    extents = Counter(" x ".join(map(str, _extent(row))) for row in rows.values())
    usual, count = extents.most_common(1)[0]
    axes = "slices x rows x columns" if "shape" in next(iter(rows.values())) else "rows x columns"
    edges = [_extent(row) for row in rows.values()]
    smallest, largest = (" x ".join(map(str, reduce(edges, axis=0))) for reduce in (np.min, np.max))
    lines = [
        f"- {counted(len(rows), 'image')}, for training alone: --unlabelled data (the default) takes them into a distillation",
        f"- sizes ({axes}): {len(extents)}, the most common is {usual} of {count} images; edges from {smallest} to {largest}",
    ]
    if spacings := [row["spacing"] for row in rows.values() if "spacing" in row]:
        low, high = (" x ".join(f"{mm:.4g}" for mm in reduce(spacings, axis=0)) for reduce in (np.min, np.max))
        lines.append(f"- spacing: {low} to {high} mm")
    lines += [f"- {markdown_text(note)}" for note in notes]
    shown = sorted(odd, key=natural_key)[:MOST_ODD]
    lines += [f"- odd: {markdown_text(case)}: {markdown_text('; '.join(odd[case]))}" for case in shown]
    more = len(odd) - len(shown)
    lines += [f"- {more} more odd images are in report.json"] if more else []
    return lines if odd else [*lines, "- odd images: none"]


def _odd(rows: Mapping[str, Any], labelled: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return case -> how it differs from the labelled cases, or from the other images where there are none."""
    others = list(labelled.values()) or list(rows.values())
    edge = float(np.median([max(_extent(row)) for row in others]))
    spacings = [row["spacing"] for row in others if "spacing" in row]
    contrast = float(np.median([_contrast(row) for row in rows.values()]))
    odd: dict[str, list[str]] = {}
    for case, row in rows.items():
        reasons = []
        longest = max(_extent(row))
        if not edge / OTHER_SIZE < longest < edge * OTHER_SIZE:
            reasons.append(f"size {' x '.join(map(str, _extent(row)))}, the others' median longest edge is {edge:g}")
        if spacings and "spacing" in row:
            usual = np.median(spacings, axis=0)
            if np.maximum(row["spacing"] / usual, usual / row["spacing"]).max() >= OTHER_SPACING:
                found, median = (" x ".join(f"{mm:.4g}" for mm in one) for one in (row["spacing"], usual))
                reasons.append(f"spacing {found} mm, the others' median is {median}")
        if "size" in row and _contrast(row) * NARROW < contrast:  # volumes may have any scale
            reasons.append(f"little contrast: {_contrast(row):g} between outer percentiles (median {contrast:g})")
        if reasons:
            odd[case] = reasons
    return odd


def _extent(row: Mapping[str, Any]) -> list[int]:
    return list(row.get("shape") or row.get("size") or [])


def _contrast(row: Mapping[str, Any]) -> float:
    return float(row[NAMES[2]] - row[NAMES[1]])
