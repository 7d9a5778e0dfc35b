"""The report on a user's pictures: settings, sizes, intensities, share of each class, odd cases, contact sheet."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from medkd.io import FORMS

from ._picture_report import count_remarks, odd_pictures, picture_guesses, range_of_shares, range_of_sizes
from ._picture_survey import OwnMeasures, class_measures
from ._report import describe_patients, write_rows
from ._survey import PERCENTS

__all__ = ["LEGEND", "picture_row", "write_own_report"]

NARROW = 8  # times less between the outer percentiles than the median of the cases
LEGEND = (
    "size: rows x columns, upright; image, mask: type and bits of the pixels in the file; lowest to highest: intensities in "
    "the file, with percentiles; %: share of the mask's pixels; soft %: share of the mask's pixels between both ends"
)


def write_own_report(
    folder: Path,
    listed: Mapping[str, Sequence[Mapping[str, Any]]],
    measured: Mapping[str, OwnMeasures],
    names: Mapping[int, str],
    settings: Mapping[str, Any],
    notes: Sequence[str],
    patients: Mapping[str, str],
    refused: Mapping[str, str],
) -> None:
    """Write ``report.md``, ``report.json`` and ``report.png``; warn of masks that were cut or look inverted.

    Args:
        folder: folder of the data set.
        listed: split -> entries of the data list.
        measured: case -> measures.
        names: label value in the files -> name.
        settings: form, window and further settings of the data list.
        notes: lines on how the settings were decided.
        patients: case -> patient, of all cases.
        refused: case -> reason, of the cases that were left out.
    """
    splits = {entry["case"]: split for split, entries in listed.items() for entry in entries}
    cases = {case: measured[case] for case in splits}
    shared = {case: one.shared for case, one in cases.items()}
    by_class = {name: class_measures(cases, value) for value, name in names.items()}
    guesses = list(dict.fromkeys(line for name, one in by_class.items() for line in picture_guesses(one, name)))
    for sentence in guesses:
        warnings.warn(sentence, stacklevel=3)
    lines = [
        *notes,
        *(range_of_shares(one, name) for name, one in by_class.items()),
        range_of_sizes(shared),
        *(f"look: {sentence}" for sentence in guesses),
        *count_remarks(shared),
        describe_patients(listed, patients),
    ]
    odd = odd_cases(cases, names)
    rows = {case: picture_row(cases[case], split, names) for case, split in splits.items()}
    write_rows(folder, listed, rows, odd, list(names.values()), settings, lines, refused, LEGEND)


def odd_cases(cases: Mapping[str, OwnMeasures], names: Mapping[int, str]) -> dict[str, list[str]]:
    """Return case -> how it differs from the others: no class, much or little of one, another size, little contrast."""
    odd: dict[str, list[str]] = {}
    for value, name in names.items():
        for case, reasons in odd_pictures(class_measures(cases, value), name).items():
            of_case = odd.setdefault(case, [])
            # of several classes a picture need not have all
            of_case += [text for text in reasons if text not in of_case and text != f"no {name}"]
    usual = float(np.median([_contrast(measures) for measures in cases.values()]))
    for case, measures in cases.items():
        if not measures.classes:
            odd.setdefault(case, []).append("empty mask")
        if (contrast := _contrast(measures)) * NARROW < usual:
            odd.setdefault(case, []).append(
                f"little contrast: {contrast:g} between outer percentiles (median {usual:g})"
            )
    return {case: reasons for case, reasons in odd.items() if reasons}


def _contrast(measures: OwnMeasures) -> float:
    return measures.percentiles[-1] - measures.percentiles[0]


def picture_row(case: OwnMeasures, split: str, names: Mapping[int, str]) -> dict[str, Any]:
    """Return the measures of a case as report.json has them; the split's key there is ``part``."""
    titles = ("lowest", *(f"{percent:g} %" for percent in PERCENTS), "highest")
    values = (case.lowest, *case.percentiles, case.highest)
    shares = {value: case.classes[value].share if value in case.classes else 0.0 for value in names}
    return {
        "part": split,
        "size": list(case.shared.size),
        "image": f"{case.shared.image}, {FORMS[case.form]}",
        "mask": case.shared.mask,
        **{title: float(f"{value:.6g}") for title, value in zip(titles, values, strict=True)},
        **{f"{names[value]} %": float(f"{100 * share:.4g}") for value, share in shares.items()},
        "soft %": float(f"{100 * case.shared.soft:.4g}"),
    }
