"""KiTS19 (kidney and kidney tumour CT) and plain folders of CT volumes with masks -> slice-wise stores and a data list.

Heller et al., "The KiTS19 Challenge Data", arXiv:1904.00445. Labels: 0 background, 1 kidney, 2 tumour.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import PathLike

from ._common import Found, Options, pair_files, require_source, run
from ._volumes import AXES, check_same_grid, read_nifti, store_case, whole_numbers

__all__ = ["prepare"]

SUFFIXES = (".nii.gz", ".nii")
PAIRS = (("imagesTr", "labelsTr"), ("images", "masks"))
# Label values in the files -> values stored.
LABEL_VALUES = {"kits19": {0: 0, 1: 1, 2: 2}, "tumour": {0: 0, 1: 2}, "organ": {0: 0, 1: 1}}
FIRST_UNLABELLED = 210  # case_00210 to case_00299 are the challenge's test cases; their masks were never published


def prepare(
    source: PathLike,
    target: PathLike,
    *,
    split: PathLike = "random",
    fold: int = 0,
    folds: int = 5,
    seed: int = 0,
    overwrite: bool = False,
    skip_bad: bool = False,
    label_values: str = "kits19",
) -> dict[str, Any]:
    """Check every case, turn it to KiTS19's axes (slices, rows, columns), store it, and write the data list.

    The HLFD paper (Gorade et al., ISBI 2024) trains on 168 and tests on 42 of the 210 cases; its list of cases is
    not published. The default, fold 0 of 5 of a random split, has the same 42 test cases in number, not in name;
    validation cases are taken from the 168.

    Args:
        source: the official download (``data/case_*/imaging.nii.gz`` and ``segmentation.nii.gz``, or ``case_*`` in the
            folder itself), or ``imagesTr`` + ``labelsTr`` or ``images`` + ``masks`` with files of equal names.
        target: folder to write: ``imagesTr``, ``labelsTr``, ``datalist.json``, ``split.json``.
        split, fold, folds, seed: see ``medkd.data.split_cases``; every case is taken for a patient of its own.
        overwrite: replace a data set prepared earlier.
        skip_bad: leave refused cases out (recorded in ``datalist.json``) instead of stopping.
        label_values: what the masks hold: ``"kits19"``: 0, 1 kidney, 2 tumour; ``"tumour"``: 0 and 1 = tumour, stored
            as 2; ``"organ"``: 0 and 1 = organ.

    Returns:
        summary, see ``_common.run``.

    Raises:
        FileNotFoundError, ValueError: no source, no cases, a target in use, refused cases (each with its reason).
    """
    if label_values not in LABEL_VALUES:
        raise ValueError(f"label_values {label_values!r} is unknown, expected one of {', '.join(LABEL_VALUES)}.")
    folder = require_source(source)
    return run(
        folder,
        target,
        _find(folder),
        lambda case, files, to: _convert(case, files, to, LABEL_VALUES[label_values]),
        Options(split, fold, folds, seed, overwrite, skip_bad),
        _check_tumours if label_values == "kits19" else lambda entries: None,
        name="kits19",
        description=f"CT, axes {AXES} (slices, rows, columns), HU as int16; masks read as {label_values!r}",
        modality={"0": "CT"},
        labels={"0": "background", "1": "kidney", "2": "tumour"},
    )


def _check_tumours(entries: Collection[dict[str, Any]]) -> None:
    if not any(entry["slices_with"].get("2") for entry in entries):
        raise ValueError(
            "no mask holds the value 2 (tumour), nothing was written: masks of 0 and 1 alone need --label_values tumour "
            "(1 is tumour) or --label_values organ"
        )


def _find(source: Path) -> Found:
    root = source / "data" if (source / "data").is_dir() else source
    cases = sorted(path for path in root.glob("case_*") if path.is_dir())
    if cases:
        return _find_official(cases)
    for images, labels in PAIRS:
        if (source / images).is_dir() and (source / labels).is_dir():
            return pair_files(source / images, source / labels, SUFFIXES, SUFFIXES, name=str)
    pairs = " or ".join(f"{images}/ + {labels}/" for images, labels in PAIRS)
    raise ValueError(f"source {source}: expected data/case_*/ or case_*/ (KiTS19), or {pairs}; found none of them.")


def _find_official(cases: list[Path]) -> Found:
    found, unlabelled = Found(), 0
    for path in cases:
        image, label = (
            next((path / f"{kind}{suffix}" for suffix in SUFFIXES if (path / f"{kind}{suffix}").is_file()), None)
            for kind in ("imaging", "segmentation")
        )
        number = path.name.removeprefix("case_")
        if label is None and number.isdigit() and int(number) >= FIRST_UNLABELLED:
            unlabelled += 1
            continue
        found.patients[path.name] = path.name
        if image is None:
            found.refused[path.name] = f"no imaging.nii.gz in {path} (the download script fetches it)"
        elif label is None:
            found.refused[path.name] = f"no segmentation.nii.gz in {path}"
        else:
            found.files[path.name] = (image, label)
    if unlabelled:
        warnings.warn(f"{unlabelled} test cases without published masks are left out.", stacklevel=4)
    return found


def _convert(case: str, files: tuple[Path, Path], folder: Path, values: dict[int, int]) -> dict[str, Any]:
    (image, affine), (label, label_affine) = (read_nifti(path) for path in files)
    check_same_grid(image, affine, label, label_affine)
    hu = whole_numbers(image, np.int16, "HU of the image")
    raw = whole_numbers(label, np.uint8, "label values of the mask")
    return store_case(case, hu, raw, affine, folder, values)
