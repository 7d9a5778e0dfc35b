"""From paired files to a data set of own volumes: survey, settings, stores and report, for one channel or several."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from medkd.data import SPLITS, natural_key
from medkd.io import one_or_list
from medkd.io.paths import PathLike

from ._cases import CaseFiles, DiscoveredCases
from ._classes import name_values, require_classes, unnamed_values
from ._equal_images import describe_groups, image_digest
from ._options import Options
from ._prepare import open_data_set
from ._refusals import refuse
from ._report import describe_patients, describe_settings, write_report
from ._sides import VOLUME_SIDES, propose_flip_axes
from ._splits import split_discovered
from ._stored_cases import StoredCase
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
from ._unlabelled_store import store_unlabelled
from ._volume_images import AXES, ONE_CHANNEL, stored_intensities
from ._volumes import read_pair, store_volumes, without_negative

__all__ = [
    "VolumeOptions",
    "decide_per_case",
    "describe_stores",
    "prepare_volumes",
    "propose_volume_settings",
    "store_case",
]


PER_CASE_SCALE = (0, 1000)  # of intensities that are rescaled by the percentiles of their case


@dataclass(frozen=True)
class VolumeOptions:
    """What a user, or the source itself, says of own volumes.

    Attributes:
        channels: names of the channels; `ONE_CHANNEL` where they have none.
        classes: see `name_values`.
        windows: of each channel; None: proposed.
        spacing: mm of slice, row, column; None: proposed.
        modalities: ``"ct"`` or ``"other"`` of each channel, as the user says; None: by `windows`, `rules` or the intensities.
        resample_channels: whether channels on another grid than the first are resampled onto it.
        rules: modalities by the names of channels in the source; None for a channel: by its intensities.
        notes: on the source, for console and report.
    """

    channels: tuple[str, ...] = ONE_CHANNEL
    classes: str | Sequence[str] | Mapping[int, str] | None = None
    windows: Sequence[Sequence[float]] | None = None
    spacing: Sequence[float] | None = None
    modalities: Sequence[str] | None = None
    resample_channels: bool = False
    rules: Sequence[str | None] = ()
    notes: Sequence[str] = ()

    @property
    def reasons(self) -> list[str]:
        """Why each channel has its modality; empty where its intensities decide."""
        if self.modalities:
            return ["as you said"] * len(self.channels)
        rules = self.rules or [None] * len(self.channels)
        by_rule = ["by the name of the channel" if rule else "" for rule in rules]
        return ["by your window" if self._is_window_of_hu(n) else reason for n, reason in enumerate(by_rule)]

    @property
    def stated(self) -> list[str | None]:
        """``"ct"`` or ``"other"`` of each channel: as the user says, by the window, or by a rule; None: by the intensities."""
        if self.modalities:
            return list(self.modalities)
        rules = self.rules or [None] * len(self.channels)
        return ["ct" if self._is_window_of_hu(n) else rule for n, rule in enumerate(rules)]

    def _is_window_of_hu(self, channel: int) -> bool:
        """Return whether the window of a channel is no part of the scale of rescaled cases, so that it must be of HU."""
        low, high = self.windows[channel] if self.windows else PER_CASE_SCALE
        return low < PER_CASE_SCALE[0] or high > PER_CASE_SCALE[1]


def prepare_volumes(
    cases: DiscoveredCases, source: Path, target: PathLike, given: VolumeOptions, options: Options
) -> dict[str, Any]:
    """Check and measure every case, propose training settings, store the cases, write the data list and a report.

    Args:
        cases: the discovered cases, with one image file for each channel, or one 4-D file.
        source: folder of the source, for messages.
        target: folder to write.
        given: what the user, or the source itself, says of the volumes.
        options: the options of all preparations.

    Returns:
        A summary, see `Preparation.summary`.

    Raises:
        ValueError: a target in use, refused cases (each with its reason), a class that no training case has.
    """
    for note in given.notes:
        tqdm.write(f"note: {note}", file=sys.stderr)
    others = options.unlabelled is not None
    splits = split_discovered(cases, options.split, options.fold, options.folds, options.seed, others=others)
    measured = _survey(cases, splits, given, options)
    names = name_values(given.classes, _cases_with(measured))
    require_classes(names, [measured[case].voxels for case in splits["training"] if case in measured])
    per_case = decide_per_case(given, list(measured.values()))
    values = {0: 0, **{value: number for number, value in enumerate(names, 1)}}
    with open_data_set(source, target, cases, options, "nifti", splits) as data_set:
        data_set.store_cases(partial(store_case, given, per_case, values))
        listed = data_set.finish_cases()
        training = [measured[entry["case"]] for entry in listed["training"]]
        require_classes(names, [case.voxels for case in training])  # again: further cases may be refused now
        settings = propose_volume_settings(training, given, per_case)
        settings["flip_axes"], flips = propose_flip_axes([case.positions for case in training], names, VOLUME_SIDES)
        stored = {case: measured[case] for case in data_set.entries}
        notes = [
            *describe_settings(measured, names, settings, given.channels, given.windows, given.reasons),
            *given.notes,
            *flips,
            *_look_for_negative(stored, given.channels, per_case),
            describe_patients(listed, cases.patients),
            *(f"look: {sentence}" for sentence in describe_groups(data_set.equal_images)),
        ]
        write_report(data_set.folder, listed, measured, names, settings, notes, data_set.refused, given.channels)
        data_set.save(
            **describe_stores(given.channels, per_case),
            labels={"0": "background", **{str(number): name for number, name in enumerate(names.values(), 1)}},
            **settings,
        )
        store_unlabelled(data_set, resample=given.resample_channels)
    return data_set.summary(target)


def _survey(
    cases: DiscoveredCases, splits: Mapping[str, Sequence[str]], given: VolumeOptions, options: Options
) -> dict[str, CaseMeasures]:
    """Return the measures of the cases of all splits; cases without measures become refused cases."""
    requested = sorted((case for split in SPLITS for case in splits[split]), key=natural_key)
    files = {case: cases.files[case] for case in requested if case in cases.files}
    measured, refused = survey_cases(files, options.workers, given.channels, given.resample_channels)
    if refused and not measured:
        check_exchanged(cases.files[next(iter(refused))])
    if options.skip_bad and isinstance(given.classes, Mapping):
        refused |= unnamed_values(given.classes, _cases_with(measured))
    cases.refused.update(refused)
    for case in refused:
        del cases.files[case]
        measured.pop(case, None)
    reasons = {case: cases.refused[case] for case in requested if case in cases.refused}
    if reasons and (not options.skip_bad or not measured):
        refuse(reasons, len(requested))
    return measured


def _cases_with(measured: Mapping[str, CaseMeasures]) -> dict[int, list[str]]:
    """Return label value above 0 -> the cases that hold it."""
    values = sorted({value for measures in measured.values() for value in measures.voxels})
    return {value: [case for case, measures in measured.items() if value in measures.voxels] for value in values}


def decide_per_case(given: VolumeOptions, measured: Sequence[CaseMeasures]) -> list[bool]:
    """Return for each channel whether each case is rescaled by its own percentiles; the other channels are HU."""
    return [
        modality == "other" if modality else not is_ct([case.channels[n] for case in measured])
        for n, modality in enumerate(given.stated)
    ]


def store_case(
    given: VolumeOptions,
    per_case: Sequence[bool],
    values: Mapping[int, int],
    case: str,
    patient: str,
    files: CaseFiles,
    folder: Path,
) -> StoredCase:
    """Read a case and store it.

    Args:
        given: what is known of the volumes.
        per_case: whether each channel is rescaled by its own percentiles.
        values: label value in the file -> stored value.
        case: name of the case.
        patient: name of its patient.
        files: its files.
        folder: folder of the data set.

    Raises:
        ValueError: for files that cannot be used, see `read_pair` and `store_volumes`.
    """
    pair = read_pair(files, given.channels, given.resample_channels)
    image = stored_intensities(case, pair.image, given.channels, per_case)
    return StoredCase(store_volumes(case, patient, image, pair, folder, values), image_digest(image), pair.notes, None)


def propose_volume_settings(
    training: Sequence[CaseMeasures], given: VolumeOptions, per_case: Sequence[bool]
) -> dict[str, Any]:
    """Return the training settings of the data list: those of the user, others proposed by the training cases."""
    spacing = list(given.spacing or propose_spacing(training))
    windows = given.windows or [
        list(PER_CASE_SCALE) if is_scaled else propose_window([case.channels[n] for case in training])
        for n, is_scaled in enumerate(per_case)
    ]
    return {
        "window": one_or_list([list(window) for window in windows]),
        "per_case": one_or_list(per_case),
        "spacing_3d": spacing,
        "patch_3d": propose_patch(training, spacing),
        "image_size_2d": propose_image_size(training),
    }


def _look_for_negative(
    measured: Mapping[str, CaseMeasures], channels: Sequence[str], per_case: Sequence[bool]
) -> list[str]:
    """Warn of each channel of HU with cases that cannot be HU, and return the sentences for the report."""
    sentences = []
    for number, (name, is_scaled) in enumerate(zip(channels, per_case, strict=True)):
        lowest = {case: measures.channels[number].lowest for case, measures in measured.items()}
        if not is_scaled and (sentence := without_negative(lowest)):
            sentences.append(sentence if len(channels) == 1 else f"channel {name}: {sentence}")
    for sentence in sentences:
        warnings.warn(sentence, stacklevel=4)
    return [f"look: {sentence}" for sentence in sentences]


def describe_stores(channels: Sequence[str], per_case: Sequence[bool]) -> dict[str, Any]:
    """Return what the data list says of the stored intensities, and the names of the channels."""
    scales = ["per-case scale 0 to 1000" if is_scaled else "HU as int16" for is_scaled in per_case]
    texts = [f"{name} {scale}" for name, scale in zip(channels, scales, strict=True)] if len(channels) > 1 else scales
    names = channels if tuple(channels) != ONE_CHANNEL else ["other" if per_case[0] else "CT"]
    return {
        "description": f"axes {AXES} (slices, rows, columns), {', '.join(texts)}",
        "modality": {str(number): name for number, name in enumerate(names)},
    }
