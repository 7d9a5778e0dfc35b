"""The report on a user's data set: the settings in a few lines, and a table of cases."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate

from medkd.data import natural_key
from medkd.io import channel_flags, channel_windows
from medkd.runs.errors import counted, rounded
from medkd.runs.escapes import markdown_cell, markdown_text

from ._contact_sheet import write_contact_sheets
from ._odd_cases import odd_cases
from ._patient_names import patients_in_names
from ._survey import AIR, PERCENTS, CaseMeasures, propose_spacing
from ._volume_images import ONE_CHANNEL

__all__ = [
    "LEGEND",
    "describe_channels",
    "describe_patients",
    "describe_settings",
    "volume_row",
    "write_report",
    "write_rows",
]

LONGEST_TABLE = 30
LEGEND = (
    "shape, spacing (mm): slices x rows x columns; axes: directions in which those of the file run (L left, P back, "
    "S head ...); lowest to highest: intensities in the file, with percentiles; ml: labelled volume"
)


def write_report(
    folder: Path,
    listed: Mapping[str, Sequence[Mapping[str, Any]]],
    measured: Mapping[str, CaseMeasures],
    labels: Mapping[int, str],
    settings: Mapping[str, Any],
    notes: Sequence[str],
    refused: Mapping[str, str],
    channels: Sequence[str] = ONE_CHANNEL,
) -> None:
    """Write ``report.json`` (everything, case by case), ``report.md`` (short) and ``report.png`` (contact sheet).

    Args:
        folder: folder of the data set.
        listed: split -> entries of the data list.
        measured: case -> measures.
        labels: label value in the files -> name.
        settings: window, spacing and further settings of the data list.
        notes: lines on how the settings were decided.
        refused: case -> reason, of the cases that were left out.
        channels: names of the channels.
    """
    splits = {entry["case"]: split for split, entries in listed.items() for entry in entries}
    cases = {case: volume_row(measured[case], split, labels, channels) for case, split in splits.items()}
    are_hu = [not is_scaled for is_scaled in channel_flags(settings["per_case"])]
    odd = odd_cases({case: measured[case] for case in splits}, labels, are_hu, channels)
    write_rows(folder, listed, cases, odd, list(labels.values()), settings, notes, refused, LEGEND)


def write_rows(
    folder: Path,
    listed: Mapping[str, Sequence[Mapping[str, Any]]],
    cases: Mapping[str, Mapping[str, Any]],
    odd: Mapping[str, Sequence[str]],
    names: Sequence[str],
    settings: Mapping[str, Any],
    notes: Sequence[str],
    refused: Mapping[str, str],
    legend: str,
) -> None:
    """Write the two reports of cases of any kind, and their contact sheets.

    Args:
        folder: folder of the data set.
        listed: split -> entries of the data list.
        cases: case -> what it is measured by: numbers, lists of numbers, and texts, with the same keys in every case.
        odd: case -> how it differs from the others.
        names: of the classes, in order of their numbers from 1 on.
        settings: further keys of ``report.json``.
        notes: lines on the data set as a whole.
        refused: case -> reason, of the cases that were left out.
        legend: what the columns of the table are.
    """
    content = {**settings, "cases": cases, "odd": odd, **({"refused": dict(refused)} if refused else {})}
    (folder / "report.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    counts = ", ".join(f"{len(listed[split])} {split}" for split in listed)
    entries = [entry for split in listed.values() for entry in split]
    window = np.ravel(settings["window"])[:2].tolist() if "window" in settings else None  # that of the first channel
    sheets = write_contact_sheets(folder, entries, odd, names, window)
    lines = [
        f"# {counted(len(cases), 'case')}: {counts}",
        "",
        *(f"- {markdown_text(note)}" for note in notes),
        f"- contact sheet: {sheets}",
        "",
        "## Odd cases",
        "",
    ]
    by_name = sorted(odd.items(), key=lambda item: natural_key(item[0]))
    lines += [f"- {markdown_text(case)}: {markdown_text('; '.join(reasons))}" for case, reasons in by_name] or ["None."]
    if refused:
        lines += ["", "## Refused cases, left out", ""]
        lines += [f"- {markdown_text(case)}: {markdown_text(reason)}" for case, reason in refused.items()]
    tabled = list(cases) if len(cases) <= LONGEST_TABLE else list(odd)[:LONGEST_TABLE]
    lines += ["", "## Cases" if len(tabled) == len(cases) else "## Range, and odd cases (all are in report.json)", ""]
    lines += [_table({**_range(list(cases.values())), **{case: cases[case] for case in tabled}}), "", legend]
    (folder / "report.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def describe_settings(
    measured: Mapping[str, CaseMeasures],
    names: Mapping[int, str],
    settings: Mapping[str, Any],
    channels: Sequence[str],
    windows: Sequence[Sequence[float]] | None,
    reasons: Sequence[str],
) -> list[str]:
    """Return lines on how each setting was decided, and the option that changes it.

    Args:
        measured: case -> measures.
        names: label value in the files -> name.
        settings: window, spacing and further settings of the data list.
        channels: names of the channels.
        windows: the windows that the user gave, or None.
        reasons: why each channel is kept or rescaled; empty where its intensities decided.
    """
    counts = {value: sum(value in case.voxels for case in measured.values()) for value in names}
    classes = (
        f"{number} {name} (value {value}, in {counted(counts[value], 'case')})"
        for number, (value, name) in enumerate(names.items(), 1)
    )
    between, *within = propose_spacing(measured.values())
    is_axial = max(within) < 2 * between
    pixels = "" if is_axial else f"; look: slices are axial, the volumes were scanned otherwise, a pixel is {within} mm"
    return [
        f"classes: {', '.join(classes)}",
        *describe_channels(measured, settings, channels, bool(windows), reasons),
        f"2-D: image_size {settings['image_size_2d']} (rows, columns){pixels}",
        f"3-D: spacing {settings['spacing_3d']} mm, patch {settings['patch_3d']} (slice, row, column)",
    ]


def describe_channels(
    measured: Mapping[str, CaseMeasures],
    settings: Mapping[str, Any],
    channels: Sequence[str],
    is_window_given: bool,
    reasons: Sequence[str],
    has_labels: bool = True,
) -> list[str]:
    """Return lines on the intensities and the window of each channel; for the arguments see `describe_settings`."""
    lines = []
    flags, windows = channel_flags(settings["per_case"]), channel_windows(settings["window"])
    for number, (name, is_scaled, (low, high)) in enumerate(zip(channels, flags, windows, strict=True)):
        count = sum(case.channels[number].lowest < AIR for case in measured.values())
        air = f"{count} of {len(measured)} cases hold air below {AIR}"
        if is_scaled:
            scale, other = "each case is rescaled, its own 0.5 and 99.5 percentiles to 0 and 1000", "ct"
            source = "the percentiles"
        else:
            scale, other = "HU, kept", "other"
            source = "what is labelled in training cases, and a margin" if has_labels else "the images alone"
        of_channel = f" of {name}" if len(channels) > 1 else ""
        decided = reasons[number] or f"{air}; wrong? --modality {other}"
        lines += [
            f"intensities{of_channel}: {scale} ({decided})",
            f"window{of_channel}: {low:g} to {high:g} ({'as you said' if is_window_given else source}; --window LOW HIGH)",
        ]
    return lines


def describe_patients(listed: Mapping[str, Sequence[Mapping[str, Any]]], patients: Mapping[str, str]) -> str:
    """Return a line on how cases were assigned to patients, and on the cases that no split has."""
    entries = [entry for split in listed.values() for entry in split]
    count = len({entry["patient"] for entry in entries})
    single = "each case is taken for a patient of its own: --split patients.csv if some have several"
    line = f"patients: {count}, "
    are_told = any(patient != case for case, patient in patients.items())
    told = "one for each case, as the patients say" if are_told else single
    line += told if count == len(entries) else f"with {counted(len(entries), 'case')}, none in two parts"
    if patients_in_names(patients) == dict(patients):
        case, patient = next((case, patient) for case, patient in patients.items() if case != patient)
        line += f" (by the names: {case} is of {patient}; wrong? --split patients.csv)"
    left_out = sorted({*patients} - {entry["case"] for entry in entries}, key=natural_key)
    return line + (f"; in no part, not used: {', '.join(left_out)}" if left_out else "")


def volume_row(case: CaseMeasures, split: str, labels: Mapping[int, str], channels: Sequence[str]) -> dict[str, Any]:
    """Return the measures of a case as report.json has them; the split's key there is ``part``."""
    names = ("lowest", *(f"{percent:g} %" for percent in PERCENTS), "highest")
    intensities = {}
    for channel, measures in zip(channels, case.channels, strict=True):
        of_channel = f"{channel} " if len(channels) > 1 else ""
        for name, value in zip(names, (measures.lowest, *measures.percentiles, measures.highest), strict=True):
            intensities[f"{of_channel}{name}"] = float(f"{value:.5g}")
    return {
        "part": split,
        "shape": list(case.shape),
        "spacing": list(case.spacing),
        "axes": case.orientation,
        **intensities,
        **{f"{name} ml": float(f"{case.voxels.get(value, 0) * case.voxel_ml:.4g}") for value, name in labels.items()},
    }


def _range(cases: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the smallest, median and largest of every number."""
    rows = {}
    for name, reduce in (("smallest", np.min), ("median", np.median), ("largest", np.max)):
        columns = {key: [case[key] for case in cases] for key in cases[0]}
        rows[name] = {
            key: "" if isinstance(column[0], str) else reduce(column, axis=0).tolist()
            for key, column in columns.items()
        }
    return rows


def _table(rows: Mapping[str, Mapping[str, Any]]) -> str:
    keys = list(list(rows.values())[-1])
    body = [[markdown_cell(case), *(markdown_cell(_cell(row[key])) for key in keys)] for case, row in rows.items()]
    return tabulate(body, headers=["", *map(markdown_cell, keys)], tablefmt="github", disable_numparse=True)


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return " x ".join(map(_cell, value))
    return value if isinstance(value, str) else rounded(value, 4)
