"""A user's own images without a single label: split by patient, measured, stored, for a student of a teacher alone."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from medkd.data import SPLITS, natural_key
from medkd.io import FORMS, PICTURES, VOLUMES, form_channels
from medkd.io.paths import PathLike
from medkd.runs.errors import UsageError

from . import _own_picture_report, _report
from ._cases import CaseFiles, DiscoveredCases, require_source
from ._classes import check_class_names, split_names
from ._equal_images import describe_groups
from ._options import Options
from ._own_volumes import VolumeOptions, decide_per_case, describe_stores, propose_volume_settings
from ._picture_images import size_in_words
from ._picture_survey import choose_form, propose_settings, survey_pictures
from ._prepare import Preparation, open_data_set
from ._refusals import refuse
from ._report import describe_patients, write_rows
from ._sides import PICTURE_SIDES, VOLUME_SIDES, propose_flip_axes
from ._stored_cases import StoredCase
from ._stored_form import PictureForm, StoredForm, VolumeForm
from ._survey import survey_cases
from ._target import check_target
from ._unlabelled import find_unlabelled
from ._unlabelled_store import store_unlabelled

__all__ = ["prepare_pictures_without_labels", "prepare_volumes_without_labels"]

AGREEMENT = (
    "no image has a label: a student learns from a teacher alone (medkd distill --training_cases 0), and what is measured on "
    "validation and test cases is its agreement with that teacher"
)


def prepare_volumes_without_labels(
    images: PathLike, target: PathLike, given: VolumeOptions, options: Options
) -> dict[str, Any]:
    """Prepare a folder of volumes; see `medkd.data_prep.nifti.prepare`.

    Raises:
        ValueError: refused images, no names of classes, too few patients for a split.
    """
    names = _names(given.classes)
    cases = _discover(images, target, VOLUMES, given.channels, options)
    measured, refused = survey_cases(cases.files, options.workers, given.channels, given.resample_channels, False)
    _refuse(cases, refused, options)
    per_case = decide_per_case(given, list(measured.values()))
    form = VolumeForm(given.channels, tuple(per_case), given.resample_channels)
    with open_data_set(Path(images), target, cases, options, "nifti") as data_set:
        listed = _store(data_set, form)
        training = [measured[entry["case"]] for entry in listed["unlabelled"]]
        settings = propose_volume_settings(training, given, per_case)
        settings["flip_axes"], flips = propose_flip_axes([], names, VOLUME_SIDES)
        shown = {"image_size": settings["image_size_2d"]}
        shown |= {"spacing": settings["spacing_3d"], "patch_size": settings["patch_3d"]}
        notes = [
            *_notes(names, shown, flips, given.windows),
            *_report.describe_channels(measured, settings, given.channels, bool(given.windows), given.reasons, False),
            *given.notes,
            describe_patients(listed, cases.patients),
        ]
        rows = {
            entry["case"]: _report.volume_row(measured[entry["case"]], split, {}, given.channels)
            for split, entries in listed.items()
            for entry in entries
        }
        _write(data_set, listed, rows, names, settings, notes, _report.LEGEND)
        data_set.save(**describe_stores(given.channels, per_case), labels=_labels(names), **settings)
        store_unlabelled(data_set, resample=given.resample_channels)
    return data_set.summary(target)


def prepare_pictures_without_labels(
    images: PathLike,
    target: PathLike,
    classes: str | Sequence[str] | None,
    form: str | None,
    window: Sequence[float] | None,
    size: int | None,
    options: Options,
) -> dict[str, Any]:
    """Prepare a folder of pictures; see `medkd.data_prep.pictures.prepare`.

    Raises:
        ValueError: refused images, no names of classes, images of several forms, too few patients for a split.
    """
    names = _names(classes)
    cases = _discover(images, target, PICTURES, ("image",), options)
    measured, refused = survey_pictures(cases.files, {}, {}, options.workers)
    _refuse(cases, refused, options)
    stored_form = choose_form(measured, form)
    with open_data_set(Path(images), target, cases, options, "pictures") as data_set:
        listed = _store(data_set, PictureForm(stored_form, True, window or (), size))
        training = [measured[entry["case"]] for entry in listed["unlabelled"]]
        settings = {"form": stored_form, "convert": form is not None}
        settings |= propose_settings(training, stored_form, window, size)
        settings["flip_axes"], flips = propose_flip_axes([], names, PICTURE_SIDES)
        shown = {"window": settings["window"], "image_size": settings["image_size_2d"]}
        notes = [
            *_notes(names, {"form": FORMS[stored_form], **shown}, flips, window),
            describe_patients(listed, cases.patients),
        ]
        rows = {
            entry["case"]: _own_picture_report.picture_row(measured[entry["case"]], split, {})
            for split, entries in listed.items()
            for entry in entries
        }
        rows = {case: {key: row[key] for key in row if key not in ("mask", "soft %")} for case, row in rows.items()}
        _write(data_set, listed, rows, names, settings, notes, _own_picture_report.LEGEND)
        data_set.save(
            description=f"Pictures, {FORMS[stored_form]}, {size_in_words(size)}",
            modality=form_channels(stored_form),
            labels=_labels(names),
            **settings,
        )
        store_unlabelled(data_set)
    return data_set.summary(target)


def _names(classes: str | Sequence[str] | Mapping[int, str] | None) -> dict[int, str]:
    """Return class -> name of the teacher's classes."""
    if classes is None or isinstance(classes, Mapping):
        raise UsageError("--classes: found none, expected the names of the teacher's classes, in order of value: a,b")
    names = split_names(classes)
    check_class_names(names)
    return dict(enumerate(names, 1))


