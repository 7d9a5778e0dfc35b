"""A user's own volumes with label maps, in NIfTI, NRRD, MetaImage or DICOM."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from monai.config import PathLike

from ._arguments import check_numbers
from ._cases import require_source
from ._channel_pairing import pair_channels
from ._classes import split_names
from ._own_volumes import VolumeOptions, prepare_volumes
from ._pairing import pair_volumes
from ._prepare import Options
from ._target import check_target
from ._volumes import ONE_CHANNEL

__all__ = ["prepare", "volume_options"]

MODALITIES = ("ct", "other")


def prepare(
    images: PathLike,
    labels: PathLike,
    target: PathLike,
    *,
    classes: str | Sequence[str] | None = None,
    channels: str | Sequence[str] | None = None,
    resample_channels: bool = False,
    window: Sequence[float] | Sequence[Sequence[float]] | None = None,
    spacing: Sequence[float] | None = None,
    modality: str | Sequence[str] | None = None,
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
        channels: names of the channels, in their order; also one text with commas. Each image is then several files, found
            by `medkd.io.discover_channels`, or one 4-D file. None: one channel.
        resample_channels: resample channels on another grid than the first onto it, in place of refusing them.
        window: intensities that training maps to -1..1; of several channels, a pair for each. None: from the
            labelled voxels of training cases (HU), or 0 and 1000 where each case is rescaled by its own percentiles
            (``medkd.data.NormaliseCased``).
        spacing: mm (slice, row, column) for 3-D. None: the median of the training cases.
        modality: ``"ct"``: intensities are HU, kept; ``"other"``: each case is rescaled. None: HU where at least half of
            the cases hold air below -500. Of several channels: one word for each, or one for all.
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
    folders = require_source(images, "images"), require_source(labels, "labels")
    for folder in folders:
        check_target(folder, Path(target), overwrite)
    given = volume_options(classes, channels, resample_channels, window, spacing, modality)
    options = Options(split, fold, folds, seed, overwrite, skip_bad, workers)
    several = len(given.channels) > 1
    cases = pair_channels(*folders, given.channels) if several else pair_volumes(*folders)
    return prepare_volumes(cases, folders[0], target, given, options)


def volume_options(
    classes: str | Sequence[str] | None,
    channels: str | Sequence[str] | None,
    resample_channels: bool,
    window: Sequence[float] | Sequence[Sequence[float]] | None,
    spacing: Sequence[float] | None,
    modality: str | Sequence[str] | None,
) -> VolumeOptions:
    """Return what a user says of own volumes, with one value for each channel; the arguments are those of `prepare`.

    Raises:
        ValueError: for names that are empty or equal, numbers of another form, another number of values than channels.
    """
    names = ONE_CHANNEL if channels is None else tuple(split_names(channels))
    if len({name.lower() for name in names}) < len(names) or not all(names):
        raise ValueError(f"channels: found {', '.join(names)}, expected names that differ, none of them empty")
    if wrong := next((name for name in names if name.startswith(("$", "@", "%")) or set(name) & set("/\\")), None):
        raise ValueError(
            f"channels: found {wrong!r}, expected a name without slashes that does not begin with $, @ or %"
        )
    modalities = None if modality is None else split_names(modality)
    for word in modalities or ():
        if word not in MODALITIES:
            raise ValueError(f"modality {word!r} is unknown, expected one of {', '.join(MODALITIES)}")
    if modalities and len(modalities) not in (1, len(names)):
        raise ValueError(
            f"modality: found {len(modalities)} words, expected one, or one for each of {', '.join(names)}"
        )
    return VolumeOptions(
        names,
        classes,
        None if window is None else _windows(window, names),
        check_numbers("spacing", spacing, 3),
        modalities and modalities * (len(names) if len(modalities) == 1 else 1),
        resample_channels,
    )


def _windows(window: Any, names: Sequence[str]) -> list[list[float]]:
    is_list = isinstance(window, list | tuple) and len(window) > 0 and isinstance(window[0], list | tuple)
    windows = list(window) if is_list else [window]
    if len(windows) != len(names):
        raise ValueError(
            f'window: found {window}, expected two numbers for each of {", ".join(names)}: "[[0,1000],[-200,300]]"'
        )
    return [numbers for pair in windows if (numbers := check_numbers("window", pair, 2))]
