"""Volumes: reading an image with its label map, checks, stored cases, and CT of an organ with tumours."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from medkd.data import SUFFIX, write_volume
from medkd.io import is_dicom_folder, read_channels, read_volume, whole_numbers
from medkd.io.grids import SHIFT_TOLERANCE, largest_shift, onto_axes
from medkd.runs.errors import UsageError

from ._cases import CaseFiles, DiscoveredCases
from ._equal_images import image_digest
from ._prepare import Preparation
from ._refusals import shortened
from ._stored_cases import StoredCase
from ._volume_images import AXES, ONE_CHANNEL, check_intensities, orientation_of, store_image, to_stored_axes
from ._volume_pairing import pair_volumes

__all__ = [
    "CT_PAIRS",
    "VolumePair",
    "ct_label_values",
    "ct_properties",
    "discover_ct_pairs",
    "read_pair",
    "store_ct_cases",
    "store_volumes",
    "without_negative",
]

# Folders of a plain source of CT: images and labels.
CT_PAIRS = (("imagesTr", "labelsTr"), ("images", "masks"))
# Label values of masks that hold one of the two classes -> stored values.
ONE_CLASS = {"tumour": {0: 0, 1: 2}, "organ": {0: 0, 1: 1}}


class VolumePair(NamedTuple):
    """An image and its label map on one grid, on the axes `AXES`.

    Attributes:
        image: ``(channels, slices, rows, columns)``, intensities as the files give them.
        label: ``(slices, rows, columns)`` uint8, label values of the file.
        affine: ``(4, 4)``, voxel indices to mm in RAS+, of both.
        orientation: axis codes of the image file, such as ``"LPS"``, with " oblique" where it is.
        notes: what the files left open, and how it was read.
        file: of the label map, for messages.
    """

    image: np.ndarray
    label: np.ndarray
    affine: np.ndarray
    orientation: str
    notes: tuple[str, ...] = ()
    file: Path = Path()


def read_pair(files: CaseFiles, channels: Sequence[str] = ONE_CHANNEL, resample: bool = False) -> VolumePair:
    """Read an image and its label map in any format of `medkd.io.VOLUMES`, or from a DICOM folder.

    The files may differ in their axes, as an image from DICOM and a label from NIfTI do: what counts is the grid.

    Args:
        files: the image files, one for each channel or one 4-D file, and the label file.
        channels: names of the channels.
        resample: whether channels on another grid than the first are resampled onto it.

    Raises:
        ValueError: an unreadable file, different grids, NaN or no variation in the image, label values that are not whole
            numbers from 0 to 255.
    """
    (image, affine, image_notes), mask = read_channels(files.images, channels, resample), read_volume(files.label)
    notes = _pair_notes(image_notes, mask.notes)
    label, label_affine = onto_axes(mask.array, mask.affine, affine)
    _check_same_grid(image[0], affine, label, label_affine, files.label, notes)
    label = to_stored_axes(label[None], affine)[0][0]
    stored, stored_affine = to_stored_axes(image, affine)
    check_intensities(stored, files.images, channels)
    values = whole_numbers(label, np.uint8, f"label values of the mask {files.label}")
    return VolumePair(stored, values, stored_affine, orientation_of(affine), notes, files.label)


def _pair_notes(image: Sequence[str], mask: Sequence[str]) -> tuple[str, ...]:
    """Return the notes on the two files of a case, each with the files that it is on."""
    files = {
        note: [name for name, notes in (("image", image), ("mask", mask)) if note in notes] for note in (*image, *mask)
    }
    return tuple(f"{' and '.join(names)}: {note}" for note, names in files.items())


def _check_same_grid(
    image: np.ndarray, affine: np.ndarray, label: np.ndarray, label_affine: np.ndarray, file: Path, notes: Sequence[str]
) -> None:
    """Raise ValueError for two grids that differ; the notes on the image and the label ``file`` may tell why they do."""
    reasons = "".join(f"; {note}" for note in notes)
    if image.shape != label.shape:
        raise ValueError(f"image {image.shape} and mask {label.shape} have different shapes: {file}{reasons}")
    if (shift := largest_shift(affine, label_affine, image.shape)) > SHIFT_TOLERANCE:
        difference = np.abs(affine - label_affine).max()
        raise ValueError(
            f"affines of image and mask differ by up to {difference:.4g}: corners lie {shift:.3g} voxels apart "
            f"(tolerance {SHIFT_TOLERANCE:g}): {file}{reasons}"
        )


def store_volumes(
    case: str, patient: str, image: np.ndarray, pair: VolumePair, folder: Path, values: Mapping[int, int]
) -> dict[str, Any]:
    """Write the two volume stores of a case.

    Args:
        case: name of the case.
        patient: name of its patient.
        image: int16, the intensities to store, with the channel first, on the grid of the pair.
        pair: the label and the affine.
        folder: folder of the data set, in which ``imagesTr`` and ``labelsTr`` are made.
        values: label value in the file -> stored value.

    Returns:
        The case's entry of the data list.

    Raises:
        ValueError: when the label holds a value that is not in ``values``.
    """
    present = np.flatnonzero(np.bincount(pair.label.ravel(), minlength=256))
    if unknown := [int(value) for value in present if value not in values]:
        raise ValueError(f"label values {unknown} in the mask {pair.file}, expected only {list(values)}")
    label = np.array([values.get(value, 0) for value in range(256)], np.uint8)[pair.label]
    stored = store_image(case, image, pair.affine, folder, "imagesTr")
    name = f"labelsTr/{case}{SUFFIX}"
    (folder / name).parent.mkdir(exist_ok=True)
    write_volume(folder / name, label, pair.affine)
    classes = sorted({*values.values()} - {0})
    return {
        "image": stored["image"],
        "label": name,
        "case": case,
        "patient": patient,
        "spacing": stored["spacing"],
        "shape": stored["shape"],
        "slices_with": {str(value): np.flatnonzero((label == value).any((1, 2))).tolist() for value in classes},
    }


def without_negative(lowest: Mapping[str, float]) -> str:
    """Return a warning for cases (name -> lowest intensity) that cannot be HU; empty when there are none."""
    names = [case for case, value in lowest.items() if value >= 0]
    if not names:
        return ""
    return (
        f"{shortened(names)}: no voxel is below 0, though air has -1000 HU: stored with an offset, 1024 for example? "
        "Intensities are taken as they are"
    )


def discover_ct_pairs(source: Path) -> DiscoveredCases | None:
    """Pair the files of the first of `CT_PAIRS` whose two folders exist; None when there is no such pair."""
    for images, labels in CT_PAIRS:
        if (source / images).is_dir() and (source / labels).is_dir():
            return pair_volumes(source / images, source / labels, is_case_folder=is_dicom_folder)
    return None


def ct_label_values(name: str, label_values: str) -> dict[int, int]:
    """Return label value in the masks -> stored value (1 organ, 2 tumour).

    Args:
        name: name of the data set.
        label_values: content of the masks. The name of the data set: 0, 1 organ, 2 tumour; ``"tumour"``: 0 and
            1 = tumour; ``"organ"``: 0 and 1 = organ.

    Raises:
        ValueError: for any other word.
    """
    options = {name: {0: 0, 1: 1, 2: 2}, **ONE_CLASS}
    if label_values not in options:
        raise UsageError(f"--label_values: found {label_values!r}, expected one of {', '.join(options)}")
    return options[label_values]


def store_ct_cases(data_set: Preparation, values: Mapping[int, int]) -> dict[str, list[dict[str, Any]]]:
    """Store every case as int16 HU, warn of cases whose intensities cannot be HU, and return the entries of each split.

    Raises:
        ValueError: refused cases, or masks that should hold tumours beside the organ and hold none at all.
    """
    lowest = data_set.store_cases(partial(_store_ct_case, values))
    listed = data_set.finish_cases()
    if 2 in values and not any(entry["slices_with"].get("2") for entry in data_set.entries.values()):
        raise ValueError(
            "no mask holds the value 2 (tumour), nothing was written: masks of 0 and 1 alone need --label_values tumour "
            "(1 is tumour) or --label_values organ"
        )
    if sentence := without_negative(lowest):
        warnings.warn(sentence, stacklevel=3)
    return listed


def _store_ct_case(values: Mapping[int, int], case: str, patient: str, files: CaseFiles, folder: Path) -> StoredCase:
    pair = read_pair(files)
    image = whole_numbers(pair.image, np.int16, "HU of the image")
    entry = store_volumes(case, patient, image, pair, folder, values)
    return StoredCase(entry, image_digest(image), pair.notes, float(image.min()))


def ct_properties(organ: str, label_values: str) -> dict[str, Any]:
    """Return what the data list says of a CT data set beside its cases."""
    return {
        "description": f"CT, axes {AXES} (slices, rows, columns), HU as int16; masks read as {label_values!r}",
        "modality": {"0": "CT"},
        "labels": {"0": "background", "1": organ, "2": "tumour"},
    }
