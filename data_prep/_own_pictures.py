"""A user's own pictures with masks of several classes: pairing, and reading of a pair."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from medkd.io import (
    PICTURES,
    UPRIGHT,
    PictureFile,
    is_hidden,
    open_picture,
    read_class_mask,
    read_mask,
)

from ._classes import check_class_names
from ._other_files import other_files
from ._pairing import files_by_name
from ._picture_images import describe_reading
from ._pictures import align_mask
from ._refusals import shortened

__all__ = ["OwnPair", "class_folders", "read_own_pair", "read_without_mask", "require_pictures"]

TWO_VALUES = "0 and 255, or 0 and 1: the folder stands for one class"
Masks = Mapping[str, Path]  # class -> file; "" for a file of all classes


class OwnPair(NamedTuple):
    """An image and the label values of its masks on one grid, upright as viewers show it.

    Attributes:
        file: the image's file.
        labels: ``(rows, columns)`` uint16: values of the masks; with a folder for each class, 1 for the first and so on.
        mask: type and bits of the masks' pixels, and the colour of the foreground where it is no grey.
        soft: share of mask pixels, from 0 to 1, between both ends, which were cut.
        remarks: what reading changed or guessed.
        palette: label value -> its colour, of a mask with a palette.
    """

    file: PictureFile
    labels: np.ndarray
    mask: str
    soft: float
    remarks: tuple[str, ...]
    palette: Mapping[int, tuple[int, ...]]


def require_pictures(folder: Path, option: str) -> None:
    """Raise ValueError where a folder holds no picture itself, as one of a folder for each patient."""
    if not files_by_name(folder, PICTURES):
        found = [f"{path.name} ({content})" for path, content in other_files(folder, PICTURES).items()]
        raise ValueError(
            f"--{option} {folder}: found {shortened(found, 3)}, expected pictures in the folder itself ({', '.join(PICTURES)})"
        )


def class_folders(labels: Path) -> dict[str, Path]:
    """Return class -> folder where ``--labels`` holds a folder for each class and no mask itself; else nothing.

    Raises:
        ValueError: for a folder whose name cannot be that of a class.
    """
    if files_by_name(labels, PICTURES):
        return {}
    folders = [path for path in sorted(labels.iterdir()) if path.is_dir() and not is_hidden(path)]
    folders = [path for path in folders if files_by_name(path, PICTURES)]
    check_class_names([path.name for path in folders])
    return {path.name: path for path in folders}


def read_own_pair(image: Path, masks: Masks, numbers: Mapping[str, int]) -> OwnPair:
    """Read an image and its masks.

    Args:
        image: file of the image.
        masks: class -> file.
        numbers: class -> label value, where there is a folder for each class.

    Raises:
        ValueError: for a file that the readers refuse, an image of one value, different sizes, classes that overlap.
    """
    file = open_picture(image)
    values = np.asarray(file.image)
    if values.min() == values.max():
        raise ValueError(f"{image}: every pixel is {values.flat[0]}, expected an image")
    size = file.image.height, file.image.width
    remarks = describe_reading(file)
    if set(masks) == {""}:
        mask = read_class_mask(masks[""])
        labels = align_mask(mask.labels, size, file, mask.file)
        read = [mask.file]
        soft, colour, is_turned, palette = mask.soft, mask.colour, labels is not mask.labels, mask.palette
    else:
        labels, read, soft, is_turned = _join(file, size, masks, numbers)
        colour, palette = (), {}
        absent = [name for name in numbers if name not in masks]
        remarks += [f"no file in the folder {name}: no {name} in the picture" for name in absent]
    if is_turned:
        remarks.append("mask: turned as the EXIF of its image says, for it has the size of the picture before that")
    remarks += ["mask: turned upright by its EXIF"] * any(one.orientation != UPRIGHT for one in read)
    remarks += [f"mask: {one.remark}" for one in read if one.remark]
    kinds = dict.fromkeys(f"{one.mode} {one.bits} bit" for one in read)
    kind = ", ".join(kinds) + (f" {colour}" if len(set(colour)) > 1 else "")
    return OwnPair(file, labels, kind, soft, tuple(dict.fromkeys(remarks)), palette)


def read_without_mask(image: Path) -> OwnPair:
    """Read an image that has no label; its label values are zeros.

    Raises:
        ValueError: for a file that the readers refuse, an image of one value.
    """
    file = open_picture(image)
    values = np.asarray(file.image)
    if values.min() == values.max():
        raise ValueError(f"{image}: every pixel is {values.flat[0]}, expected an image")
    labels = np.zeros((file.image.height, file.image.width), np.uint16)
    return OwnPair(file, labels, "", 0.0, tuple(dict.fromkeys(describe_reading(file))), {})


def _join(
    file: PictureFile, size: tuple[int, int], masks: Masks, numbers: Mapping[str, int]
) -> tuple[np.ndarray, list[PictureFile], float, bool]:
    """Return the label values of the masks of all classes, their files, the largest soft share, and whether EXIF turned one."""
    labels = np.zeros(size, np.uint16)
    read, soft, is_turned = [], 0.0, False
    for name, path in masks.items():
        mask = read_mask(path, TWO_VALUES)
        drawn = mask.foreground.astype(np.uint8)
        marked = align_mask(drawn, size, file, mask.file)
        is_turned |= marked is not drawn
        is_marked = marked.astype(bool)
        if (overlap := labels[is_marked]).any():
            others = {number: other for other, number in numbers.items()}
            other = others[int(overlap[overlap > 0][0])]
            raise ValueError(
                f"{path}: {int((overlap > 0).sum())} pixels of {name} are {other} too, expected classes that do not overlap"
            )
        labels[is_marked] = numbers[name]
        read.append(mask.file)
        soft = max(soft, mask.soft)
    return labels, read, soft, is_turned
