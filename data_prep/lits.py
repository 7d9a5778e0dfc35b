"""LiTS (liver and liver tumour CT) and plain folders of CT volumes with masks -> slice-wise stores and a data list.

Bilic et al., "The Liver Tumor Segmentation Benchmark (LiTS)", Medical Image Analysis 84, 2023 (arXiv:1901.04056): 131
labelled volumes, 70 test volumes whose masks were never published. Labels: 0 background, 1 liver, 2 tumour.
"""

from __future__ import annotations

import glob
import re
import warnings
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import PathLike

from medkd.data import natural_key, split_cases

from ._common import DiscoveredCases, Options, require_source
from ._published import hold_out
from ._tumours import PAIRS, find_pairs, run_tumours

__all__ = ["LABELLED", "TEST", "prepare"]

LABELLED, TEST = 131, 70  # cases; the second is what HLFD's authors draw from the first
FOLDS = 5
NAME = re.compile(r"(test-)?(volume|segmentation)-(\d+)\.nii(\.gz)?", re.IGNORECASE)


def prepare(
    source: PathLike,
    target: PathLike,
    *,
    split: PathLike = "5fold",
    fold: int = 0,
    folds: int = FOLDS,
    seed: int = 0,
    overwrite: bool = False,
    skip_bad: bool = False,
    label_values: str = "lits",
) -> dict[str, Any]:
    """Check every case, turn it to the axes (slices, rows, columns) by its affine, store it, and write the data list.

    The HLFD paper (Gorade et al., ISBI 2024) speaks of 201 scans, 131 for training and 70 for testing. That cannot be an
    evaluation on the challenge's 70 test volumes, which have no public masks: the authors' notebook draws 70 of the 131
    labelled volumes for test and leaves 61. It draws them without a seed and the list is not published, so
    ``split="hlfd_61_70"`` has its numbers, not its names. A tenth of the 61 is held out here to choose the best epoch.
    The official test volumes (``test-volume-*``) are never read.

    LiTS does not publish which volumes show one patient: each counts as a patient of its own.

    Args:
        source: a folder with ``volume-<n>.nii`` and ``segmentation-<n>.nii`` (or ``.nii.gz``), in it or in folders below
            it, whatever these are called (``Training Batch 1`` and ``2``); or ``imagesTr`` + ``labelsTr`` (the form of
            the Medical Segmentation Decathlon) or ``images`` + ``masks``, with files of equal names.
        target: folder to write: ``imagesTr``, ``labelsTr``, ``datalist.json``, ``split.json``.
        split: ``"5fold"``: test is fold ``fold`` of five, drawn by ``seed``; ``"hlfd_61_70"``: 55 training, 6 validation
            and 70 test cases drawn by ``seed``, for exactly 131 labelled cases; or ``"random"``, ``"sorted"`` or a JSON
            file, see ``medkd.data.split_cases``.
        fold, folds, seed: see ``medkd.data.split_cases``; ``fold`` and ``folds`` do not act on ``"hlfd_61_70"``.
        overwrite: replace a data set prepared earlier.
        skip_bad: leave refused cases out (recorded in ``datalist.json``) instead of stopping.
        label_values: what the masks hold: ``"lits"``: 0, 1 liver, 2 tumour (some cases have none); ``"tumour"``: 0 and
            1 = tumour, stored as 2; ``"organ"``: 0 and 1 = organ.

    Returns:
        summary, see ``_common.run``.

    Raises:
        FileNotFoundError, ValueError: no source, no cases, a split that these cases cannot have, a target in use,
            refused cases (each with its reason).
    """
    options = Options(split, fold, folds, seed, overwrite, skip_bad)
    folder = require_source(source)
    found = _find(folder)
    _draw_split(folder, found, options)
    return run_tumours(
        folder, target, found, label_values, options, name="lits", organ="liver", check=_warn_of_placeholders
    )


