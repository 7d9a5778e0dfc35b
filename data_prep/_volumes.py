"""What preparations of volumes share: whole numbers, axes, and the stored case."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from medkd.data import SUFFIX, write_volume
from medkd.io import read_nifti

__all__ = [
    "AXES",
    "check_same_grid",
    "check_varied",
    "read_nifti",
    "store_case",
    "turn",
    "whole_numbers",
    "without_negative",
]

AXES = "IPL"  # slices downwards, rows backwards, columns to the left: KiTS19's own order
AFFINE_TOLERANCE = 1e-3  # mm
WHOLE_TOLERANCE = 1e-3


def check_same_grid(image: np.ndarray, affine: np.ndarray, label: np.ndarray, label_affine: np.ndarray) -> None:
    """Raises ValueError when image and mask have different shapes, or affines that differ by more than 1e-3 mm."""
    if image.shape != label.shape:
        raise ValueError(f"image {image.shape} and mask {label.shape} have different shapes")
    if not np.allclose(affine, label_affine, rtol=0, atol=AFFINE_TOLERANCE):
        difference = np.abs(affine - label_affine).max()
        raise ValueError(f"affines of image and mask differ by up to {difference:.4g} (tolerance {AFFINE_TOLERANCE:g})")


def store_case(
    case: str, image: np.ndarray, label: np.ndarray, affine: np.ndarray, folder: Path, values: Mapping[int, int]
) -> dict[str, Any]:
    """Turns a case to `AXES` and writes its two volume stores.

    Args:
        image: int16; label: uint8, of the same shape; affine: of both, RAS+, mm.
        folder: of the data set; ``imagesTr`` and ``labelsTr`` are made in it.
        values: label value in the file -> value stored.

    Returns:
        The case's entry of the data list.

    Raises:
        ValueError: when the label holds a value that is not in ``values``.
    """
    present = np.flatnonzero(np.bincount(label.ravel(), minlength=256))
    if unknown := [int(value) for value in present if value not in values]:
        raise ValueError(f"label values {unknown} in the mask, expected only {list(values)}")
    stored = np.array([values.get(value, 0) for value in range(256)], np.uint8)[label]
    image, turned = turn(image, affine)
    stored, _ = turn(stored, affine)
    names = {"image": f"imagesTr/{case}{SUFFIX}", "label": f"labelsTr/{case}{SUFFIX}"}
    for key, array in (("image", image), ("label", stored)):
        (folder / names[key]).parent.mkdir(exist_ok=True)
        write_volume(folder / names[key], array, turned)
    classes = sorted({*values.values()} - {0})
    return {
        **names,
        "case": case,
        "patient": case,
        "spacing": [round(float(mm), 6) for mm in nib.affines.voxel_sizes(turned)],
        "shape": list(image.shape),
        "slices_with": {str(value): np.flatnonzero((stored == value).any((1, 2))).tolist() for value in classes},
    }


def whole_numbers(array: np.ndarray, dtype: type, what: str) -> np.ndarray:
    """Cast to an integer type, refusing everything that the cast would change by more than the tolerance."""
    out, limits = np.empty(array.shape, dtype), np.iinfo(dtype)
    # By planes along the last axis, contiguous in NIfTI: no float copy of a volume of a thousand slices.
    for k in range(array.shape[-1]):
        plane = array[..., k]
        if not np.isfinite(plane).all():
            raise ValueError(f"{what}: NaN or infinite voxels")
        rounded = np.rint(plane)
        if rounded.min() < limits.min or rounded.max() > limits.max:
            worst = min if rounded.min() < limits.min else max
            raise ValueError(f"{what}: {worst(plane.ravel()):g} is outside {limits.min} to {limits.max}")
        wrong = np.abs(plane - rounded) > WHOLE_TOLERANCE
        if wrong.any():
            raise ValueError(f"{what}: {plane[wrong][0]:g} is not a whole number")
        out[..., k] = rounded
    return out


def check_varied(image: np.ndarray) -> None:
    """Raises ValueError for an image without any difference in it."""
    if image.min() == image.max():
        raise ValueError(f"every voxel is {image.flat[0]:g}, expected an image")


def without_negative(lowest: Mapping[str, float]) -> str:
    """A sentence on cases (name -> lowest intensity) that cannot be HU as they are; nothing when there are none."""
    names = [case for case, value in lowest.items() if value >= 0]
    if not names:
        return ""
    shown = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
    return (
        f"{shown}: no voxel is below 0, though air has -1000 HU: stored with an offset, 1024 for example? "
        "Intensities are taken as they are"
    )


def turn(array: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Permute and flip the axes to ``AXES``; nothing is interpolated, an oblique volume keeps its angles."""
    turn = nib.orientations.ornt_transform(nib.io_orientation(affine), nib.orientations.axcodes2ornt(AXES))
    turned = nib.orientations.apply_orientation(array, turn)
    return np.ascontiguousarray(turned), affine @ nib.orientations.inv_ornt_aff(turn, array.shape)
