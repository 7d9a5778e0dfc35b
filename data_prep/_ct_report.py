"""The report on a data set of CT with an organ and its tumours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ._equal_images import describe_groups
from ._prepare import Preparation
from ._report import describe_patients, write_rows

__all__ = ["write_ct_report"]

LEGEND = "shape, spacing (mm): slices x rows x columns; slices with: number of slices that hold the class"


def write_ct_report(data_set: Preparation, listed: Mapping[str, Sequence[Mapping[str, Any]]], organ: str) -> None:
    """Write ``report.md``, ``report.json`` and ``report.png``: sizes, slices of each class, odd cases, what was left out.

    Args:
        data_set: the data set, with its cases stored.
        listed: split -> entries of the data list.
        organ: name of the class 1.
    """
    names = {"1": organ, "2": "tumour"}
    rows: dict[str, dict[str, Any]] = {}
    odd: dict[str, list[str]] = {}
    for note, cases in data_set.notes.items():
        for case in cases:
            odd.setdefault(case, []).append(note)
    for split, entries in listed.items():
        for entry in entries:
            counts = {names[value]: len(slices) for value, slices in entry["slices_with"].items()}
            measures = {f"slices with {name}": count for name, count in counts.items()}
            rows[entry["case"]] = {"part": split, "shape": entry["shape"], "spacing": entry["spacing"], **measures}
            if not any(counts.values()):
                odd.setdefault(entry["case"], []).append("no label at all")
    notes = [describe_patients(listed, data_set.cases.patients)]
    notes += [f"look: {sentence}" for sentence in describe_groups(data_set.equal_images)]
    odd = {case: reasons for case, reasons in odd.items() if case in rows}
    write_rows(data_set.folder, listed, rows, odd, list(names.values()), {}, notes, data_set.refused, LEGEND)