def _find(source: Path) -> DiscoveredCases:
    volumes, masks, tests = _search(source)
    # In a plain pair of folders both files of a case may be called volume-<n>.
    pairs = None if masks else find_pairs(source)
    if not pairs and not volumes and not masks:
        folders = " or ".join(f"{images}/ + {labels}/" for images, labels in PAIRS)
        raise ValueError(
            f"source {source}: expected volume-<n>.nii and segmentation-<n>.nii in it or below it (LiTS), or {folders}; "
            f"found {f'{tests} test volumes without masks' if tests else 'none of them'}."
        )
    if tests:
        warnings.warn(f"{tests} test volumes without published masks are left out.", stacklevel=3)
    return pairs or _pair(source, volumes, masks)


def _search(source: Path) -> tuple[dict[int, list[Path]], dict[int, list[Path]], int]:
    """Return the volumes and the masks below a folder by number, and the number of unlabelled test volumes."""
    found: dict[str, dict[int, list[Path]]] = {"volume": {}, "segmentation": {}}
    tests = 0
    # glob follows links to folders, where Path.rglob does not: batches may lie on two disks.
    for name in sorted(glob.iglob("**/*", root_dir=source, recursive=True)):
        match = NAME.fullmatch(Path(name).name)
        if match and match[1]:
            tests += match[2].lower() == "volume"
        elif match:
            found[match[2].lower()].setdefault(int(match[3]), []).append(source / name)
    return found["volume"], found["segmentation"], tests


def _pair(source: Path, volumes: dict[int, list[Path]], masks: dict[int, list[Path]]) -> DiscoveredCases:
    found = DiscoveredCases()
    for number in sorted({*volumes, *masks}):
        case, of_volume, of_mask = f"volume-{number}", volumes.get(number, []), masks.get(number, [])
        found.patients[case] = case
        if not of_mask:
            found.refused[case] = f"no segmentation-{number}.nii below {source} for {of_volume[0]}"
        elif not of_volume:
            found.refused[case] = f"no volume-{number}.nii below {source} for {of_mask[0]}"
        elif len(of_volume) > 1 or len(of_mask) > 1:
            several = of_volume if len(of_volume) > 1 else of_mask
            found.refused[case] = f"{len(several)} files stand for this case: {' and '.join(map(str, several))}"
        else:
            found.files[case] = (of_volume[0], of_mask[0])
    return found


def _draw_split(source: Path, found: DiscoveredCases, options: Options) -> None:
    """Give every case its part of a split that is LiTS's own; ``split_cases`` knows the others."""
    if options.split == "5fold":
        if options.folds != FOLDS:
            raise ValueError(f"split '5fold' with folds {options.folds}: expected 5 (split 'random' takes any number).")
        parts = split_cases(found.patients, "random", options.fold, FOLDS, options.seed)
        found.split_name = "5fold"
        found.published = {case: part for part, cases in parts.items() for case in cases}
    elif options.split == "hlfd_61_70":
        if len(found.patients) != LABELLED:
            raise ValueError(
                f"source {source}: {len(found.patients)} labelled cases, split 'hlfd_61_70' expects the {LABELLED} of "
                "LiTS; other numbers of cases take split '5fold', 'random', 'sorted' or a JSON file."
            )
        found.split_name = "hlfd_61_70"
        names = sorted(found.patients, key=natural_key)
        order = np.random.default_rng(options.seed).permutation(LABELLED)
        found.published = {names[k]: "test" if place < TEST else "training" for place, k in enumerate(order)}
        hold_out(found, options.seed)
        found.held_out = f"test: {TEST} of {LABELLED} cases, drawn by the seed, not the authors' list; {found.held_out}"
    elif options.split not in ("random", "sorted") and not Path(options.split).is_file():
        raise FileNotFoundError(
            f"split {str(options.split)!r}: neither '5fold', 'hlfd_61_70', 'random', 'sorted' nor an existing JSON file."
        )


def _warn_of_placeholders(entries: Collection[dict[str, Any]]) -> None:
    """The volumes that LiTS took from 3D-IRCADb, 28 to 47, have the identity for an affine (LITS-CHALLENGE, issue 14)."""
    cases = [entry["case"] for entry in entries if entry["spacing"] == [1, 1, 1]]
    if cases:
        warnings.warn(
            f"{len(cases)} cases have voxels of 1 x 1 x 1 mm ({', '.join(sorted(cases, key=natural_key))}): in LiTS's "
            "volumes 28 to 47 that is a placeholder, hence their mm, ml, left and right are not to be trusted.",
            stacklevel=5,
        )
