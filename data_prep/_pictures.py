"""Pictures with masks: pairs of folders, reading a pair with a reason for each refusal, stored PNGs."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from medkd.io import PICTURES, UPRIGHT, Mask, PictureFile, open_picture, to_rgb, turn_upright

from ._cases import CaseFiles, DiscoveredCases
from ._equal_images import describe_groups, image_digest
from ._pairing import pair_files
from ._picture_images import store_image, store_picture
from ._picture_report import measure_pair, write_picture_report
from ._prepare import Preparation
from ._stored_cases import StoredCase

__all__ = [
    "PicturePair",
    "align_mask",
    "discover_plain_pairs",
    "mask_suffixes",
    "plain_folders",
    "read_pair",
    "store_picture_cases",
    "store_pictures",
]

PAIRS = (("images", "masks"), ("imagesTr", "labelsTr"))  # plain folders, and those of nnU-Net
COPIED = "copied to three channels"  # of `medkd.io.describe_conversion`
TRANSPOSED = "; their rows and columns are exchanged: is one of them turned?"


class PicturePair(NamedTuple):
    """An image and its mask on one grid, upright as viewers show them.

    Attributes:
        image: ``(H, W, 3)`` uint8, RGB.
        label: ``(H, W)`` uint8, 0 background and 1 foreground.
        file: the image's file.
        mask: the mask as it was read.
        is_turned: whether the mask was turned by the EXIF orientation of its image.
    """

    image: np.ndarray
    label: np.ndarray
    file: PictureFile
    mask: Mask
    is_turned: bool


def mask_suffixes(ending: str) -> tuple[str, ...]:
    """Return the suffixes of masks that are named as their image, with ``ending`` behind the name or without."""
    return (*(f"{ending.lower()}{suffix}" for suffix in PICTURES), *PICTURES)


def discover_plain_pairs(
    source: Path, ending: str = "", keep: Callable[[str], bool] = lambda stem: True
) -> DiscoveredCases | None:
    """Return the pairs of the first of `PAIRS` whose two folders exist; None when there is no such pair.

    Args:
        source: folder that holds the two folders.
        ending: what may stand behind an image's name in the name of its mask.
        keep: whether a file name without suffix counts; other files are ignored.
    """
    folders = plain_folders(source)
    return pair_files(*folders, PICTURES, mask_suffixes(ending), keep=keep) if folders else None


def plain_folders(source: Path) -> tuple[Path, Path] | None:
    """Return the folders of images and of masks of the first of `PAIRS` that exists."""
    pairs = ((source / images, source / masks) for images, masks in PAIRS)
    return next((pair for pair in pairs if all(folder.is_dir() for folder in pair)), None)


def store_picture_cases(
    data_set: Preparation, read_mask: Callable[[Path], Mask], foreground: str, size: int | None = None
) -> None:
    """Read, check and store every case, and write the report.

    Args:
        data_set: the data set.
        read_mask: reader of this data set's masks.
        foreground: name of the class.
        size: see `store_pictures`.

    Raises:
        ValueError: refused cases.
    """
    measured = data_set.store_cases(partial(_store_case, read_mask, size))
    listed = data_set.finish_cases()
    notes = [f"look: {sentence}" for sentence in describe_groups(data_set.equal_images)]
    grey = sum(any(COPIED in remark for remark in one.remarks) for one in measured.values())
    if grey * 2 > len(measured):
        warnings.warn(
            f"{grey} of {len(measured)} images are grey: `medkd prepare pictures` keeps one channel of your own images",
            stacklevel=3,
        )
    write_picture_report(data_set.folder, listed, measured, foreground, data_set.refused, notes)


def _store_case(
    read_mask: Callable[[Path], Mask], size: int | None, case: str, patient: str, files: CaseFiles, folder: Path
) -> StoredCase:
    pair = read_pair(files, read_mask)
    entry = store_pictures(case, patient, pair.image, pair.label, folder, size)
    measures = measure_pair(pair.label, pair.file, pair.mask, pair.is_turned)
    return StoredCase(entry, image_digest(pair.image), measures.remarks, measures)


def store_pictures(
    case: str, patient: str, image: np.ndarray, mask: np.ndarray, folder: Path, size: int | None = None
) -> dict[str, Any]:
    """Write image and mask of a case as PNGs.

    PNG has no negative numbers: an image of signed numbers becomes a TIFF.

    Args:
        case: name of the case.
        patient: name of its patient.
        image: ``(H, W, 3)`` uint8, RGB; or grey ``(H, W)``: uint8, uint16, or int32 for signed numbers.
        mask: ``(H, W)`` uint8, classes.
        folder: folder of the data set, in which ``images`` and ``labels`` are made.
        size: longest edge in pixels to which larger pictures are reduced; None or 0: the original size.

    Returns:
        The case's entry of the data list.
    """
    names = {"image": store_image(case, image, folder, "images", size), "label": f"labels/{case}.png"}
    # No value lies between two classes: a mask takes its nearest pixel.
    store_picture(mask, folder / names["label"], size, Image.Resampling.NEAREST)
    return {**names, "case": case, "patient": patient}


def read_pair(files: CaseFiles, read_mask: Callable[[Path], Mask]) -> PicturePair:
    """Read an image and its mask.

    Raises:
        ValueError: for a file that the readers refuse, an image of one value, different sizes, or an image that EXIF turns
            while nothing tells whether its mask was drawn on the turned picture.
    """
    image_path, mask_path = files.images[0], files.label
    file = open_picture(image_path)
    image = np.asarray(to_rgb(file))
    if image.min() == image.max():
        raise ValueError(f"{image_path}: every pixel is {image.flat[0]}, expected an image")
    mask = read_mask(mask_path)
    label = mask.foreground.astype(np.uint8)
    aligned = align_mask(label, image.shape[:2], file, mask.file)
    return PicturePair(image, aligned, file, mask, aligned is not label)


def align_mask(label: np.ndarray, size: tuple[int, ...], file: PictureFile, mask_file: PictureFile) -> np.ndarray:
    """Return a mask on the grid of its image: as it is, or turned as EXIF turns the image.

    Args:
        label: ``(rows, columns)``, upright as viewers show it.
        size: rows and columns of the image, upright.
        file: file of the image.
        mask_file: file of the mask.

    Raises:
        ValueError: different sizes, or nothing tells whether the mask was drawn on the turned picture.
    """
    drawings = [label]  # as it is; or, where EXIF turns the image alone, as if drawn on the picture before it is turned
    if file.orientation != UPRIGHT and mask_file.orientation == UPRIGHT:
        drawings.append(turn_upright(label, file.orientation))
    fitting = [drawing for drawing in drawings if drawing.shape == size]
    if not fitting:
        raise ValueError(_different_sizes(size, label, file, mask_file))
    if not np.array_equal(fitting[0], fitting[-1]):
        raise ValueError(
            f"{file.path} is turned by EXIF (orientation {file.orientation}), and {mask_file.path} fits it turned and as it "
            "is: expected one that fits one way alone, or an image saved upright, without EXIF orientation, as the mask was "
            "drawn"
        )
    return fitting[0]


def _different_sizes(size: tuple[int, ...], label: np.ndarray, file: PictureFile, mask_file: PictureFile) -> str:
    message = f"image {size} and mask {label.shape} (height, width) have different sizes"
    turned = {"image": file.orientation, "mask": mask_file.orientation}
    turns = [f"EXIF turns the {name} (orientation {turn})" for name, turn in turned.items() if turn != UPRIGHT]
    exchanged = TRANSPOSED if label.shape == size[::-1] else ""
    return "; ".join([message, *turns]) + exchanged
