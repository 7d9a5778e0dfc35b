"""KiTS19 (kidney and kidney tumour CT) and plain folders of CT volumes with masks -> slice-wise stores and a data list.

Heller et al., "The KiTS19 Challenge Data", arXiv:1904.00445. Labels: 0 background, 1 kidney, 2 tumour.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from monai.config import PathLike

from ._common import DiscoveredCases, Options, require_source
from ._tumours import PAIRS, SUFFIXES, find_pairs, run_tumours

__all__ = ["CORRECTED", "prepare"]

FIRST_UNLABELLED = 210  # case_00210 to case_00299 are the challenge's test cases; their masks were never published
# Their labels were corrected in December 2019: a figure needs the commit of the clone that it was measured on.
CORRECTED = ("case_00015", "case_00023", "case_00037", "case_00125")


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

    Every volume keeps its size: case_00160 has slices of 512 x 796, all others of 512 x 512. ``datalist.json`` records
    the commit of the clone as ``"revision"`` (None when the source is none), and as ``"corrected_in_december_2019"``
    which of the cases are here whose labels changed then.

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
    folder = require_source(source)
    found = _find(folder)
    corrected = [case for case in CORRECTED if case in found.patients]
    return run_tumours(
        folder,
        target,
        found,
        label_values,
        Options(split, fold, folds, seed, overwrite, skip_bad),
        name="kits19",
        organ="kidney",
        revision=_revision(folder),
        corrected_in_december_2019=corrected,
    )


def _find(source: Path) -> DiscoveredCases:
    root = source / "data" if (source / "data").is_dir() else source
    cases = sorted(path for path in root.glob("case_*") if path.is_dir())
    if cases:
        return _find_official(cases)
    if found := find_pairs(source):
        return found
    pairs = " or ".join(f"{images}/ + {labels}/" for images, labels in PAIRS)
    raise ValueError(f"source {source}: expected data/case_*/ or case_*/ (KiTS19), or {pairs}; found none of them.")


def _find_official(cases: list[Path]) -> DiscoveredCases:
    found, unlabelled = DiscoveredCases(), 0
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


def _revision(source: Path) -> str | None:
    """Return the commit that a clone of KiTS19 is at, read from its files; None for a folder that is no clone."""
    root = source.resolve()
    root = root if (root / "data").is_dir() else root.parent
    # starter_code: a repository of the user's own around the data has a commit too, which says nothing of KiTS19.
    if not (root / ".git" / "HEAD").is_file() or not (root / "starter_code").is_dir():
        return None
    head = (root / ".git" / "HEAD").read_text(encoding="utf-8").strip()
    if not head.startswith("ref: "):
        return head
    branch = head.removeprefix("ref: ")
    if (root / ".git" / branch).is_file():
        return (root / ".git" / branch).read_text(encoding="utf-8").strip()
    packed = root / ".git" / "packed-refs"
    lines = packed.read_text(encoding="utf-8").splitlines() if packed.is_file() else []
    return next((line.split()[0] for line in lines if line.endswith(f" {branch}")), None)
