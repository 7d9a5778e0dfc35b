"""A user's own volumes with label maps, in NIfTI, NRRD, MetaImage or DICOM."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from medkd.io.paths import PathLike
from medkd.runs.errors import UsageError

from ._arguments import check_numbers
from ._classes import split_names
from ._options import Options
from ._own_source import agreed_classes, find_own_source, images_alone
from ._own_volumes import VolumeOptions, prepare_volumes
from ._source_split import resolve_split
from ._without_labels import prepare_volumes_without_labels

__all__ = ["prepare"]

MODALITIES = ("ct", "other")


def prepare(
    images: PathLike | None = None,
    labels: PathLike | None = None,
    target: PathLike | None = None,
    *,
    source: PathLike | None = None,
    classes: str | Sequence[str] | None = None,
    channels: str | Sequence[str] | None = None,
    resample_channels: bool = False,
    window: Sequence[float] | Sequence[Sequence[float]] | None = None,
    spacing: Sequence[float] | None = None,
    modality: str | Sequence[str] | None = None,
    split: PathLike | None = None,
    fold: int = 0,
    folds: int = 5,
    seed: int = 0,
    overwrite: bool = False,
    skip_bad: bool = False,
    workers: int | None = None,
    unlabelled: PathLike | None = None,
    unlabelled_only: bool = False,
) -> dict[str, Any]:
    """Check and measure every case, propose training settings, store the cases, write the data list and a report.

    Args:
        images: folder of volumes (NIfTI, NRRD, MetaImage), or of sub-folders with a DICOM series each.
        labels: folder of label maps in one of the volume formats, named as the images (see `pair_volumes`).
        target: folder to write: ``imagesTr``, ``labelsTr``, ``datalist.json``, ``split.json``, ``report.md``,
            ``report.json``, ``report.png``.
        source: in place of ``images`` and ``labels``: folder of an nnU-Net raw data set or a task of the Medical
            Segmentation Decathlon, or its JSON file. Names of classes and channels come from its ``dataset.json``.
        classes: names of the label values above 0, in order of value; also one text with commas. None: those of the
            source, else ``class_1``, ...
        channels: names of the channels, in their order; also one text with commas. Each image is then several files
            (``a_0000``, ``a_0001``; ``a_t1``; a folder for each channel or case), or one 4-D file. None: those of the
            source, else one channel.
        resample_channels: resample channels on another grid than the first onto it, in place of refusing them.
        window: intensities that training maps to -1..1; of several channels, a pair for each. None: from the
            labelled voxels of training cases (HU), or 0 and 1000 where each case is rescaled by its own percentiles.
        spacing: mm (slice, row, column) for 3-D. None: the median of the training cases.
        modality: ``"ct"``: intensities are HU, kept; ``"other"``: each case is rescaled. None: HU where at least half of
            the cases hold air below -500 or ``window`` is no part of 0 to 1000, or as nnU-Net takes the channel's name in a
            source. Of several channels: one word for each, or one for all.
        split: ``"random"``: patients permuted by ``seed``; ``"sorted"``: patients in the order of their names; a JSON file
            with the case names of ``training``, ``validation`` and ``test``; a CSV file with patients (see
            `read_patients`); nnU-Net's ``splits_final.json`` or its folder; or ``"published"``: what the source has:
            ``labelsTs``, lists, or folds. None: ``"published"`` where the source has one, else ``"random"``.
        fold: number of the test fold, from 0, also of folds in a file or source; no effect with other splits of a file.
        folds: number of folds, at least 2; no effect with a split that a file names.
        seed: seed of the random split.
        overwrite: replace a data set prepared earlier.
        skip_bad: leave refused cases out (recorded in ``datalist.json``) instead of stopping.
        workers: number of processes that read and write cases. None: all cores, and at most one for every 8 cases.
        unlabelled: folder of images without labels, which are stored beside the cases for training; label maps beside
            them are not read. With ``dataset_dir`` alone: they are added to that prepared data set.
        unlabelled_only: the images have no labels at all (``images`` alone is given): cases are split into unlabelled,
            validation and test, ``classes`` names those of the teacher, and settings are proposed by the images.

    Returns:
        A summary, see `Preparation.summary`.

    Raises:
        FileNotFoundError: no such source.
        ValueError: a target in use, wrong arguments, refused cases (each with its reason), a class that no training case
            has.
    """
    if target is None:
        raise UsageError("prepare needs target, the folder to write")
    if unlabelled_only:
        described = images_alone(images, labels, source, channels)
        split = split or "random"
    else:
        described = find_own_source(images, labels, source, channels, Path(target), overwrite)
    resolved = resolve_split(described, split, fold, seed)
    options = Options(resolved, fold, folds, seed, overwrite, skip_bad, workers, unlabelled)
    given = VolumeOptions(
        described.channels,
        agreed_classes(described, classes),
        None if window is None else _windows(window, described.channels),
        check_numbers("spacing", spacing, 3),
        None if modality is None else _modalities(split_names(modality), described.channels),
        resample_channels,
        described.rules,
        described.notes,
    )
    if unlabelled_only and images is not None:
        return prepare_volumes_without_labels(images, target, given, options)
    return prepare_volumes(described.cases, described.path, target, given, options)


def _modalities(words: Sequence[str], channels: Sequence[str]) -> list[str]:
    """Return the modality of each channel, from one word for each or one for all."""
    for word in words:
        if word not in MODALITIES:
            raise UsageError(f"--modality: found {word!r}, expected one of {', '.join(MODALITIES)}")
    if len(words) not in (1, len(channels)):
        raise UsageError(
            f"--modality: found {len(words)} words, expected one, or one for each of {', '.join(channels)}"
        )
    return list(words) * (len(channels) if len(words) == 1 else 1)


def _windows(window: Any, names: Sequence[str]) -> list[list[float]]:
    is_list = isinstance(window, list | tuple) and len(window) > 0 and isinstance(window[0], list | tuple)
    windows = list(window) if is_list else [window]
    if len(windows) != len(names):
        raise UsageError(
            f'--window: found {window}, expected two numbers for each of {", ".join(names)}: "[[0,1000],[-200,300]]"'
        )
    return [numbers for pair in windows if (numbers := check_numbers("window", pair, 2))]
