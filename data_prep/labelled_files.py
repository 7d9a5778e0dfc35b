"""Labelled files that another program hands over as lists (MONAI Label), prepared for the training of a packed bundle.

The images are stored as inference reads them, and the labels are the classes that the model predicts.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from medkd.data import save_datalist
from medkd.io import case_name, to_form
from medkd.io.class_masks import MARKED
from medkd.io.normalise import channel_flags
from medkd.parallel.group import barrier, is_main_process
from medkd.runs.files import write_atomically

from ._cases import CaseFiles, DiscoveredCases, check_names
from ._each_case import each_case
from ._equal_images import image_digest
from ._own_pictures import read_own_pair
from ._own_volumes import VolumeOptions, store_case
from ._pictures import store_pictures
from ._refusals import refuse
from ._stored_cases import StoredCase
from ._target import complete_or_absent

__all__ = ["FOLDER", "prepare_lists", "publish"]

FOLDER = "trained_on_lists"  # in the folder of the bundle: data/ and run/
NO_VALIDATION = (
    "there are no validation cases: the best epoch is chosen, and the metrics are measured, on the training cases"
)

Pairs = Sequence[Mapping[str, str]]
Store = Callable[[Path, str, CaseFiles], StoredCase]


def prepare_lists(
    training: Pairs | None,
    validation: Pairs | None,
    bundle_root: str,
    *,
    form: str | None,
    classes: Mapping[int, str],
    values: Mapping[int, int] | None = None,
    per_case: bool | Sequence[bool] = False,
    channels: Sequence[str] = ("image",),
) -> None:
    """Write the lists as a data set in `FOLDER` of the bundle, in place of that of an earlier training, whose run is removed.

    Args:
        training: ``{"image": file, "label": file}`` of each training case; None: no lists were handed over, and nothing is
            done.
        validation: the same of the validation cases; none: the training cases validate too.
        bundle_root: folder of the packed bundle.
        form: form of the pictures that the network takes, see `medkd.io.to_form`; None: the files are volumes.
        classes: class -> name. The labels hold these classes.
        values: stored label value -> class; None: equal.
        per_case: whether each volume is rescaled by its own percentiles; of several channels, a list.
        channels: names of the channels of volumes. Of several, an image is one 4-D file.

    Raises:
        SystemExit: no training case, a case that is listed twice, or refused cases, each with its reason. MONAI would hide any
            other error behind one of its own.
    """
    if training is None:
        return
    stored = {number: value for value, number in (values or {}).items() if number > 0} or {n: n for n in classes}
    flags = channel_flags(per_case)
    flags = flags * len(channels) if len(flags) == 1 else flags
    store: Store = partial(_store_volume, stored, tuple(channels), flags)
    modality = (
        {str(n): name for n, name in enumerate(channels)} if len(channels) > 1 else {"0": "as inference reads it"}
    )
    if form is not None:
        store = partial(_store_picture, classes, form)
    labels = {"0": "background", **{str(stored[number]): name for number, name in classes.items()}}
    folder = Path(bundle_root) / FOLDER
    if is_main_process():
        try:
            pairs = {"training": training, "validation": validation or []}
            _prepare(pairs, folder / "data", store, labels=labels, modality=modality)
        except (ValueError, OSError) as error:
            raise SystemExit(f"medkd: error: {error}") from None
        shutil.rmtree(folder / "run", ignore_errors=True)
        if not validation:
            print(f"note: {NO_VALIDATION}", file=sys.stderr)
    barrier()


def publish(training: Pairs | None, bundle_root: str, output_dir: str) -> None:
    """Put the model of a training on lists where the program reads it, in place of the packed one.

    Args:
        training: as in `prepare_lists`; None: the packed model stays as it is.
        bundle_root: folder of the packed bundle.
        output_dir: folder of the run.
    """
    if training is not None and is_main_process():
        write_atomically(Path(bundle_root) / "models/model.pt", partial(shutil.copyfile, Path(output_dir) / "model.pt"))


def _prepare(pairs: Mapping[str, Pairs], target: Path, store: Store, **described: Mapping[str, str]) -> None:
    """Write the data set.

    Args:
        pairs: split -> its files.
        target: the folder.
        store: folder, case and files -> the case's entry, after the files are stored.
        described: of the data list: ``labels`` (stored label value -> name) and ``modality`` (channel -> name).
    """
    if not pairs["training"]:
        raise ValueError("no labelled training cases were handed over: label an image first")
    cases, splits = _collect(pairs, target)
    with complete_or_absent(cases.files[splits["training"][0]].images[0], target, overwrite=True) as folder:
        entries = _store_all(cases, partial(store, folder))
        save_datalist(
            folder,
            {split: [entries[case] for case in names] for split, names in splits.items()},
            name="lists",
            description="labelled files that another program handed over",
            **described,
        )


def _collect(pairs: Mapping[str, Pairs], target: Path) -> tuple[DiscoveredCases, dict[str, list[str]]]:
    """Return the cases of the lists and the names of each split."""
    cases = DiscoveredCases()
    splits: dict[str, list[str]] = {split: [] for split in (*pairs, "test")}
    for split, entries in pairs.items():
        for entry in entries:
            case = case_name(entry["image"])
            if case in cases.files:
                raise ValueError(f"{entry['image']}: its name is that of {cases.files[case].images[0]}: rename one")
            cases.files[case] = CaseFiles((Path(entry["image"]),), Path(entry["label"]))
            cases.patients[case] = case
            splits[split].append(case)
    check_names(cases, target)
    return cases, splits


def _store_all(cases: DiscoveredCases, store: Callable[[str, CaseFiles], StoredCase]) -> dict[str, dict[str, Any]]:
    """Store every case and return its entry of the data list; refuse all if one is refused."""
    results = each_case(store, cases.files, 1, "prepare")
    refused = {case: " ".join(str(error).split()) for case, error in results.items() if isinstance(error, Exception)}
    if refused := {**cases.refused, **refused}:
        refuse(refused, len({*cases.files, *refused}))
    stored = {case: result for case, result in results.items() if isinstance(result, StoredCase)}
    for case, result in stored.items():
        for note in result.notes:
            print(f"note: {case}: {note}", file=sys.stderr)
    return {case: result.entry for case, result in stored.items()}


def _store_volume(
    values: Mapping[int, int],
    channels: tuple[str, ...],
    per_case: Sequence[bool],
    folder: Path,
    case: str,
    files: CaseFiles,
) -> StoredCase:
    return store_case(VolumeOptions(channels), per_case, {0: 0, **values}, case, case, files, folder)


def _store_picture(classes: Mapping[int, str], form: str, folder: Path, case: str, files: CaseFiles) -> StoredCase:
    pair = read_own_pair(files.images[0], {"": files.label}, {})
    labels = pair.labels
    if len(classes) == 1:  # a mask of one class may be black and white
        labels = np.where(labels == MARKED, 1, labels)
    if unknown := sorted({*np.unique(labels).tolist()} - {0, *classes}):
        raise ValueError(f"{files.label}: found label values {unknown}, expected only {[0, *classes]}")
    channels = to_form(pair.file, form)
    image = channels[0] if len(channels) == 1 else np.moveaxis(channels, 0, -1)
    entry = store_pictures(case, case, image, labels.astype(np.uint8), folder)
    return StoredCase(entry, image_digest(image), pair.remarks, None)
