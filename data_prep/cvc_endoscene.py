"""CVC-EndoSceneStill (colonoscopy frames with polyps): official download, CVC-912 or plain folders -> PNGs, data list.

Vazquez et al., "A Benchmark for Endoluminal Scene Segmentation of Colonoscopy Images", J. Healthcare Engineering 2017:
CVC-300 (300 frames) and CVC-612 (612 frames, = CVC-ClinicDB), 912 in all, published split 547 / 183 / 182.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from monai.config import PathLike

from ._common import DiscoveredCases, Options, files_by_name, pair_files, require_source, run
from ._pictures import SUFFIXES, check_ends, convert, plain_pairs, read_grey
from ._published import merge, require_published

__all__ = ["PUBLISHED", "prepare"]

# First and last frame number of each stretch of the published split, as in two independent public loaders.
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
POLYP = 1
HIGHEST = {"masks2": 2, "masks3": 4, "masks4": 4}  # class values: 2 is void, or lumen with others above it


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
) -> dict[str, Any]:
    """Check every frame and write it as ``images/<case>.png`` (RGB) and ``labels/<case>.png`` (0 background, 1 polyp).

    Patients: the true ones are not published with the frames. A stretch of consecutive frames of the published split,
    which was made by patient, stands for one; in CVC-912 its part; in other folders every file counts as one patient,
    so that frames of one video can come apart under ``split="random"``: give a split file.

    Masks may hold 0 and 255 (threshold 127; lossy values within 10 of either end are accepted), or 0, 1 and 2 = void,
    the frame's dark border, which becomes background (as do lumen and specularity, 2 to 4, in masks3 and masks4).

    Args:
        source: ``CVC-300`` and/or ``CVC-612`` with ``bbdd`` and ``gtpolyp``; or ``CVC-912/{train,valid,test}`` (or these
            three folders themselves) with ``images`` and ``masks2``, ``masks3`` or ``masks4``; or ``images`` +
            ``masks``: when all names are numbers within 1 to 612 they are read as frame numbers of CVC-612.
        target: folder to write: ``images``, ``labels``, ``datalist.json``, ``split.json``.
        split: ``"published"``, or see ``medkd.data.split_cases``, as are fold, folds and seed.
        overwrite: replace a data set prepared earlier.
        skip_bad: leave refused frames out (recorded in ``datalist.json``) instead of stopping.

    Returns:
        summary, see ``_common.run``.

    Raises:
        FileNotFoundError, ValueError: no source, no frames, a target in use, refused frames (each with its reason).
    """
    folder = require_source(source)
    found = _find(folder)
    require_published(source, found, split, "these file names (expected numbers from 1 to 612)")
    return run(
        folder,
        target,
        found,
        lambda case, files, to: convert(case, files, to, found.patients[case], _read_mask),
        Options(split, fold, folds, seed, overwrite, skip_bad),
        name="cvc_endoscene",
        description="Colonoscopy frames, RGB, original size; void is background",
        modality={"0": "red", "1": "green", "2": "blue"},
        labels={"0": "background", "1": "polyp"},
    )


def _find(source: Path) -> DiscoveredCases:
    if any((source / name).is_dir() for name in PUBLISHED):
        return merge([_find_frames(source / name, name) for name in PUBLISHED if (source / name).is_dir()])
    root = source / "CVC-912" if (source / "CVC-912").is_dir() else source
    if any((root / part).is_dir() for part in FOLDERS_912):
        return merge([_find_part(root / part, part) for part in FOLDERS_912 if (root / part).is_dir()])
    if found := plain_pairs(source):
        stems = files_by_name(source / "images", SUFFIXES)
        if stems and all(stem.isdecimal() and 1 <= int(stem) <= 612 for stem in stems):
            return _number(source / "images", source / "masks", "CVC-612")
        return found
    raise ValueError(
        f"source {source}: expected CVC-300/ or CVC-612/ (bbdd, gtpolyp), CVC-912/train (images, masks2), or images/ + "
        "masks/; found none of them."
    )


def _find_frames(folder: Path, name: str) -> DiscoveredCases:
    for kind in ("bbdd", "gtpolyp"):
        if not (folder / kind).is_dir():
            raise ValueError(f"source {folder}: no folder {kind} in it.")
    return _number(folder / "bbdd", folder / "gtpolyp", name)


def _number(images: Path, masks: Path, name: str) -> DiscoveredCases:
    """Pair frames whose names are frame numbers; patients and the published part follow from the number."""
    prefix = name.lower().replace("-", "")
    to_case = lambda stem: f"{prefix}_{int(stem):03d}" if stem.isdecimal() else f"{prefix}_{stem}"  # noqa: E731
    found = pair_files(images, masks, SUFFIXES, SUFFIXES, name=to_case)
    for case in list(found.patients):
        number = case.removeprefix(f"{prefix}_")
        place = _stretch(name, int(number)) if number.isdecimal() else None
        if place is None:
            found.files.pop(case, None)
            found.patients.pop(case)
            found.refused[case] = f"{number!r} in {images} is not a frame number of {name}"
            continue
        found.published[case], first, last = place
        found.patients[case] = f"{prefix}_{first:03d}-{last:03d}"
    return found


def _stretch(name: str, number: int) -> tuple[str, int, int] | None:
    for part, stretches in PUBLISHED[name].items():
        for first, last in stretches:
            if first <= number <= last:
                return part, first, last
    return None


def _find_part(folder: Path, part: str) -> DiscoveredCases:
    masks = next((folder / name for name in HIGHEST if (folder / name).is_dir()), None)
    if masks is None or not (folder / "images").is_dir():
        raise ValueError(f"source {folder}: expected images and one of {', '.join(HIGHEST)} in it.")
    to_case = lambda stem: f"cvc912_{part}_{stem}"  # noqa: E731
    found = pair_files(folder / "images", masks, SUFFIXES, SUFFIXES, name=to_case)
    found.published = dict.fromkeys(found.patients, FOLDERS_912[part])
    found.patients = dict.fromkeys(found.patients, f"cvc912_{part}")
    return found


def _read_mask(path: Path) -> np.ndarray:
    """Return the mask ``(H, W)`` uint8, 0 background and 1 polyp."""
    mask = read_grey(path)
    if mask.max() <= HIGHEST.get(path.parent.name, 2):
        return (mask == POLYP).astype(np.uint8)
    check_ends(path, mask, "0 and 255, or 0, 1 and 2 (void)")
    return (mask > 127).astype(np.uint8)
