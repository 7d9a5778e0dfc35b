"""What a user reads first: the data set in a few lines, the odd cases, and a table of cases."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate

from medkd.data import natural_key

from ._survey import PERCENTS, Measured

__all__ = ["odd_cases", "write_report"]

LONGEST_TABLE = 30
LEGEND = (
    "shape, spacing (mm): slices x rows x columns; axes: directions in which those of the file run (L left, P back, "
    "S head ...); lowest to highest: intensities in the file, with percentiles; ml: labelled volume"
)
SMALL, FEW = 20, 10  # times smaller than the median volume; voxels
OTHER_HU = 200  # between medians of labelled voxels
SHEAR = 1  # degrees


def write_report(
    folder: Path,
    listed: Mapping[str, Sequence[Mapping[str, Any]]],
    measured: Mapping[str, Measured],
    labels: Mapping[int, str],
    about: Mapping[str, Any],
    notes: Sequence[str],
) -> None:
    """Write ``report.json`` (everything, case by case) and ``report.md`` (short).

    Args:
        listed: part -> entries of the data list; measured: by case; labels: label value in the files -> name.
        about: what the data list says of the data set; notes: lines on how it was decided.
    """
    parts = {entry["case"]: part for part, entries in listed.items() for entry in entries}
    cases = {case: _numbers(measured[case], part, labels) for case, part in parts.items()}
    odd = odd_cases({case: measured[case] for case in parts}, labels, not about["per_case"])
    content = {**about, "cases": cases, "odd": odd}
    (folder / "report.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    counts = ", ".join(f"{len(listed[part])} {part}" for part in listed)
    lines = [f"# {len(parts)} cases: {counts}", "", *(f"- {note}" for note in notes), "", "## Odd cases", ""]
    lines += [
        f"- {case}: {'; '.join(why)}" for case, why in sorted(odd.items(), key=lambda item: natural_key(item[0]))
    ] or ["None."]
    shown = list(cases) if len(cases) <= LONGEST_TABLE else list(odd)[:LONGEST_TABLE]
    lines += ["", "## Cases" if len(shown) == len(cases) else "## Range, and odd cases (all are in report.json)", ""]
    lines += [_table({**_range(list(cases.values())), **{case: cases[case] for case in shown}}), "", LEGEND]
    (folder / "report.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _numbers(case: Measured, part: str, labels: Mapping[int, str]) -> dict[str, Any]:
    intensity = zip(("lowest", *(f"{p:g} %" for p in PERCENTS), "highest"), _intensities(case), strict=True)
    return {
        "part": part,
        "shape": list(case.shape),
        "spacing": list(case.spacing),
        "axes": case.orientation,
        **{name: float(f"{value:.5g}") for name, value in intensity},
        **{f"{name} ml": float(f"{case.voxels.get(v, 0) * case.voxel_ml:.4g}") for v, name in labels.items()},
    }


def _intensities(case: Measured) -> tuple[float, ...]:
    return case.lowest, *case.percentiles, case.highest


def _range(cases: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Smallest, median and largest of every number."""
    rows = {}
    for name, reduce in (("smallest", np.min), ("median", np.median), ("largest", np.max)):
        columns = {key: [case[key] for case in cases] for key in cases[0]}
        words = ("part", "axes")
        rows[name] = {k: "" if k in words else reduce(column, axis=0).tolist() for k, column in columns.items()}
    return rows


def _table(rows: Mapping[str, Mapping[str, Any]]) -> str:
    def text(value: Any) -> str:
        return (
            " x ".join(map(text, value))
            if isinstance(value, list)
            else value
            if isinstance(value, str)
            else f"{value:.4g}"
        )

    keys = list(next(reversed(rows.values())))
    body = [[case, *(text(row[key]) for key in keys)] for case, row in rows.items()]
    return tabulate(body, headers=["", *keys], tablefmt="github", disable_numparse=True)


def odd_cases(measured: Mapping[str, Measured], labels: Mapping[int, str], is_hu: bool) -> dict[str, list[str]]:
    """Return case -> what is odd about it, beside the others: spacing, shear, missing or tiny classes, intensities."""
    spacing = np.median([case.spacing for case in measured.values()], axis=0)
    volumes = {v: [c.voxels[v] * c.voxel_ml for c in measured.values() if v in c.voxels] for v in labels}
    middles = {name: float(np.median(case.foreground)) for name, case in measured.items() if len(case.foreground)}
    middle = float(np.median(list(middles.values())))
    odd: dict[str, list[str]] = {}
    for name, case in measured.items():
        why = []
        ratio = np.maximum(case.spacing / spacing, spacing / case.spacing)
        if ratio.max() >= 2:
            why.append(f"spacing {_mm(case.spacing)} mm, the others' median is {_mm(spacing)}")
        if case.shear > SHEAR:
            why.append(f"sheared by {case.shear:.3g} degrees (a tilted gantry?): HD95 takes its axes for right-angled")
        why += _odd_labels(case, labels, volumes)
        other = middles.get(name, middle) - middle
        if is_hu and abs(other) > OTHER_HU:
            what = " (an offset of 1024: values stored without their sign?)" if abs(other - 1024) < OTHER_HU else ""
            why.append(f"labelled voxels have a median of {middles[name]:.4g} HU, the others of {middle:.4g}{what}")
        if is_hu and case.lowest >= 0:
            why.append(f"lowest value {case.lowest:g}: no air, no fat")
        if why:
            odd[name] = why
    return odd


def _odd_labels(case: Measured, labels: Mapping[int, str], volumes: Mapping[int, Sequence[float]]) -> list[str]:
    if not case.voxels:
        return ["no label at all"]
    found = [f"no {name}" for value, name in labels.items() if value not in case.voxels]
    for value, name in labels.items():
        voxels, ml = case.voxels.get(value, 0), case.voxels.get(value, 0) * case.voxel_ml
        if voxels and (voxels < FEW or ml * SMALL < np.median(volumes[value])):
            found.append(f"little {name}: {voxels} voxels, {ml:.3g} ml (median {np.median(volumes[value]):.3g} ml)")
    return found


def _mm(spacing: Sequence[float]) -> str:
    return " x ".join(f"{mm:.4g}" for mm in spacing)
