"""CVC-EndoSceneStill: colonoscopy frames with polyps, from the official download, CVC-912 or plain folders.

Vazquez et al., "A Benchmark for Endoluminal Scene Segmentation of Colonoscopy Images", J. Healthcare Engineering 2017:
CVC-300 (300 frames) and CVC-612 (612 frames, = CVC-ClinicDB), 912 in all, published split 547 / 183 / 182.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from medkd.io import PICTURES, Mask, read_mask
from medkd.io.paths import PathLike

from ._cases import DiscoveredCases, merge_cases, require_source
from ._options import Options
from ._pairing import files_by_name, pair_files
from ._pictures import plain_folders, store_picture_cases
from ._prepare import open_data_set
from ._splits import require_published
from ._unlabelled_store import store_unlabelled

__all__ = ["PUBLISHED", "name_frame", "prepare"]

# First and last frame number of each sequence of the published split, as in two independent public loaders.
PUBLISHED: dict[str, dict[str, list[tuple[int, int]]]] = {
    "CVC-300": {
        "training": [(1, 76), (98, 148), (221, 273)],
        "validation": [(77, 97), (209, 220), (274, 300)],
        "test": [(149, 208)],
    },
    "CVC-612": {
        "training": [(26, 50), (104, 126), (178, 227), (253, 317), (384, 503), (529, 612)],
        "validation": [(51, 103), (228, 252), (318, 342), (364, 383)],
        "test": [(1, 25), (127, 177), (343, 363), (504, 528)],
    },
}
FOLDERS_912 = {"train": "training", "valid": "validation", "test": "test"}
HIGHEST_CLASS = {"masks2": 2, "masks3": 4, "masks4": 4}  # 2 is void, or lumen with other classes above it


def prepare(
    source: PathLike,
    target: PathLike,
    *,
    split: PathLike = "published",
    fold: int = 0,
    folds: int = 5,
    seed: int = 0,
    overwrite: bool = False,
    skip_bad: bool = False,
    workers: int | None = None,
    unlabelled: PathLike | None = None,
) -> dict[str, Any]:
    """Check every frame and write it as ``images/<case>.png`` (RGB) and ``labels/<case>.png`` (0 background, 1 polyp).

    The true patients are not published with the frames. The published split was made by patient, so a sequence of
    consecutive frames of it stands for one patient. In CVC-912 a whole split stands for one patient. In other folders
    every file counts as one patient: ``split="random"`` can separate frames of one video, a split file cannot.

    Masks hold 0 and 255 (see `medkd.io.read_mask`), or 0, 1 and 2. Value 2 is void, the frame's dark border, and becomes
    background. In masks3 and masks4 the values 2 to 4 (lumen, specularity, void) become background.

    Args:
        source: ``CVC-300`` and/or ``CVC-612`` with ``bbdd`` and ``gtpolyp``; or ``CVC-912/{train,valid,test}``, or these
            three folders themselves, with ``images`` and ``masks2``, ``masks3`` or ``masks4``; or CVC-ClinicDB's
            ``Original`` and ``Ground Truth``, which are the frames of CVC-612; or ``images`` +
            ``masks``: when all names are numbers within 1 to 612 they are read as frame numbers of CVC-612.
        target: folder to write: ``images``, ``labels``, ``datalist.json``, ``split.json``, ``report.md`` and so on.
        split: ``"published"``; ``"random"``: patients permuted by ``seed``; ``"sorted"``: patients in the order of their
            names; a JSON file with the case names of ``training``, ``validation`` and ``test``; or a CSV file with
            patients (see `read_patients`).
        fold: number of the test fold, from 0; no effect with the published split or with a file.
        folds: number of folds, at least 2; no effect with the published split or with a file.
        seed: seed of the random split.
        overwrite: replace a data set prepared earlier.
        skip_bad: leave refused frames out (recorded in ``datalist.json``) instead of stopping.
        workers: number of processes that read and write cases. None: all cores, and at most one for every 8 cases.
        unlabelled: folder of images without labels, which are stored beside the cases for training; label maps beside
            them are not read. With ``dataset_dir`` alone: they are added to that prepared data set.

    Returns:
        A summary, see `Preparation.summary`.

    Raises:
        FileNotFoundError: no such source.
        ValueError: no frames, a target in use, refused frames (each with its reason).
    """
    folder = require_source(source)
    cases = _discover(folder)
    require_published(source, cases, split, "these file names (expected numbers from 1 to 612)")
    options = Options(split, fold, folds, seed, overwrite, skip_bad, workers, unlabelled)
    with open_data_set(folder, target, cases, options, "cvc_endoscene") as data_set:
        store_picture_cases(data_set, _read_mask, "polyp")
        data_set.save(
            description="Colonoscopy frames, RGB, original size; void is background",
            modality={"0": "red", "1": "green", "2": "blue"},
            labels={"0": "background", "1": "polyp"},
        )
        store_unlabelled(data_set, name_frame)
    return data_set.summary(target)


def _discover(source: Path) -> DiscoveredCases:
    if any((source / name).is_dir() for name in PUBLISHED):
        return merge_cases([_discover_official(source / name) for name in PUBLISHED if (source / name).is_dir()])
    root = source / "CVC-912" if (source / "CVC-912").is_dir() else source
    if any((root / name).is_dir() for name in FOLDERS_912):
        return merge_cases([_discover_912(root / name) for name in FOLDERS_912 if (root / name).is_dir()])
    if (source / "Original").is_dir() and (source / "Ground Truth").is_dir():  # CVC-ClinicDB: the frames of CVC-612
        return _pair_numbered(source / "Original", source / "Ground Truth", "CVC-612")
    if folders := plain_folders(source):
        stems = files_by_name(folders[0], PICTURES)
        if stems and all(stem.isdecimal() and 1 <= int(stem) <= 612 for stem in stems):
            return _pair_numbered(*folders, "CVC-612")
        return pair_files(*folders, PICTURES, PICTURES)
    raise ValueError(
        f"--source {source}: expected CVC-300/ or CVC-612/ (bbdd, gtpolyp), CVC-912/train (images, masks2), or images/ + "
        "masks/; found none of them"
    )


def _discover_official(folder: Path) -> DiscoveredCases:
    for kind in ("bbdd", "gtpolyp"):
        if not (folder / kind).is_dir():
            raise ValueError(f"--source {folder}: no folder {kind} in it")
    return _pair_numbered(folder / "bbdd", folder / "gtpolyp", folder.name)


def _pair_numbered(images: Path, masks: Path, name: str) -> DiscoveredCases:
    """Pair files named by frame number; the number gives the patient and the split of the published split."""
    prefix = name.lower().replace("-", "")

    def case_of(stem: str) -> str:
        return f"{prefix}_{int(stem):03d}" if stem.isdecimal() else f"{prefix}_{stem}"

    cases = pair_files(images, masks, PICTURES, PICTURES, name=case_of)
    for case in list(cases.patients):
        number = case.removeprefix(f"{prefix}_")
        sequence = _find_sequence(name, int(number)) if number.isdecimal() else None
        if sequence is None:
            cases.files.pop(case, None)
            cases.patients.pop(case)
            cases.refused[case] = f"{number!r} in {images} is not a frame number of {name}"
            continue
        cases.published[case], first, last = sequence
        cases.patients[case] = f"{prefix}_{first:03d}-{last:03d}"
    return cases


def _find_sequence(name: str, number: int) -> tuple[str, int, int] | None:
    """Return the split of a frame, and the first and last frame of its sequence."""
    for split, sequences in PUBLISHED[name].items():
        for first, last in sequences:
            if first <= number <= last:
                return split, first, last
    return None


def _discover_912(folder: Path) -> DiscoveredCases:
    masks = next((folder / name for name in HIGHEST_CLASS if (folder / name).is_dir()), None)
    if masks is None or not (folder / "images").is_dir():
        raise ValueError(f"--source {folder}: expected images and one of {', '.join(HIGHEST_CLASS)} in it")
    prefix = f"cvc912_{folder.name}"
    cases = pair_files(folder / "images", masks, PICTURES, PICTURES, name=lambda stem: f"{prefix}_{stem}")
    cases.published = dict.fromkeys(cases.patients, FOLDERS_912[folder.name])
    cases.patients = dict.fromkeys(cases.patients, prefix)
    return cases


def name_frame(path: Path, stem: str) -> tuple[str, str]:
    """Return the names of the case and the patient of a frame without a label, by the rules of labelled ones."""
    if path.parent.name == "images" and path.parent.parent.name in FOLDERS_912:
        prefix = f"cvc912_{path.parent.parent.name}"
        return f"{prefix}_{stem}", prefix
    name = "CVC-300" if "CVC-300" in path.absolute().parts else "CVC-612"
    sequence = _find_sequence(name, int(stem)) if stem.isdecimal() else None
    if sequence is None:
        return stem, stem
    _, first, last = sequence
    prefix = name.lower().replace("-", "")
    return f"{prefix}_{int(stem):03d}", f"{prefix}_{first:03d}-{last:03d}"


def _read_mask(path: Path) -> Mask:
    """Read the polyp of a mask."""
    highest = HIGHEST_CLASS.get(path.parent.name, 2)
    return read_mask(path, "0 and 255, or 0, 1 and 2 (void)", highest)
