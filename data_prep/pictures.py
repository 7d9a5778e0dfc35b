"""A user's own 2-D images with masks: PNG, JPEG, TIFF or BMP, grey or RGB, one or several classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from medkd.data import SPLITS, natural_key
from medkd.io import FORMS, form_channels, to_form
from medkd.io.paths import PathLike
from medkd.runs.errors import UsageError, counted

from ._arguments import check_numbers
from ._cases import CaseFiles, DiscoveredCases, require_source
from ._classes import check_class_names, name_values, require_classes, split_names
from ._equal_images import describe_groups, image_digest
from ._options import Options
from ._own_picture_report import write_own_report
from ._own_pictures import Masks, class_folders, read_own_pair, require_pictures
from ._pairing import pair_pictures
from ._picture_images import check_size, size_in_words
from ._picture_survey import CHOICES, OwnMeasures, check_palettes, choose_form, propose_settings, survey_pictures
from ._pictures import store_pictures
from ._prepare import open_data_set
from ._refusals import refuse, shortened
from ._sides import PICTURE_SIDES, propose_flip_axes
from ._splits import split_discovered
from ._stored_cases import StoredCase
from ._target import check_target
from ._unlabelled_store import store_unlabelled
from ._without_labels import prepare_pictures_without_labels

__all__ = ["prepare"]


def prepare(
    images: PathLike,
    labels: PathLike | None = None,
    target: PathLike | None = None,
    *,
    classes: str | Sequence[str] | None = None,
    form: str | None = None,
    window: Sequence[float] | None = None,
    size: int | None = None,
    split: PathLike = "random",
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
        images: folder of pictures (PNG, JPEG, TIFF, BMP, ...), grey or RGB, of 8 or 16 bit.
        labels: folder of masks, named as the images (see `pair_pictures`): a number for each class, 0 and 255, one colour on
            black, or a palette; or one folder for each class, named as the class, of masks with two values.
        target: folder to write: ``images``, ``labels``, ``datalist.json``, ``split.json``, ``report.md``,
            ``report.json``, ``report.png``.
        classes: names of the label values above 0, in order of value; also one text with commas. None: ``class_1``, ... With
            a folder for each class: the order of these, None: by name.
        form: ``"grey"`` or ``"rgb"``: images of other forms are converted to it, here and in inference. None: the form that
            all images have; images of several forms are refused.
        window: intensities that training maps to -1..1. None: 0 and 255 with 8 bit, the 0.5 and 99.5 percentiles of the
            training images with 16 bit.
        size: longest edge in pixels to which larger images and masks are reduced; None or 0: the original size.
        split: ``"random"``: patients permuted by ``seed``; ``"sorted"``: patients in the order of their names; a JSON file
            with the case names of ``training``, ``validation`` and ``test``; or a CSV file with patients (see
            `read_patients`).
        fold: number of the test fold, from 0; no effect with a split that a file names.
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
        ValueError: a target in use, wrong arguments, refused cases (each with its reason), images of several forms, a class
            that no training case has.
    """
    if target is None:
        raise ValueError("--dataset_dir: found none, expected the folder to write")
    check_size(size)
    window = check_numbers("window", window, 2)
    if form not in (None, *CHOICES):
        raise UsageError(f"--form: found {form!r}, expected one of {', '.join(CHOICES)}")
    options = Options(split, fold, folds, seed, overwrite, skip_bad, workers, unlabelled)
    if unlabelled_only:
        if labels is not None:
            raise UsageError("--unlabelled_only True: found --labels, expected --images alone")
        return prepare_pictures_without_labels(images, target, classes, form, window, size, options)
    if labels is None:
        raise UsageError("medkd prepare pictures needs --labels, or --unlabelled_only True for images without labels")
    folders = [require_source(images, "images"), require_source(labels, "labels")]
    for folder in folders:
        check_target(folder, Path(target), overwrite)
    require_pictures(folders[0], "images")
    of_class = _order_folders(class_folders(folders[1]), classes)
    numbers = {name: number for number, name in enumerate(of_class, 1)}
    cases, masks = pair_pictures(folders[0], folders[1], of_class or {"": folders[1]})
    splits = split_discovered(cases, options.split, fold, folds, seed, others=unlabelled is not None)
    measured = _survey(cases, masks, splits, numbers, options)
    check_palettes(measured)
    names = {number: name for name, number in numbers.items()} or name_values(classes, _cases_with(measured))
    require_classes(names, [measured[case].classes for case in splits["training"] if case in measured])
    stored_form = choose_form(measured, form)
    with open_data_set(folders[0], target, cases, options, "pictures", splits) as data_set:
        data_set.store_cases(partial(_store_case, masks, numbers, names, stored_form, size))
        listed = data_set.finish_cases()
        training = [measured[entry["case"]] for entry in listed["training"]]
        require_classes(names, [one.classes for one in training])  # again: further cases may be refused now
        settings = {
            "form": stored_form,
            "convert": form is not None,
            **propose_settings(training, stored_form, window, size),
        }
        settings["flip_axes"], flips = propose_flip_axes([one.positions for one in training], names, PICTURE_SIDES)
        stored = {case: measured[case] for case in data_set.entries}
        notes = [*_describe(stored, names, settings, form, window), *flips]
        notes += [f"look: {sentence}" for sentence in describe_groups(data_set.equal_images)]
        write_own_report(data_set.folder, listed, measured, names, settings, notes, cases.patients, data_set.refused)
        data_set.save(
            description=f"Pictures, {FORMS[stored_form]}, {size_in_words(size)}",
            modality=form_channels(stored_form),
            labels={"0": "background", **{str(number): name for number, name in enumerate(names.values(), 1)}},
            **settings,
        )
        store_unlabelled(data_set)
    return data_set.summary(target)


