"""A researcher's own volumes with label maps (NIfTI, NRRD, MetaImage, DICOM series) -> slice-wise stores and a data list."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import PathLike

from medkd.data import SPLITS, NormaliseCased, natural_key, split_cases

from . import _proposals as proposals
from ._case_report import write_report
from ._common import DiscoveredCases, Options, refuse, require_source, run, split_found
from ._own_pairs import find_pairs
from ._patients import read_patients
from ._survey import AIR, Measured, check_exchanged, is_ct, read_pair, survey
from ._target import check_target
from ._volumes import AXES, store_case, whole_numbers, without_negative

__all__ = ["prepare"]

MODALITIES = ("ct", "other")


def prepare(
    images: PathLike,
    labels: PathLike,
    target: PathLike,
    *,
    classes: str | Sequence[str] | None = None,
    window: Sequence[float] | None = None,
    spacing: Sequence[float] | None = None,
    modality: str | None = None,
    split: PathLike = "random",
    fold: int = 0,
    folds: int = 5,
    seed: int = 0,
    overwrite: bool = False,
    skip_bad: bool = False,
) -> dict[str, Any]:
    """Check and measure every case, decide what the data set needs, store it, and write the data list and a report.

    Args:
        images: folder of volumes (``medkd.io.VOLUMES``), or of sub-folders with a DICOM series each.
        labels: folder of label maps in one of the volume formats, named as the images (see ``_own_pairs``).
        target: folder to write: ``imagesTr``, ``labelsTr``, ``datalist.json``, ``split.json``, ``report.md``, ``report.json``.
        classes: names of the label values above 0, in order of value; also one text with commas. None: ``class_1``, ...
        window: intensities that training maps to -1..1. None: from the labelled voxels of training cases (HU), or 0 and
            1000 where each case is rescaled by its own percentiles (``medkd.data.NormaliseCased``).
        spacing: mm (slice, row, column) for 3-D. None: the median of the training cases.
        modality: ``"ct"``: intensities are HU, kept; ``"other"``: each case is rescaled. None: HU where at least half of
            the cases hold air below -500.
        split: as for ``medkd.data.split_cases``, or a CSV file with patients (see ``_patients.read_patients``).
        fold, folds, seed: of a drawn split.
        overwrite: replace a data set prepared earlier.
        skip_bad: leave refused cases out (recorded in ``datalist.json``) instead of stopping.

    Returns:
        summary, see ``_common.run``.

    Raises:
        FileNotFoundError, ValueError: no source, a target in use, wrong arguments, refused cases (each with its reason), a
            class that no training case has.
    """
    folders = [require_source(images, "images"), require_source(labels, "labels")]
    for folder in folders:
        check_target(folder, Path(target), overwrite)
    window, spacing = _numbers("window", window, 2), _numbers("spacing", spacing, 3)
    if modality not in (None, *MODALITIES):
        raise ValueError(f"modality {modality!r} is unknown, expected one of {', '.join(MODALITIES)}.")
    options = Options(split, fold, folds, seed, overwrite, skip_bad)
    found = find_pairs(*folders)
    parts = _split(found, options)
    measured = _survey(found, parts, skip_bad)
    names = _class_names(classes, measured)
    _check_classes(names, [measured[case] for case in parts["training"] if case in measured])
    per_case = modality == "other" if modality else not is_ct(measured.values())
    mapping = {0: 0, **{value: number for number, value in enumerate(names, 1)}}
    given = {"window": window, "spacing_3d": spacing}
    return run(
        folders[0],
        target,
        found,
        lambda case, files, to: {**_convert(case, files, to, mapping, per_case), "patient": found.patients[case]},
        options,
        finish=lambda to, listed: _finish(to, listed, found.patients, measured, names, per_case, given, modality),
        parts=parts,
        name="nifti",
        description=f"axes {AXES} (slices, rows, columns), "
        + ("per-case scale 0 to 1000" if per_case else "HU as int16"),
        modality={"0": "other" if per_case else "CT"},
        labels={"0": "background", **{str(number): name for number, name in enumerate(names.values(), 1)}},
    )


def _numbers(name: str, given: Sequence[float] | None, count: int) -> list[float] | None:
    if given is None:
        return None
    numbers = list(given) if isinstance(given, list | tuple) else [given]
    good = len(numbers) == count and all(isinstance(n, int | float) and np.isfinite(n) for n in numbers)
    if not good or (name == "window" and not numbers[0] < numbers[1]) or (name == "spacing" and min(numbers) <= 0):
        what = "two numbers, the lower first" if name == "window" else "three lengths in mm: slice, row, column"
        raise ValueError(f"{name}: found {' '.join(map(str, numbers))}, expected {what}.")
    return numbers


def _split(found: DiscoveredCases, options: Options) -> dict[str, list[str]]:
    if not str(options.split).lower().endswith(".csv"):
        return split_found(found, options)
    patients, parts = read_patients(Path(options.split), found.patients)
    found.patients.update(patients)
    return parts or split_cases(patients, "random", options.fold, options.folds, options.seed)


def _survey(found: DiscoveredCases, parts: Mapping[str, Sequence[str]], skip_bad: bool) -> dict[str, Measured]:
    """Measures of the cases that a part wants; those that are refused move from the files to the refused."""
    wanted = sorted((case for part in SPLITS for case in parts[part]), key=natural_key)
    measured, refused = survey({case: found.files[case] for case in wanted if case in found.files})
    if refused and not measured:
        check_exchanged(*found.files[next(iter(refused))])
    found.refused.update(refused)
    for case in refused:
        del found.files[case]
    bad = {case: found.refused[case] for case in wanted if case in found.refused}
    if bad and (not skip_bad or not measured):
        refuse(bad, len(wanted))
    return measured


def _class_names(classes: str | Sequence[str] | None, measured: Mapping[str, Measured]) -> dict[int, str]:
    """Label value in the files -> name, in order of value."""
    cases = {v: [case for case, m in measured.items() if v in m.voxels] for v in range(1, 256)}
    values = [value for value, having in cases.items() if having]
    if not values:
        raise ValueError("no mask holds a value above 0, nothing was written.")
    if classes is None:
        drawn = [f"class_{number}" for number, _ in enumerate(values, 1)] if values[1:] else ["foreground"]
        return dict(zip(values, drawn, strict=True))
    given = [classes] if isinstance(classes, str) else classes
    names = [name.strip() for text in given for name in str(text).split(",")]
    if len(names) != len(values):
        having = ", ".join(f"{v} ({cases[v][0] if len(cases[v]) == 1 else f'{len(cases[v])} cases'})" for v in values)
        raise ValueError(
            f"classes: {len(names)} names ({', '.join(names)}) for {len(values)} values in the masks: {having}."
        )
    if len(set(names)) < len(names) or {"", "all", "background"} & set(names):
        raise ValueError(f"classes: {', '.join(names)}: names must differ, and be neither empty, all nor background.")
    return dict(zip(values, names, strict=True))


def _check_classes(names: Mapping[int, str], training: Sequence[Measured]) -> None:
    for value, name in names.items():
        if not any(value in case.voxels for case in training):
            raise ValueError(
                f"no training case has {name} (label value {value}): nothing was written, split otherwise."
            )


def _convert(
    case: str, files: tuple[Path, Path], folder: Path, mapping: Mapping[int, int], per_case: bool
) -> dict[str, Any]:
    image, label, affine, _ = read_pair(*files)
    if not per_case:  # refused here, where inference would cut them off
        whole_numbers(np.rint([[image.min(), image.max()]]), np.int16, "HU of the image")
    image = NormaliseCased("image", per_case)({"image": image, "case": case})["image"]
    return store_case(case, image.astype(np.int16), label, affine, folder, mapping)


def _finish(
    folder: Path,
    listed: Mapping[str, Sequence[Mapping[str, Any]]],
    patients: Mapping[str, str],
    measured: Mapping[str, Measured],
    names: Mapping[int, str],
    per_case: bool,
    given: Mapping[str, Any],
    modality: str | None,
) -> dict[str, Any]:
    """What the data list says beside the cases, and the report."""
    training = [measured[entry["case"]] for entry in listed["training"]]
    _check_classes(names, training)  # again: a case may have been refused since
    spacing = given["spacing_3d"] or proposals.propose_spacing(training)
    about = {
        "window": given["window"] or ([0, 1000] if per_case else proposals.propose_window(training)),
        "per_case": per_case,
        "spacing_3d": spacing,
        "patch_3d": proposals.propose_patch(training, spacing),
        "image_size_2d": proposals.propose_image_size(training),
    }
    notes = _notes(measured, names, about, given, modality)
    listed_cases = {entry["case"] for part in listed.values() for entry in part}
    lowest = {case: one.lowest for case, one in measured.items() if case in listed_cases and not per_case}
    if sentence := without_negative(lowest):
        notes.append(f"look: {sentence}")
        warnings.warn(sentence, stacklevel=4)
    write_report(folder, listed, measured, names, about, [*notes, _patients(listed, patients)])
    return about


def _patients(listed: Mapping[str, Sequence[Mapping[str, Any]]], patients: Mapping[str, str]) -> str:
    """How cases were taken for patients, and those that no part has: what a user forgets most easily."""
    entries = [entry for part in listed.values() for entry in part]
    count = len({entry["patient"] for entry in entries})
    own = "each case is taken for a patient of its own: --split patients.csv if some have several"
    line = f"patients: {count}, " + (own if count == len(entries) else f"with {len(entries)} cases, none in two parts")
    left_out = sorted({*patients} - {entry["case"] for entry in entries}, key=natural_key)
    return line + (f"; in no part, not used: {', '.join(left_out)}" if left_out else "")


def _notes(
    measured: Mapping[str, Measured],
    names: Mapping[int, str],
    about: Mapping[str, Any],
    given: Mapping[str, Any],
    modality: str | None,
) -> list[str]:
    """How it was decided, and the option that decides otherwise."""
    having = {v: sum(v in case.voxels for case in measured.values()) for v in names}
    classes = (f"{n} {name} (value {v}, in {having[v]} cases)" for n, (v, name) in enumerate(names.items(), 1))
    air = f"{sum(case.lowest < AIR for case in measured.values())} of {len(measured)} cases hold air below {AIR}"
    if about["per_case"]:
        scale, other = "each case is rescaled, its own 0.5 and 99.5 percentiles to 0 and 1000", "ct"
        source = "the percentiles"
    else:
        scale, other, source = "HU, kept", "other", "what is labelled in training cases, and a margin"
    low, high = about["window"]
    between, *within = proposals.propose_spacing(measured.values())
    axial = max(within) < 2 * between
    pixels = "" if axial else f"; look: slices are axial, the volumes were scanned otherwise, a pixel is {within} mm"
    return [
        f"classes: {', '.join(classes)}",
        f"intensities: {scale} ({'as you said' if modality else f'{air}; wrong? --modality {other}'})",
        f"window: {low:g} to {high:g} ({'as you said' if given['window'] else source}; --window LOW HIGH)",
        f"2-D: image_size {about['image_size_2d']} (rows, columns){pixels}",
        f"3-D: spacing {about['spacing_3d']} mm, patch {about['patch_3d']} (slice, row, column)",
    ]
