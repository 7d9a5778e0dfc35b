"""ISIC 2018 Task 1 (dermoscopic images with one skin lesion): official download or plain folders -> PNGs, data list.

Codella et al., "Skin Lesion Analysis Toward Melanoma Detection 2018", arXiv:1902.03368, and Tschandl et al., "The
HAM10000 dataset", Scientific Data 2018: 2594 training, 100 validation and 1000 test images with masks, 3694 in all.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from monai.config import PathLike

from ._common import DiscoveredCases, Options, require_source
from ._pictures import check_ends, check_size, convert, plain_pairs, read_grey
from ._published import Part, find_parts, run_parts

__all__ = ["OFFICIAL", "prepare"]

# Official part -> its number of images, and the part here: the challenge's validation images count as training.
OFFICIAL = {"Training": (2594, "training"), "Validation": (100, "training"), "Test": (1000, "test")}
ENDING = "_segmentation"


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
    size: int | None = None,
) -> dict[str, Any]:
    """Check every image and write it as ``images/<case>.png`` (RGB) and ``labels/<case>.png`` (0 background, 1 lesion).

    The published split is the one papers use: the challenge's training and validation images, 2694 in all, to train, and
    its 1000 test images to test. That leaves no validation part to choose a model by, so a tenth of the 2694, drawn by
    ``seed``, is held out of training: this part is ours, not the papers', and a student here sees 2425 images where
    theirs saw 2694. Patients are not published with the images; every image counts as one.

    Masks hold 0 and 255 (threshold 127; lossy values within 10 of either end are accepted) or 0 and 1.

    Args:
        source: the folder with ``ISIC2018_Task1-2_Training_Input`` and ``ISIC2018_Task1_Training_GroundTruth`` and the
            same of ``Validation`` (may be missing) and ``Test``; or ``images`` + ``masks``, a mask named as its image
            or with ``_segmentation`` behind, which have no published split. Superpixels are passed over.
        target: folder to write: ``images``, ``labels``, ``datalist.json``, ``split.json``.
        split: ``"published"``, or see ``medkd.data.split_cases``, as are fold, folds and seed.
        overwrite: replace a data set prepared earlier.
        skip_bad: leave refused images out (recorded in ``datalist.json``) instead of stopping.
        size: longest edge in pixels to which larger images and masks are reduced; None or 0: the original size.

    Returns:
        summary, see ``_common.run``; ``"folders"`` is the number of images with a mask in each official folder.

    Raises:
        FileNotFoundError, ValueError: no source, a missing folder, a target in use, refused images (each with its reason).
    """
    check_size(size)
    folder = require_source(source)
    parts = _parts(folder, split == "published")
    found = _find(folder, parts)
    return run_parts(
        folder,
        target,
        found,
        parts,
        lambda case, files, to: convert(case, files, to, found.patients[case], _read_mask, size),
        Options(split, fold, folds, seed, overwrite, skip_bad),
        "images/ + masks/ (the official folders have one)",
        name="isic2018",
        description=f"Dermoscopic images, RGB, {f'longest edge at most {size} pixels' if size else 'original size'}",
        modality={"0": "red", "1": "green", "2": "blue"},
        labels={"0": "background", "1": "lesion"},
    )


def _parts(source: Path, published: bool) -> list[Part]:
    """The official folders; none of them when the source has not a single one."""
    parts = []
    for name, (count, part) in OFFICIAL.items():
        images, masks = source / f"ISIC2018_Task1-2_{name}_Input", source / f"ISIC2018_Task1_{name}_GroundTruth"
        parts.append(Part(part, images, masks, count, optional=name == "Validation" or not published))
    return parts if any(part.images.is_dir() or part.masks.is_dir() for part in parts) else []


def _find(source: Path, parts: list[Part]) -> DiscoveredCases:
    if parts:
        # Licence, attribution and, in some archives, <name>_superpixels.png lie among the images.
        keep = lambda stem: stem.startswith("ISIC_") and _is_image(stem)  # noqa: E731
        return find_parts(source, parts, (".jpg",), (f"{ENDING}.png",), keep)
    if found := plain_pairs(source, ENDING, _is_image):
        return found
    raise ValueError(
        f"source {source}: expected ISIC2018_Task1-2_Training_Input/, ISIC2018_Task1_Training_GroundTruth/ and the same "
        "of Test, or images/ + masks/; found none of them."
    )


def _is_image(stem: str) -> bool:
    return not stem.lower().endswith("_superpixels")


def _read_mask(path: Path) -> np.ndarray:
    """Return the mask ``(H, W)`` uint8, 0 background and 1 lesion."""
    mask = read_grey(path)
    if mask.max() <= 1:
        return mask.astype(np.uint8)
    check_ends(path, mask, "0 and 255, or 0 and 1")
    return (mask > 127).astype(np.uint8)
