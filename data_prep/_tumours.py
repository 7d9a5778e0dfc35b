"""What CT data sets of an organ (1) with tumours in it (2) share: label values, plain pairs of folders, the preparation."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import PathLike

from ._common import DiscoveredCases, Options, pair_files, run
from ._volumes import AXES, check_same_grid, check_varied, read_nifti, store_case, whole_numbers, without_negative

__all__ = ["PAIRS", "SUFFIXES", "find_pairs", "run_tumours"]

SUFFIXES = (".nii.gz", ".nii")
PAIRS = (("imagesTr", "labelsTr"), ("images", "masks"))
# Label values in files that know one of the two alone -> values stored.
ONE_CLASS = {"tumour": {0: 0, 1: 2}, "organ": {0: 0, 1: 1}}


def find_pairs(source: Path) -> DiscoveredCases | None:
    """Pair the files of the first of `PAIRS` whose two folders are there; None when there is no such pair."""
    for images, labels in PAIRS:
        if (source / images).is_dir() and (source / labels).is_dir():
            return pair_files(source / images, source / labels, SUFFIXES, SUFFIXES, name=str)
    return None


def run_tumours(
    source: Path,
    target: PathLike,
    found: DiscoveredCases,
    label_values: str,
    options: Options,
    *,
    name: str,
    organ: str,
    check: Callable[[Collection[dict[str, Any]]], None] = lambda entries: None,
    **extra: Any,
) -> dict[str, Any]:
    """`_common.run` for cases of one scan and one mask: checked, turned to the stored axes, int16 HU.

    Args:
        label_values: what the masks hold: the data set's own name: 0, 1 organ, 2 tumour; ``"tumour"``: 0 and 1 = tumour,
            stored as 2; ``"organ"``: 0 and 1 = organ.
        name, organ: of the data set and its organ, for the data list.
        check: a look at all entries before anything is in place, see ``run``.
        extra: further keys of the data list.

    Raises:
        ValueError: unknown ``label_values``; masks that should have tumours and have none at all.
    """
    known = {name: {0: 0, 1: 1, 2: 2}, **ONE_CLASS}
    if label_values not in known:
        raise ValueError(f"label_values {label_values!r} is unknown, expected one of {', '.join(known)}.")

    lowest: dict[str, float] = {}

    def convert(case: str, files: tuple[Path, Path], to: Path) -> dict[str, Any]:
        entry, lowest[case] = _convert(case, files, to, known[label_values])
        return entry

    def check_all(entries: Collection[dict[str, Any]]) -> None:
        if label_values == name:
            _check_tumours(entries)
        check(entries)
        if sentence := without_negative(lowest):
            warnings.warn(sentence, stacklevel=4)

    return run(
        source,
        target,
        found,
        convert,
        options,
        check_all,
        name=name,
        description=f"CT, axes {AXES} (slices, rows, columns), HU as int16; masks read as {label_values!r}",
        modality={"0": "CT"},
        labels={"0": "background", "1": organ, "2": "tumour"},
        **extra,
    )


def _check_tumours(entries: Collection[dict[str, Any]]) -> None:
    if not any(entry["slices_with"].get("2") for entry in entries):
        raise ValueError(
            "no mask holds the value 2 (tumour), nothing was written: masks of 0 and 1 alone need --label_values tumour "
            "(1 is tumour) or --label_values organ"
        )


def _convert(case: str, files: tuple[Path, Path], folder: Path, values: dict[int, int]) -> tuple[dict[str, Any], float]:
    """The entry of the data list, and the lowest HU."""
    (image, affine), (label, label_affine) = (read_nifti(path) for path in files)
    check_same_grid(image, affine, label, label_affine)
    hu = whole_numbers(image, np.int16, "HU of the image")
    raw = whole_numbers(label, np.uint8, "label values of the mask")
    check_varied(hu)
    return store_case(case, hu, raw, affine, folder, values), float(hu.min())
