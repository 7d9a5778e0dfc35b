"""A user's own volumes with label maps, in NIfTI, NRRD, MetaImage or DICOM."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import PathLike

from medkd.data import SPLITS, NormaliseCased, natural_key
from medkd.io import whole_numbers

from ._arguments import check_numbers
from ._cases import CaseFiles, DiscoveredCases, require_source
from ._classes import name_values, require_classes
from ._equal_images import describe_groups, image_digest
from ._pairing import pair_volumes
from ._prepare import Options, StoredCase, open_data_set, refuse
from ._report import describe_patients, describe_settings, write_report
from ._sides import VOLUME_SIDES, propose_flip_axes
from ._splits import split_discovered
from ._survey import (
    CaseMeasures,
    check_exchanged,
    is_ct,
    propose_image_size,
    propose_patch,
    propose_spacing,
    propose_window,
    survey_cases,
)
from ._target import check_target
from ._volumes import AXES, read_pair, store_volumes, without_negative

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
    workers: int | None = None,
) -> dict[str, Any]:
    """Check and measure every case, propose training settings, store the cases, write the data list and a report.

    Args:
        images: folder of volumes (``medkd.io.VOLUMES``), or of sub-folders with a DICOM series each.
        labels: folder of label maps in one of the volume formats, named as the images (see `pair_volumes`).
        target: folder to write: ``imagesTr``, ``labelsTr``, ``datalist.json``, ``split.json``, ``report.md``,
            ``report.json``.
        classes: names of the label values above 0, in order of value; also one text with commas. None: ``class_1``, ...
        window: intensities that training maps to -1..1. None: from the labelled voxels of training cases (HU), or 0 and
            1000 where each case is rescaled by its own percentiles (``medkd.data.NormaliseCased``).
        spacing: mm (slice, row, column) for 3-D. None: the median of the training cases.
        modality: ``"ct"``: intensities are HU, kept; ``"other"``: each case is rescaled. None: HU where at least half of
            the cases hold air below -500.
        split: ``"random"``: patients permuted by ``seed``; ``"sorted"``: patients in the order of their names; a JSON file
            with the case names of ``training``, ``validation`` and ``test``; or a CSV file with patients (see
            `read_patients`).
        fold: number of the test fold, from 0; no effect with a split that a file names.
        folds: number of folds, at least 2; no effect with a split that a file names.
        seed: seed of the random split.
        overwrite: replace a data set prepared earlier.
        skip_bad: leave refused cases out (recorded in ``datalist.json``) instead of stopping.
        workers: number of processes that read and write cases. None: all cores, and at most one for every 8 cases.

    Returns:
        A summary, see `Preparation.summary`.

    Raises:
        FileNotFoundError: no such source.
        ValueError: a target in use, wrong arguments, refused cases (each with its reason), a class that no training case
            has.
    """
    folders = [require_source(images, "images"), require_source(labels, "labels")]
    for folder in folders:
        check_target(folder, Path(target), overwrite)
    window, spacing = check_numbers("window", window, 2), check_numbers("spacing", spacing, 3)
    if modality not in (None, *MODALITIES):
        raise ValueError(f"modality {modality!r} is unknown, expected one of {', '.join(MODALITIES)}")
    options = Options(split, fold, folds, seed, overwrite, skip_bad, workers)
    cases = pair_volumes(folders[0], folders[1])
    splits = split_discovered(cases, options.split, fold, folds, seed)
    measured = _survey(cases, splits, options)
    names = name_values(classes, _cases_with(measured))
    require_classes(names, [measured[case].voxels for case in splits["training"] if case in measured])
    per_case = modality == "other" if modality else not is_ct(measured.values())
    values = {0: 0, **{value: number for number, value in enumerate(names, 1)}}
    with open_data_set(folders[0], target, cases, options, "nifti", splits) as data_set:
        data_set.store_cases(partial(_store_case, per_case, values))
        listed = data_set.finish_cases()
        training = [measured[entry["case"]] for entry in listed["training"]]
        require_classes(names, [case.voxels for case in training])  # again: further cases may be refused now
        settings = _settings(training, window, spacing, per_case)
        settings["flip_axes"], flips = propose_flip_axes([case.positions for case in training], names, VOLUME_SIDES)
        notes = [*describe_settings(measured, names, settings, window, modality), *flips]
        if not per_case and (sentence := without_negative({case: measured[case].lowest for case in data_set.entries})):
            notes.append(f"look: {sentence}")
            warnings.warn(sentence, stacklevel=2)
        notes += [
            describe_patients(listed, cases.patients),
            *(f"look: {sentence}" for sentence in describe_groups(data_set.equal_images)),
        ]
        write_report(data_set.folder, listed, measured, names, settings, notes, data_set.refused)
        scale = "per-case scale 0 to 1000" if per_case else "HU as int16"
        data_set.save(
            description=f"axes {AXES} (slices, rows, columns), {scale}",
            modality={"0": "other" if per_case else "CT"},
            labels={"0": "background", **{str(number): name for number, name in enumerate(names.values(), 1)}},
            **settings,
        )
    return data_set.summary(target)


def _survey(cases: DiscoveredCases, splits: Mapping[str, Sequence[str]], options: Options) -> dict[str, CaseMeasures]:
    """Return the measures of the cases of all splits; cases without measures become refused cases."""
    requested = sorted((case for split in SPLITS for case in splits[split]), key=natural_key)
    files = {case: cases.files[case] for case in requested if case in cases.files}
    measured, refused = survey_cases(files, options.workers)
    if refused and not measured:
        check_exchanged(cases.files[next(iter(refused))])
    cases.refused.update(refused)
    for case in refused:
        del cases.files[case]
    reasons = {case: cases.refused[case] for case in requested if case in cases.refused}
    if reasons and (not options.skip_bad or not measured):
        refuse(reasons, len(requested))
    return measured


def _cases_with(measured: Mapping[str, CaseMeasures]) -> dict[int, list[str]]:
    """Return label value -> names of the cases that hold it."""
    cases: dict[int, list[str]] = {}
    for case, measures in measured.items():
        for value in measures.voxels:
            cases.setdefault(value, []).append(case)
    return cases


def _store_case(
    per_case: bool, values: Mapping[int, int], case: str, patient: str, files: CaseFiles, folder: Path
) -> StoredCase:
    pair = read_pair(files)
    image = _stored_intensities(case, pair.image, per_case)
    return StoredCase(store_volumes(case, patient, image, pair, folder, values), image_digest(image), pair.notes, None)


def _stored_intensities(case: str, image: np.ndarray, per_case: bool) -> np.ndarray:
    """Return the image as int16: HU, or with its own percentiles at 0 and 1000.

    Raises:
        ValueError: for HU outside int16 (inference would clip them), or an image with nothing to scale.
    """
    if not per_case:
        whole_numbers(np.rint([[image.min(), image.max()]]), np.int16, "HU of the image")
    scaled = NormaliseCased("image", per_case)({"image": image, "case": case})["image"]
    return scaled.astype(np.int16)


def _settings(
    training: Sequence[CaseMeasures], window: list[float] | None, spacing: list[float] | None, per_case: bool
) -> dict[str, Any]:
    """Return the training settings of the data list: those of the user, others proposed by the training cases."""
    spacing = spacing or propose_spacing(training)
    return {
        "window": window or ([0, 1000] if per_case else propose_window(training)),
        "per_case": per_case,
        "spacing_3d": spacing,
        "patch_3d": propose_patch(training, spacing),
        "image_size_2d": propose_image_size(training),
    }
