"""ISIC 2018 Task 1: dermoscopic images with one skin lesion, from the official download or plain folders.

Codella et al., "Skin Lesion Analysis Toward Melanoma Detection 2018", arXiv:1902.03368, and Tschandl et al., "The
HAM10000 dataset", Scientific Data 2018: 2594 training, 100 validation and 1000 test images with masks, 3694 in all.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from medkd.io import PICTURES, Mask, read_mask
from medkd.io.paths import PathLike

from ._cases import DiscoveredCases, require_source
from ._options import Options
from ._picture_images import check_size, size_in_words
from ._pictures import discover_plain_pairs, mask_suffixes, store_picture_cases
from ._prepare import open_data_set
from ._split_folders import SplitFolder, discover_split_folders, image_counts, unnested
from ._splits import hold_out, require_published
from ._unlabelled_store import store_unlabelled

__all__ = ["OFFICIAL", "name_image", "prepare"]

# Official split -> its number of images, and its split here: the challenge's validation images count as training.
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
    workers: int | None = None,
    unlabelled: PathLike | None = None,
    size: int | None = None,
) -> dict[str, Any]:
    """Check every image and write it as ``images/<case>.png`` (RGB) and ``labels/<case>.png`` (0 background, 1 lesion).

    Papers train on the challenge's training and validation images, 2694 in all, and test on its 1000 test images; the
    published split here is the same. That leaves no validation split to choose a model by. A tenth of the 2694, sampled
    by ``seed``, is held out of training: a student here sees 2425 images, in the papers it sees 2694. Patients are not
    published with the images; every image counts as one.

    Masks hold 0 and 255 (see `medkd.io.read_mask`) or 0 and 1.

    Args:
        source: the folder with ``ISIC2018_Task1-2_Training_Input`` and ``ISIC2018_Task1_Training_GroundTruth`` and the
            same of ``Validation`` (may be missing) and ``Test``; or ``images`` + ``masks``, which have no
            published split; there a mask has the name of its image, or that name and ``_segmentation``. Superpixels
            are ignored.
        target: folder to write: ``images``, ``labels``, ``datalist.json``, ``split.json``, ``report.md`` and so on.
        split: ``"published"``; ``"random"``: patients permuted by ``seed``; ``"sorted"``: patients in the order of their
            names; a JSON file with the case names of ``training``, ``validation`` and ``test``; or a CSV file with
            patients (see `read_patients`).
        fold: number of the test fold, from 0; no effect with the published split or with a file.
        folds: number of folds, at least 2; no effect with the published split or with a file.
        seed: seed of the random split, and of the images held out of the published one.
        overwrite: replace a data set prepared earlier.
        skip_bad: leave refused images out (recorded in ``datalist.json``) instead of stopping.
        workers: number of processes that read and write cases. None: all cores, and at most one for every 8 cases.
        unlabelled: folder of images without labels, which are stored beside the cases for training; label maps beside
            them are not read. With ``dataset_dir`` alone: they are added to that prepared data set.
        size: longest edge in pixels to which larger images and masks are reduced; None or 0: the original size.

    Returns:
        A summary, see `Preparation.summary`; ``"folders"`` is the number of images with a mask in each folder.

    Raises:
        FileNotFoundError: no such source.
        ValueError: a missing folder, a target in use, refused images (each with its reason).
    """
    check_size(size)
    folder = require_source(source)
    split_folders = _split_folders(folder, split == "published")
    cases = _discover(folder, split_folders)
    require_published(folder, cases, split, "images/ + masks/ (the official folders have one)")
    counts = image_counts(folder, cases, split_folders)
    if cases.published:
        hold_out(cases, seed)
    options = Options(split, fold, folds, seed, overwrite, skip_bad, workers, unlabelled)
    with open_data_set(folder, target, cases, options, "isic2018") as data_set:
        store_picture_cases(data_set, _read_mask, "lesion", size)
        data_set.save(
            description=f"Dermoscopic images, RGB, {size_in_words(size)}",
            modality={"0": "red", "1": "green", "2": "blue"},
            labels={"0": "background", "1": "lesion"},
        )
        store_unlabelled(data_set, name_image)
    return {**data_set.summary(target), "folders": counts}


def _split_folders(source: Path, is_published: bool) -> list[SplitFolder]:
    """Return the official folders; none when the source holds none of them."""
    folders = []
    for name, (count, split) in OFFICIAL.items():
        images, masks = source / f"ISIC2018_Task1-2_{name}_Input", source / f"ISIC2018_Task1_{name}_GroundTruth"
        images, masks = unnested(images), unnested(masks)
        folders.append(SplitFolder(split, images, masks, count, optional=name == "Validation" or not is_published))
    return folders if any(folder.images.is_dir() or folder.masks.is_dir() for folder in folders) else []


def _discover(source: Path, split_folders: list[SplitFolder]) -> DiscoveredCases:
    if split_folders:
        return discover_split_folders(source, split_folders, PICTURES, mask_suffixes(ENDING), _is_official_image)
    if cases := discover_plain_pairs(source, ENDING, _is_image):
        return cases
    raise ValueError(
        f"--source {source}: expected ISIC2018_Task1-2_Training_Input/, ISIC2018_Task1_Training_GroundTruth/ and the same "
        "of Test, or images/ + masks/; found none of them"
    )


def _is_official_image(stem: str) -> bool:
    # The official folders also hold a licence, an attribution and, in some archives, <name>_superpixels.png.
    return stem.startswith("ISIC_") and _is_image(stem)


def _is_image(stem: str) -> bool:
    return not stem.lower().endswith("_superpixels")


def name_image(path: Path, stem: str) -> tuple[str, str] | None:
    """Return the names of the case and the patient of an image without a label; None for superpixels and masks."""
    return (stem, stem) if _is_image(stem) and not stem.lower().endswith(ENDING) else None


def _read_mask(path: Path) -> Mask:
    """Read the lesion of a mask."""
    return read_mask(path, "0 and 255, or 0 and 1")