def _labels(names: Mapping[int, str]) -> dict[str, str]:
    return {"0": "background", **{str(number): name for number, name in names.items()}}


def _discover(
    images: PathLike, target: PathLike, suffixes: tuple[str, ...], channels: Sequence[str], options: Options
) -> DiscoveredCases:
    folder = require_source(images, "images")
    check_target(folder, Path(target), options.overwrite)
    files, patients, found = find_unlabelled(folder, suffixes, channels, Path(target), option="--images")
    # The label of a case is never read: the field repeats the image.
    cases = DiscoveredCases(
        files={case: CaseFiles(paths, paths[0]) for case, paths in files.items()}, patients=patients
    )
    cases.patients |= {case: case for case in found.refused}
    cases.refuse(found.refused)
    return cases


def _refuse(cases: DiscoveredCases, refused: Mapping[str, str], options: Options) -> None:
    """Refuse the cases that could not be read."""
    cases.refuse(refused)
    if cases.refused and (not options.skip_bad or not cases.files):
        refuse(dict(sorted(cases.refused.items(), key=lambda item: natural_key(item[0]))), len(cases.patients))


def _store(data_set: Preparation, form: StoredForm) -> dict[str, list[dict[str, Any]]]:
    """Store every case and return the entries of each split; those of training are the unlabelled ones."""
    data_set.without_labels = True
    data_set.store_cases(partial(_store_case, form))
    listed = data_set.finish_cases()
    return {"unlabelled": listed["training"], **{split: listed[split] for split in SPLITS[1:]}}


def _store_case(form: StoredForm, case: str, patient: str, files: CaseFiles, folder: Path) -> StoredCase:
    stored = form.store(case, files.images, folder)
    entry = {"image": stored.entry["image"], "case": case, "patient": patient, **stored.entry}
    return StoredCase(entry, stored.digest, stored.notes, None)


def _notes(names: Mapping[int, str], settings: Mapping[str, Any], flips: Sequence[str], window: Any) -> list[str]:
    sources = {"window": "as given" if window else "by the images alone"}
    tqdm.write(f"note: {AGREEMENT}", file=sys.stderr)
    return [
        AGREEMENT,
        f"classes, of the teacher: {', '.join(f'{number} {name}' for number, name in names.items())}",
        *(
            f"{name}: {value} ({sources.get(name, 'by the images alone')}; --{name} in training)"
            for name, value in settings.items()
        ),
        *flips,
        "flips: no label was there to measure sides by; the names of the classes alone decided",
    ]


def _write(
    data_set: Preparation,
    listed: Mapping[str, Sequence[Mapping[str, Any]]],
    rows: Mapping[str, Mapping[str, Any]],
    names: Mapping[int, str],
    settings: Mapping[str, Any],
    notes: Sequence[str],
    legend: str,
) -> None:
    odd: dict[str, list[str]] = {}
    for note, cases in data_set.notes.items():
        for case in cases:
            odd.setdefault(case, []).append(note)
    odd = {case: reasons for case, reasons in odd.items() if case in rows}
    notes = [*notes, *(f"look: {sentence}" for sentence in describe_groups(data_set.equal_images))]
    write_rows(data_set.folder, listed, rows, odd, list(names.values()), settings, notes, data_set.refused, legend)
