"""KiTS19: CT with kidneys and kidney tumours, from the official download or plain folders.

Heller et al., "The KiTS19 Challenge Data", arXiv:1904.00445. Labels: 0 background, 1 kidney, 2 tumour.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from medkd.io import NIFTI
from medkd.io.paths import PathLike

from ._cases import CaseFiles, DiscoveredCases, require_source
from ._ct_report import write_ct_report
from ._options import Options
from ._other_files import other_files, take_other_form
from ._prepare import open_data_set
from ._unlabelled_store import store_unlabelled
from ._volumes import CT_PAIRS, ct_label_values, ct_properties, discover_ct_pairs, store_ct_cases

__all__ = ["CORRECTED", "prepare"]

FIRST_UNLABELLED = 210  # case_00210 to case_00299 are the challenge's test cases; their masks were never published
# Their labels were corrected in December 2019: a published number needs the commit of the clone behind it.
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
    workers: int | None = None,
    unlabelled: PathLike | None = None,
    label_values: str = "kits19",
) -> dict[str, Any]:
    """Check every case, store it on KiTS19's axes (slices, rows, columns), and write the data list.

    The HLFD paper (Gorade et al., ISBI 2024) trains on 168 and tests on 42 of the 210 cases and does not publish their
    names. The default, fold 0 of 5 of a random split, has 42 test cases too, but not the same ones. Validation cases are
    taken from the 168.

    Every volume keeps its size: case_00160 has slices of 512 x 796, all others of 512 x 512. ``datalist.json`` records
    the commit of the clone as ``"revision"`` (None where the source is no clone). Its
    ``"corrected_in_december_2019"`` names the cases of the source whose labels changed then.

    Args:
        source: the official download (``data/case_*/imaging.nii.gz`` and ``segmentation.nii.gz``, or ``case_*`` in the
            folder itself), or ``imagesTr`` + ``labelsTr`` or ``images`` + ``masks``, paired by name: NIfTI, NRRD,
            MetaImage, or DICOM folders.
        target: folder to write: ``imagesTr``, ``labelsTr``, ``datalist.json``, ``split.json``,
            ``report.md``, ``report.json``, ``report.png``.
        split: ``"random"``: cases permuted by ``seed``; ``"sorted"``: cases in the order of their names; a JSON file
            with the case names of ``training``, ``validation`` and ``test``; or a CSV file with patients (see
            `read_patients`). Without one every case counts as one patient.
        fold: number of the test fold, from 0; no effect with a file.
        folds: number of folds, at least 2; no effect with a file.
        seed: seed of the random split.
        overwrite: replace a data set prepared earlier.
        skip_bad: leave refused cases out (recorded in ``datalist.json``) instead of stopping.
        workers: number of processes that read and write cases. None: all cores, and at most one for every 8 cases.
        unlabelled: folder of images without labels, which are stored beside the cases for training; label maps beside
            them are not read. With ``dataset_dir`` alone: they are added to that prepared data set.
        label_values: content of the masks. ``"kits19"``: 0, 1 kidney, 2 tumour; ``"tumour"``: 0 and 1 = tumour, stored
            as 2; ``"organ"``: 0 and 1 = organ.

    Returns:
        A summary, see `Preparation.summary`.

    Raises:
        FileNotFoundError: no such source.
        ValueError: no cases, a target in use, refused cases (each with its reason).
    """
    folder = require_source(source)
    cases = _discover(folder)
    options = Options(split, fold, folds, seed, overwrite, skip_bad, workers, unlabelled)
    values = ct_label_values("kits19", label_values)
    with open_data_set(folder, target, cases, options, "kits19") as data_set:
        write_ct_report(data_set, store_ct_cases(data_set, values), "kidney")
        data_set.save(
            **ct_properties("kidney", label_values),
            revision=_revision(folder),
            corrected_in_december_2019=[case for case in CORRECTED if case in cases.patients],
        )
        store_unlabelled(data_set)
    return data_set.summary(target)


def _discover(source: Path) -> DiscoveredCases:
    root = source / "data" if (source / "data").is_dir() else source
    folders = sorted(path for path in root.glob("case_*") if path.is_dir())
    if folders:
        return _discover_official(folders)
    if cases := discover_ct_pairs(source):
        return cases
    pairs = " or ".join(f"{images}/ + {labels}/" for images, labels in CT_PAIRS)
    raise ValueError(f"--source {source}: expected data/case_*/ or case_*/ (KiTS19), or {pairs}; found none of them")


def _discover_official(folders: list[Path]) -> DiscoveredCases:
    cases, unlabelled = DiscoveredCases(), 0
    for folder in folders:
        image, label = (
            next((folder / f"{kind}{suffix}" for suffix in NIFTI if (folder / f"{kind}{suffix}").is_file()), None)
            for kind in ("imaging", "segmentation")
        )
        number = folder.name.removeprefix("case_")
        if label is None and number.isdigit() and int(number) >= FIRST_UNLABELLED:
            unlabelled += 1
            continue
        cases.patients[folder.name] = folder.name
        if image is None:
            found = take_other_form(other_files(folder, NIFTI), "imaging") or " (the download script fetches it)"
            cases.refused[folder.name] = f"no imaging.nii.gz in {folder}{found}"
        elif label is None:
            found = take_other_form(other_files(folder, NIFTI), "segmentation")
            cases.refused[folder.name] = f"no segmentation.nii.gz in {folder}{found}"
        else:
            cases.files[folder.name] = CaseFiles((image,), label)
    if unlabelled:
        warnings.warn(f"{unlabelled} test cases without published masks are left out", stacklevel=4)
    return cases


def _revision(source: Path) -> str | None:
    """Return the commit of a clone of KiTS19, read from its files; None for a folder that is no clone."""
    root = source.resolve()
    root = root if (root / "data").is_dir() else root.parent
    # starter_code shows that the repository is KiTS19: the data may lie in a repository of the user, too.
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
