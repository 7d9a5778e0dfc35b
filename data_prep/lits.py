"""LiTS: CT with livers and liver tumours, from the official download or plain folders.

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

from medkd.data import natural_key
from medkd.io import is_hidden
from medkd.io.paths import PathLike
from medkd.runs.errors import UsageError

from ._cases import CaseFiles, DiscoveredCases, require_source
from ._ct_report import write_ct_report
from ._options import Options
from ._prepare import open_data_set
from ._splits import hold_out
from ._unlabelled_store import store_unlabelled
from ._volumes import CT_PAIRS, ct_label_values, ct_properties, discover_ct_pairs, store_ct_cases

__all__ = ["LABELLED", "TEST", "prepare"]

LABELLED, TEST = 131, 70  # cases: HLFD's authors sample 70 test cases from the 131
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
    workers: int | None = None,
    unlabelled: PathLike | None = None,
    label_values: str = "lits",
) -> dict[str, Any]:
    """Check every case, store it on the axes (slices, rows, columns) by its affine, and write the data list.

    The HLFD paper (Gorade et al., ISBI 2024) names 201 scans, 131 for training and 70 for testing. The challenge's 70
    test volumes have no public masks, so they cannot be meant: the authors' notebook samples 70 of the 131 labelled
    volumes for test and leaves 61. It samples without a seed, and the list is not published. ``split="hlfd_61_70"``
    therefore has the same numbers, not the same cases. A tenth of the 61 is held out here to choose the best epoch. The
    official test volumes (``test-volume-*``) are never read.

    LiTS does not publish which volumes show one patient: each counts as one patient.

    Args:
        source: a folder with ``volume-<n>.nii`` and ``segmentation-<n>.nii`` (or ``.nii.gz``), in it or in folders below
            it, whatever these are called (``Training Batch 1`` and ``2``); or ``imagesTr`` + ``labelsTr`` (the form of
            the Medical Segmentation Decathlon) or ``images`` + ``masks``, paired by name: NIfTI, NRRD,
            MetaImage, or DICOM folders.
        target: folder to write: ``imagesTr``, ``labelsTr``, ``datalist.json``, ``split.json``,
            ``report.md``, ``report.json``, ``report.png``.
        split: ``"5fold"``: test is fold ``fold`` of five, sampled by ``seed``; ``"hlfd_61_70"``: 55 training, 6
            validation and 70 test cases sampled by ``seed``, for exactly 131 labelled cases; ``"random"``:
            cases permuted by ``seed``; ``"sorted"``: cases in the order of their names; a JSON file with the case
            names of ``training``, ``validation`` and ``test``; or a CSV file with patients (see `read_patients`).
        fold: number of the test fold, from 0; no effect with ``"hlfd_61_70"`` or with a file.
        folds: number of folds, at least 2, and 5 for ``"5fold"``; no effect with ``"hlfd_61_70"`` or with a file.
        seed: seed of all splits but ``"sorted"`` and files.
        overwrite: replace a data set prepared earlier.
        skip_bad: leave refused cases out (recorded in ``datalist.json``) instead of stopping.
        workers: number of processes that read and write cases. None: all cores, and at most one for every 8 cases.
        unlabelled: folder of images without labels, which are stored beside the cases for training; label maps beside
            them are not read. With ``dataset_dir`` alone: they are added to that prepared data set.
        label_values: content of the masks. ``"lits"``: 0, 1 liver, 2 tumour (some cases have none); ``"tumour"``: 0 and
            1 = tumour, stored as 2; ``"organ"``: 0 and 1 = organ.

    Returns:
        A summary, see `Preparation.summary`.

    Raises:
        FileNotFoundError: no such source or split file.
        ValueError: no cases, a split that these cases cannot have, a target in use, refused cases (each with its
            reason).
    """
    options = Options(split, fold, folds, seed, overwrite, skip_bad, workers, unlabelled)
    folder = require_source(source)
    cases = _discover(folder)
    _assign_splits(folder, cases, options)
    values = ct_label_values("lits", label_values)
    with open_data_set(folder, target, cases, options, "lits") as data_set:
        write_ct_report(data_set, store_ct_cases(data_set, values), "liver")
        _warn_of_placeholders(data_set.entries.values())
        data_set.save(**ct_properties("liver", label_values))
        store_unlabelled(data_set)
    return data_set.summary(target)


def _discover(source: Path) -> DiscoveredCases:
    volumes, masks, tests = _search(source)
    # In a plain pair of folders both files of a case may be called volume-<n>.
    pairs = None if masks else discover_ct_pairs(source)
    if not pairs and not volumes and not masks:
        folders = " or ".join(f"{images}/ + {labels}/" for images, labels in CT_PAIRS)
        raise ValueError(
            f"--source {source}: expected volume-<n>.nii and segmentation-<n>.nii in it or below it (LiTS), or {folders}; "
            f"found {f'{tests} test volumes without masks' if tests else 'none of them'}"
        )
    if tests:
        warnings.warn(f"{tests} test volumes without published masks are left out", stacklevel=3)
    return pairs or _pair_numbered(source, volumes, masks)


def _search(source: Path) -> tuple[dict[int, list[Path]], dict[int, list[Path]], int]:
    """Return the volumes and the masks below a folder by number, and the number of unlabelled test volumes."""
    files: dict[str, dict[int, list[Path]]] = {"volume": {}, "segmentation": {}}
    tests = 0
    # glob follows links to folders, Path.rglob does not: batches may lie on two disks.
    for name in sorted(glob.iglob("**/*", root_dir=source, recursive=True)):
        match = NAME.fullmatch(Path(name).name)
        # some programs unpack volume-0.nii into a folder of that name
        if (source / name).is_dir() or any(map(is_hidden, (Path(name), *Path(name).parents))):
            continue
        if match and match[1]:
            tests += match[2].lower() == "volume"
        elif match:
            files[match[2].lower()].setdefault(int(match[3]), []).append(source / name)
    return files["volume"], files["segmentation"], tests


def _pair_numbered(source: Path, volumes: dict[int, list[Path]], masks: dict[int, list[Path]]) -> DiscoveredCases:
    cases = DiscoveredCases()
    for number in sorted({*volumes, *masks}):
        case, volume, mask = f"volume-{number}", volumes.get(number, []), masks.get(number, [])
        cases.patients[case] = case
        if not mask:
            cases.refused[case] = f"no segmentation-{number}.nii below {source} for {volume[0]}"
        elif not volume:
            cases.refused[case] = f"no volume-{number}.nii below {source} for {mask[0]}"
        elif len(volume) > 1 or len(mask) > 1:
            repeated = volume if len(volume) > 1 else mask
            cases.refused[case] = (
                f"{len(repeated)} files stand for this case: {' and '.join(map(str, repeated))}; keep one"
            )
        else:
            cases.files[case] = CaseFiles((volume[0],), mask[0])
    return cases


def _assign_splits(source: Path, cases: DiscoveredCases, options: Options) -> None:
    """Assign every case to a split of LiTS's own kinds; ``split_cases`` knows the other kinds."""
    if options.split == "5fold":
        if options.folds != FOLDS:
            raise UsageError(
                f"--folds {options.folds}: expected 5 with --split 5fold (--split random takes any number)"
            )
        cases.split_name, cases.drawn_as = "5fold", "random"
    elif options.split == "hlfd_61_70":
        if len(cases.patients) != LABELLED:
            raise ValueError(
                f"--source {source}: {len(cases.patients)} labelled cases, --split hlfd_61_70 expects the {LABELLED} of "
                "LiTS; other numbers of cases take --split 5fold, random, sorted, a JSON file or a CSV"
            )
        cases.split_name = "hlfd_61_70"
        names = sorted(cases.patients, key=natural_key)
        order = np.random.default_rng(options.seed).permutation(LABELLED)
        cases.published = {names[k]: "test" if rank < TEST else "training" for rank, k in enumerate(order)}
        hold_out(cases, options.seed)
        cases.held_out = f"test: {TEST} of {LABELLED} cases, drawn by the seed, not the authors' list; {cases.held_out}"
    elif options.split not in ("random", "sorted") and not Path(options.split).is_file():
        raise FileNotFoundError(
            f"--split {options.split}: neither 5fold, hlfd_61_70, random, sorted nor an existing JSON file or CSV"
        )


def _warn_of_placeholders(entries: Collection[dict[str, Any]]) -> None:
    """Warn of volumes with a placeholder for an affine.

    The volumes that LiTS took from 3D-IRCADb, 28 to 47, have the identity as affine (LITS-CHALLENGE, issue 14).
    """
    cases = [entry["case"] for entry in entries if entry["spacing"] == [1, 1, 1]]
    if cases:
        warnings.warn(
            f"{len(cases)} cases have voxels of 1 x 1 x 1 mm ({', '.join(sorted(cases, key=natural_key))}): in LiTS's "
            "volumes 28 to 47 that is a placeholder, hence their mm, ml, left and right are not to be trusted",
            stacklevel=3,
        )
