"""IDRiD: fundus photographs with the optic disc, from the official download or plain folders.

Porwal et al., "Indian Diabetic Retinopathy Image Dataset (IDRiD)", Data 2018, part A (segmentation): 81 images of
4288x2848 pixels, 54 to train and 27 to test, all with a mask of the optic disc.
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

__all__ = ["OFFICIAL", "prepare"]

OFFICIAL = {"a. Training Set": (54, "training"), "b. Testing Set": (27, "test")}
PLAIN = {"train": (54, "training"), "test": (27, "test")}
SEGMENTATION, IMAGES, MASKS = "A. Segmentation", "1. Original Images", "2. All Segmentation Groundtruths"
DISC = "5. Optic Disc"
ENDING = "_OD"


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
    size: int | None = 1024,
) -> dict[str, Any]:
    """Check every image and write it as ``images/<case>.png`` (RGB) and ``labels/<case>.png`` (0 background, 1 disc).

    The published split has 54 training and 27 test images, and none to choose a model by. A tenth of the 54, sampled by
    ``seed``, becomes the validation split; the publishers have none. As far as is known every image is of another
    patient.

    The official masks are red on black, as RGB or as a palette. The disc is where any channel is above 0: as grey it
    would be 76, below the threshold of other data sets. A mask of more than two colours is refused, unless the others are
    what a lossy format leaves at the edge of the disc (see `medkd.io.read_mask`).

    Args:
        source: the folder that holds ``A. Segmentation``, or that folder itself; or ``train`` and ``test`` with
            ``images`` and ``masks`` each, which have the published split too; or ``images`` + ``masks``, which have
            none. In plain folders a mask has the name of its image, or that name and ``_OD``.
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
        size: longest edge in pixels to which larger images (antialiased) and masks (nearest pixel) are reduced; None or
            0: the original size.

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
    require_published(folder, cases, split, "images/ + masks/ (train/ and test/ with these two have one)")
    counts = image_counts(folder, cases, split_folders)
    if cases.published:
        hold_out(cases, seed)
    options = Options(split, fold, folds, seed, overwrite, skip_bad, workers, unlabelled)
    with open_data_set(folder, target, cases, options, "idrid") as data_set:
        store_picture_cases(data_set, _read_mask, "optic disc", size)
        data_set.save(
            description=f"Fundus photographs, RGB, {size_in_words(size)}",
            modality={"0": "red", "1": "green", "2": "blue"},
            labels={"0": "background", "1": "optic disc"},
        )
        store_unlabelled(data_set)
    return {**data_set.summary(target), "folders": counts}


def _split_folders(source: Path, is_published: bool) -> list[SplitFolder]:
    """Return the folders of the published split; none where there are none."""
    root = unnested(source / SEGMENTATION) if (source / SEGMENTATION).is_dir() else source
    if any((root / name).is_dir() for name in (IMAGES, MASKS)):
        folders = {name: (root / IMAGES / name, root / MASKS / name / DISC) for name in OFFICIAL}
        splits = OFFICIAL
    elif any((source / name).is_dir() for name in PLAIN):
        folders = {name: (source / name / "images", source / name / "masks") for name in PLAIN}
        splits = PLAIN
    else:
        return []
    return [SplitFolder(split, *folders[name], count, not is_published) for name, (count, split) in splits.items()]


def _discover(source: Path, split_folders: list[SplitFolder]) -> DiscoveredCases:
    if split_folders:
        return discover_split_folders(source, split_folders, PICTURES, mask_suffixes(ENDING))
    if cases := discover_plain_pairs(source, ENDING):
        return cases
    raise ValueError(
        f"--source {source}: expected '{SEGMENTATION}' with '{IMAGES}' and '{MASKS}', train/ and test/ with images/ + "
        "masks/, or images/ + masks/; found none of them"
    )


def _read_mask(path: Path) -> Mask:
    """Read the optic disc of a mask; every image shows one."""
    mask = read_mask(path, "two colours: black, and one for the disc", any_value=True)
    if not mask.foreground.any():
        raise ValueError(f"{path} is black all over, expected the colour of a disc")
    return mask