def _order_folders(folders: dict[str, Path], classes: str | Sequence[str] | None) -> dict[str, Path]:
    """Return the folders of the classes in the order of ``--classes``."""
    if not folders or classes is None:
        return folders
    names = split_names(classes)
    if sorted(names) != sorted(folders):
        raise ValueError(f"--classes: found {', '.join(names)}, expected the folders in --labels: {', '.join(folders)}")
    check_class_names(names)
    return {name: folders[name] for name in names}


def _survey(
    cases: DiscoveredCases,
    masks: Mapping[str, Masks],
    splits: Mapping[str, Sequence[str]],
    numbers: Mapping[str, int],
    options: Options,
) -> dict[str, OwnMeasures]:
    """Return the measures of the cases of all splits; cases without measures become refused cases."""
    requested = sorted((case for split in SPLITS for case in splits[split]), key=natural_key)
    files = {case: cases.files[case] for case in requested if case in cases.files}
    measured, refused = survey_pictures(files, masks, numbers, options.workers)
    cases.refuse(refused)
    reasons = {case: cases.refused[case] for case in requested if case in cases.refused}
    if reasons and (not options.skip_bad or not measured):
        refuse(reasons, len(requested))
    return measured


def _store_case(
    masks: Mapping[str, Masks],
    numbers: Mapping[str, int],
    names: Mapping[int, str],
    form: str,
    size: int | None,
    case: str,
    patient: str,
    files: CaseFiles,
    folder: Path,
) -> StoredCase:
    pair = read_own_pair(files.images[0], masks[case], numbers)
    channels = to_form(pair.file, form)
    image = channels[0] if len(channels) == 1 else np.moveaxis(channels, 0, -1)
    entry = store_pictures(case, patient, image, _numbered(pair.labels, names), folder, size)
    return StoredCase(entry, image_digest(image), pair.remarks, None)


def _cases_with(measured: Mapping[str, OwnMeasures]) -> dict[int, list[str]]:
    """Return label value -> names of the cases that hold it.

    Raises:
        ValueError: where masks of 0 and 1 lie beside masks of 0 and 255: both may mark one class.
    """
    cases: dict[int, list[str]] = {}
    for case, measures in measured.items():
        for value in measures.classes:
            cases.setdefault(value, []).append(case)
    if cases.keys() == {1, 255} and not set(cases[1]) & set(cases[255]):
        listed = "; ".join(f"0 and {value} in {shortened(cases[value], 3)}" for value in (1, 255))
        raise ValueError(f"--labels: found {listed}, expected one way to mark a class")
    return cases


def _numbered(labels: np.ndarray, names: Mapping[int, str]) -> np.ndarray:
    """Return label values of the files as numbers of the classes, uint8."""
    numbers = np.zeros(int(labels.max()) + 1, np.uint8)
    for number, value in enumerate(names, 1):
        numbers[value : value + 1] = number
    return numbers[labels]


def _describe(
    measured: Mapping[str, OwnMeasures],
    names: Mapping[int, str],
    settings: Mapping[str, Any],
    form: str | None,
    window: Sequence[float] | None,
) -> list[str]:
    """Return lines on how each setting was decided, and the option that changes it."""
    counts = {value: sum(value in case.classes for case in measured.values()) for value in names}
    classes = (
        f"{number} {name} (value {value}, in {counted(counts[value], 'picture')})"
        for number, (value, name) in enumerate(names.items(), 1)
    )
    others: dict[str, int] = {}
    for case in measured.values():
        others[case.form] = others.get(case.form, 0) + 1
    converted = ", ".join(f"{count} {FORMS[one]}" for one, count in others.items() if one != settings["form"])
    is_copied = settings["form"] == "rgb" and all(case.is_grey for case in measured.values())
    source = (
        "as you said" if window else "8 bit" if settings["form"] != "grey16" else "0.5 and 99.5 % of training images"
    )
    low, high = np.ravel(settings["window"])[:2]
    return [
        f"classes: {', '.join(classes)}",
        f"images: {FORMS[settings['form']]}, {len(form_channels(settings['form']))} channel(s) "
        f"({'as you said' if form else 'as all files'}" + (f"; converted: {converted})" if converted else ")"),
        *(["look: the three channels of every image are equal; --form grey stores one"] if is_copied else []),
        f"window: {low:g} to {high:g} ({source}; --window LOW HIGH)",
        f"image_size {settings['image_size_2d']} (rows, columns), to which images are resized: the median size of training "
        "images, at most 512, in multiples of 32",
    ]
