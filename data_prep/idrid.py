"""IDRiD optic discs (fundus photographs): official download or plain folders -> PNGs, data list.

Porwal et al., "Indian Diabetic Retinopathy Image Dataset (IDRiD)", Data 2018, part A (segmentation): 81 images of
4288x2848 pixels, 54 to train and 27 to test, all with a mask of the optic disc.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from monai.config import PathLike

from ._common import DiscoveredCases, Options, require_source
from ._pictures import SUFFIXES, check_ends, check_size, convert, mask_suffixes, open_picture, plain_pairs
from ._published import Part, find_parts, run_parts

__all__ = ["OFFICIAL", "prepare"]

OFFICIAL = {"a. Training Set": (54, "training"), "b. Testing Set": (27, "test")}
PLAIN = {"train": (54, "training"), "test": (27, "test")}
SEGMENTATION, IMAGES, MASKS = "A. Segmentation", "1. Original Images", "2. All Segmentation Groundtruths"
DISC = "5. Optic Disc"
ENDING = "_OD"
MODES = ("1", "L", "LA", "P", "RGB", "RGBA")


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
    size: int | None = 1024,
) -> dict[str, Any]:
    """Check every image and write it as ``images/<case>.png`` (RGB) and ``labels/<case>.png`` (0 background, 1 disc).

    The published split has 54 images to train and 27 to test, and none to choose a model by: a tenth of the 54, drawn by
    ``seed``, is held out of training as the validation part. This part is ours, not the publishers'. As far as is known
    every image is of another patient.

    The official masks are red on black, as RGB or as a palette: the disc is wherever any channel is above 0 (as grey
    it would be 76, below the threshold of other data sets); alpha is passed over. A mask of more than two colours is
    refused, unless all its values are within 10 of 0 or 255 (lossy files, threshold 127).

    Args:
        source: the folder that holds ``A. Segmentation``, or that folder itself; or ``train`` and ``test`` with
            ``images`` and ``masks`` each, which have the published split too; or ``images`` + ``masks``, which have
            none. In these a mask is named as its image, or with ``_OD`` behind.
        target: folder to write: ``images``, ``labels``, ``datalist.json``, ``split.json``.
        split: ``"published"``, or see ``medkd.data.split_cases``, as are fold, folds and seed.
        overwrite: replace a data set prepared earlier.
        skip_bad: leave refused images out (recorded in ``datalist.json``) instead of stopping.
        size: longest edge in pixels to which larger images (antialiased) and masks (nearest pixel) are reduced; None or
            0: the original size.

    Returns:
        summary, see ``_common.run``; ``"folders"`` is the number of images with a mask in each folder of the split.

    Raises:
        FileNotFoundError, ValueError: no source, a missing folder, a target in use, refused images (each with its reason).
    """
    check_size(size)
    folder = require_source(source)
    parts, suffixes = _parts(folder, split == "published")
    found = find_parts(folder, parts, *suffixes) if parts else _find_plain(folder)
    return run_parts(
        folder,
        target,
        found,
        parts,
        lambda case, files, to: convert(case, files, to, found.patients[case], _read_mask, size),
        Options(split, fold, folds, seed, overwrite, skip_bad),
        "images/ + masks/ (train/ and test/ with these two have one)",
        name="idrid",
        description=f"Fundus photographs, RGB, {f'longest edge at most {size} pixels' if size else 'original size'}",
        modality={"0": "red", "1": "green", "2": "blue"},
        labels={"0": "background", "1": "optic disc"},
    )


def _parts(source: Path, published: bool) -> tuple[list[Part], tuple[tuple[str, ...], tuple[str, ...]]]:
    """The folders of the published split with the suffixes of images and masks; no folders when there are none."""
    root = source / SEGMENTATION if (source / SEGMENTATION).is_dir() else source
    if any((root / name).is_dir() for name in (IMAGES, MASKS)):
        folders = {name: (root / IMAGES / name, root / MASKS / name / DISC) for name in OFFICIAL}
        suffixes = ((".jpg",), (f"{ENDING.lower()}.tif",))
        return [Part(part, *folders[name], count, not published) for name, (count, part) in OFFICIAL.items()], suffixes
    folders = {name: (source / name / "images", source / name / "masks") for name in PLAIN}
    parts = [Part(part, *folders[name], count, not published) for name, (count, part) in PLAIN.items()]
    return parts if any((source / name).is_dir() for name in PLAIN) else [], (SUFFIXES, mask_suffixes(ENDING))


def _find_plain(source: Path) -> DiscoveredCases:
    if found := plain_pairs(source, ENDING):
        return found
    raise ValueError(
        f"source {source}: expected '{SEGMENTATION}' with '{IMAGES}' and '{MASKS}', train/ and test/ with images/ + "
        "masks/, or images/ + masks/; found none of them."
    )


def _read_mask(path: Path) -> np.ndarray:
    """Return the mask ``(H, W)`` uint8, 0 background and 1 optic disc."""
    picture = open_picture(path)
    if picture.mode not in MODES:
        raise ValueError(f"{path} is a mask of mode {picture.mode}, expected RGB, a palette or greyscale with 8 bit")
    rgb = picture.convert("RGB")
    brightest = np.maximum.reduce([np.asarray(channel) for channel in rgb.split()])
    colours = [colour for _, colour in rgb.getcolors(2) or []]  # none when there are more than two
    if not brightest.any():
        raise ValueError(f"{path} is black all over, expected the colour of a disc")
    if (0, 0, 0) in colours:
        return (brightest > 0).astype(np.uint8)
    check_ends(path, np.asarray(rgb), "two colours: black, and one for the disc")
    if brightest.min() > 127:
        raise ValueError(f"{path} has no black background, found the colours {colours[:2]}")
    return (brightest > 127).astype(np.uint8)
