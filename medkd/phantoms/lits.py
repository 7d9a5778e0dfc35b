"""Abdominal CT phantoms with a liver and liver tumours, in the layout and value ranges of LiTS, with several axis orders.

Layout after Bilic et al., "The Liver Tumor Segmentation Benchmark (LiTS)", arXiv:1901.04056: ``Training Batch 1`` and
``Training Batch 2`` with ``volume-<n>.nii`` and ``segmentation-<n>.nii``, arrays (columns, rows, slices).
"""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np

from medkd.io.paths import PathLike

from ._abdomen import Grid, check_sizes, inside, make_body, simulate_scan, texture, unit_cube
from .kits19 import kits19_affine

__all__ = ["make_lits"]

AXES = ("LPS", "RAS", "LAS")  # of cases 0, 1, 2, then repeated; cases with the third are oblique
TILT = 4.0  # degrees


def make_lits(
    folder: PathLike, cases: int = 8, size: int = 96, slices: tuple[int, int] = (24, 40), seed: int = 0
) -> list[str]:
    """Write ``cases`` labelled cases. The same arguments give the same voxels.

    Labels: 0 background, 1 liver, 2 tumour; case 1, and every tenth after it, has no tumour. Axes are L, P, S, then
    R, A, S, then L, A, S tilted by four degrees, and so on; the oblique volumes hold their HU as float32, others as
    int16.

    Args:
        folder: folder of the data set; the first fifth of the cases is batch 1, the others are batch 2.
        cases: number of cases.
        size: rows and columns in voxels, at least 32.
        slices: smallest and largest number of slices of a case (inclusive), at least 8.
        seed: the same seed gives the same voxels.

    Returns:
        The names of the cases, ``volume-<n>``.

    Raises:
        ValueError: for numbers that are too small.
    """
    check_sizes("make_lits", cases, size, slices)
    for number in range(cases):
        rng = np.random.default_rng([seed, number])
        shape = (int(rng.integers(slices[0], slices[1] + 1)), size, size)
        image, label = make_phantom(rng, shape, tumours=0 if number % 10 == 1 else 1 + number % 3)
        affine = kits19_affine(rng.choice([0.8, 1.0, 1.5, 2.5, 5.0]), round(rng.uniform(0.6, 0.9), 4))
        batch = Path(folder) / f"Training Batch {1 if number < cases / 5 else 2}"
        batch.mkdir(parents=True, exist_ok=True)
        oblique = number % 3 == 2
        image = image.astype(np.float32) if oblique else image
        for kind, array in (("volume", image), ("segmentation", label)):
            file = _reorient(array, affine, AXES[number % 3], TILT if oblique else 0)
            nib.save(file, batch / f"{kind}-{number}.nii")
    return [f"volume-{number}" for number in range(cases)]


def _reorient(array: np.ndarray, affine: np.ndarray, axes: str, degrees: float) -> nib.Nifti1Image:
    """Return the volume with other axes, and its affine rotated about the x axis."""
    file = nib.Nifti1Image(array, affine)
    turn = nib.orientations.ornt_transform(nib.io_orientation(affine), nib.orientations.axcodes2ornt(axes))
    file = file.as_reoriented(turn)
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    tilt = np.array([[1, 0, 0, 0], [0, c, -s, 0], [0, s, c, 0], [0, 0, 0, 1]])
    return nib.Nifti1Image(np.asarray(file.dataobj), tilt @ file.affine)


def make_phantom(rng: np.random.Generator, shape: tuple[int, int, int], tumours: int) -> tuple[np.ndarray, np.ndarray]:
    """Return image (int16, HU) and label (uint8) of one case, both ``shape`` (S, H, W) on the axes I, P, L."""
    grid = unit_cube(shape)
    image = make_body(rng, grid)
    hu = rng.uniform(85, 130)
    liver = _add_liver(rng, grid, image, hu)
    label = liver.astype(np.uint8)
    for _ in range(tumours):
        _add_tumour(rng, grid, image, label, hu)
    return simulate_scan(rng, image), label


def _add_liver(rng: np.random.Generator, grid: Grid, image: np.ndarray, hu: float) -> np.ndarray:
    """Add a liver in place and return its mask: two lobes and brighter vessels, which are labelled as liver."""
    wobble = 0.1 * texture(rng, image.shape, 6)
    liver = inside(grid, (-0.15, -0.06, -0.36), (0.7, 0.36, 0.32), wobble)
    liver |= inside(grid, (-0.25, -0.2, 0.0), (0.45, 0.18, 0.34), wobble)
    liver &= inside(grid, (0, -0.05, 0), (9, 0.5, 0.7))  # inside the abdominal cavity
    image[liver] = hu + 6 * texture(rng, image.shape, 2)[liver]
    for _ in range(3):
        centre = (rng.uniform(-0.4, 0.1), rng.uniform(-0.2, 0.1), rng.uniform(-0.45, -0.25))
        vessel = inside(grid, centre, (0.06, 0.03, 0.25)) & liver
        image[vessel] = hu + rng.uniform(30, 60)
    return liver


def _add_tumour(rng: np.random.Generator, grid: Grid, image: np.ndarray, label: np.ndarray, hu: float) -> None:
    """Add a tumour in place, inside the right lobe, 25 to 60 HU below the liver, with a darker core if large."""
    centre = np.array([-0.15, -0.06, -0.36]) + np.array([0.4, 0.18, 0.16]) * rng.uniform(-1, 1, 3)
    radius = rng.uniform(0.06, 0.16)
    # Never thinner than 1.6 slices and 2.2 pixels, so that the smallest case still has a tumour to find.
    pixel, step = 2 / image.shape[1], 2 / image.shape[0]
    half = np.array([max(1.6 * radius, 1.6 * step), max(radius, 2.2 * pixel), max(radius, 2.2 * pixel)])
    lump = inside(grid, centre, half, wobble=0.2 * texture(rng, image.shape, 3)) | inside(grid, centre, half * 0.7)
    lump &= label > 0
    dark = hu - rng.uniform(25, 60)
    image[lump] = dark + 8 * texture(rng, image.shape, 1.2)[lump]
    if radius > 0.1:
        image[lump & inside(grid, centre, half * 0.45)] = dark - 15
    label[lump] = 2
