"""First reading of a user's cases: everything is checked and measured before anything is decided or written."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from tqdm import tqdm

from medkd.io import read_volume_file

from ._volumes import check_same_grid, check_varied, turn, whole_numbers

__all__ = ["AIR", "Measured", "check_exchanged", "is_ct", "read_pair", "survey"]

AIR = -500  # HU: what lies below is air, and no other modality has it
OBLIQUE = np.deg2rad(1)
SAMPLES = {"image": 1_000_000, "foreground": 20_000}  # voxels, evenly spread, for percentiles
MOST_LABELS = 128  # of a label map; any image has more values
PERCENTS = (0.5, 50, 99.5)


@dataclass(frozen=True)
class Measured:
    """What one case is: geometry of the turned volume, intensities as the file gives them, label values."""

    shape: tuple[int, ...]  # slices, rows, columns
    spacing: tuple[float, ...]  # mm
    voxel_ml: float  # of the affine: less than the product of the spacings where the axes are sheared
    shear: float  # degrees by which two axes miss the right angle, at most
    orientation: str  # of the file
    lowest: float
    percentiles: tuple[float, ...]  # PERCENTS
    highest: float
    voxels: dict[int, int]  # label value -> number, background left out
    foreground: np.ndarray  # intensities of labelled voxels


def survey(files: Mapping[str, tuple[Path, Path]]) -> tuple[dict[str, Measured], dict[str, str]]:
    """Read every case; return the measures of the good ones and the reasons of those that are refused."""
    measured: dict[str, Measured] = {}
    refused: dict[str, str] = {}
    for case, pair in tqdm(files.items(), desc="read", unit="case", disable=None):
        try:
            measured[case] = _measure(*pair)
        except (ValueError, OSError) as error:
            refused[case] = " ".join(str(error).split())
    return measured, refused


def read_pair(image_path: Path, label_path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, str]:
    """Return image, label (uint8), their affine, all turned to (slices, rows, columns), and the image file's axes.

    Turned before they are compared: an image out of DICOM and a label out of NIfTI rarely have the same axes.

    Raises:
        ValueError: unreadable, not on the same grid, NaN in the image, label values that are not 0 to 255.
    """
    image, affine = read_volume_file(image_path)
    label, label_affine = read_volume_file(label_path)
    orientation = "".join(nib.aff2axcodes(affine))
    if nib.affines.obliquity(affine).max() > OBLIQUE:
        orientation += " oblique"
    (image, affine), (label, label_affine) = turn(image, affine), turn(label, label_affine)
    check_same_grid(image, affine, label, label_affine)
    if not np.isfinite(image).all():
        raise ValueError(f"{image_path}: NaN or infinite voxels")
    check_varied(image)
    return image, whole_numbers(label, np.uint8, "label values of the mask"), affine, orientation


def _measure(image_path: Path, label_path: Path) -> Measured:
    image, label, affine, orientation = read_pair(image_path, label_path)
    counts = np.bincount(label.ravel(), minlength=256)
    foreground = image[label > 0]
    return Measured(
        shape=image.shape,
        spacing=tuple(round(float(mm), 6) for mm in nib.affines.voxel_sizes(affine)),
        voxel_ml=abs(float(np.linalg.det(affine[:3, :3]))) / 1000,
        shear=_shear(affine),
        orientation=orientation,
        lowest=float(image.min()),
        percentiles=tuple(np.percentile(_some(image.ravel(), SAMPLES["image"]), PERCENTS).tolist()),
        highest=float(image.max()),
        voxels={int(value): int(counts[value]) for value in np.flatnonzero(counts) if value},
        foreground=_some(foreground, SAMPLES["foreground"]).astype(np.float32),
    )


def _shear(affine: np.ndarray) -> float:
    axes = affine[:3, :3] / nib.affines.voxel_sizes(affine)
    cosines = np.abs(axes.T @ axes - np.eye(3)).max()
    return float(np.rad2deg(np.arcsin(min(1.0, cosines))))


def _some(values: np.ndarray, count: int) -> np.ndarray:
    return values[:: max(1, -(-len(values) // count))]


def check_exchanged(image: Path, label: Path) -> None:
    """Raises ValueError where the image holds label values alone and the label does not."""
    try:
        arrays = [read_volume_file(path)[0] for path in (image, label)]
    except (ValueError, OSError):
        return
    if _is_label_map(arrays[0]) and not _is_label_map(arrays[1]):
        found = f"{arrays[1].min():g} to {arrays[1].max():g}"
        raise ValueError(
            f"are --images and --labels exchanged? {image} holds a few whole numbers alone, {label} {found}, "
            "expected intensities and label values"
        )


def _is_label_map(array: np.ndarray) -> bool:
    values = np.unique(array)
    return len(values) <= MOST_LABELS and values.min() >= 0 and np.array_equal(values, np.rint(values))


def is_ct(measured: Collection[Measured]) -> bool:
    """Whether intensities are Hounsfield units: at least half of the cases hold air below -500."""
    return sum(case.lowest < AIR for case in measured) * 2 >= len(measured)
