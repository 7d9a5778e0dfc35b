"""Abdominal CT phantoms with kidneys and kidney tumours, in the layout, axes and value ranges of KiTS19.

Layout after Heller et al., "The KiTS19 Challenge Data" (arXiv:1904.00445): ``data/case_00000/imaging.nii.gz`` and
``segmentation.nii.gz``, arrays ``(slices, rows, columns)``, affine with axis 0 on -z, axis 1 on -y, axis 2 on -x.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

from medkd.io.paths import PathLike

from ._abdomen import FAT, Grid, check_sizes, inside, make_body, simulate_scan, texture, unit_cube

__all__ = ["make_kits19"]


@dataclass
class Kidney:
    """Position and enhancement of a kidney.

    Attributes:
        centre: slice, row, column in the unit cube [-1, 1].
        half_axes: half axes of the ellipsoid, in the same order.
        hu: enhancement in HU.
    """

    centre: np.ndarray
    half_axes: np.ndarray
    hu: float


def make_kits19(
    folder: PathLike,
    cases: int = 8,
    size: int = 96,
    slices: tuple[int, int] = (24, 40),
    seed: int = 0,
    wide_case: int | None = None,
) -> list[str]:
    """Write ``cases`` labelled cases. The same arguments give the same voxels.

    Labels: 0 background, 1 kidney (with cysts), 2 tumour; every case has a tumour, every third one a small one only.
    The label volume of case 3 (and every tenth after it) is uint16, the others uint8, as in the official data.

    Args:
        folder: folder of the data set, in which ``data/case_<5 digits>`` are created.
        cases: number of cases.
        size: rows and columns in voxels, at least 32.
        slices: smallest and largest number of slices of a case (inclusive), at least 8.
        seed: the same seed gives the same voxels.
        wide_case: number of the case whose slices are 796/512 as wide as high, as those of case_00160 are.

    Returns:
        The names of the cases.

    Raises:
        ValueError: for numbers that are too small.
    """
    check_sizes("make_kits19", cases, size, slices)
    names = [f"case_{number:05d}" for number in range(cases)]
    for number, name in enumerate(names):
        rng = np.random.default_rng([seed, number])
        columns = round(size * 796 / 512) if number == wide_case else size
        shape = (int(rng.integers(slices[0], slices[1] + 1)), size, columns)
        image, label = make_phantom(rng, shape, small=number % 3 == 2)
        affine = kits19_affine(rng.choice([1.0, 2.0, 2.5, 3.0, 5.0]), round(rng.uniform(0.6, 0.9), 4))
        target = Path(folder) / "data" / name
        target.mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(image, affine), target / "imaging.nii.gz")
        label = label.astype(np.uint16) if number % 10 == 3 else label
        nib.save(nib.Nifti1Image(label, affine), target / "segmentation.nii.gz")
    return names


def kits19_affine(thickness: float, in_plane: float) -> np.ndarray:
    """Return the affine of KiTS19 for a slice distance and a pixel size in mm: axis codes I, P, L."""
    affine = np.zeros((4, 4))
    affine[2, 0], affine[1, 1], affine[0, 2], affine[3, 3] = -thickness, -in_plane, -in_plane, 1.0
    return affine


def make_phantom(rng: np.random.Generator, shape: tuple[int, int, int], small: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return image (int16, HU) and label (uint8) of one case, both ``shape`` (S, H, W)."""
    grid = unit_cube(shape)
    image = make_body(rng, grid)
    label = np.zeros(shape, np.uint8)
    enhancement = rng.uniform(90, 200)
    kidneys = [_add_kidney(rng, grid, image, label, side, enhancement) for side in (-1, 1)]
    # The side is random; the other kidney has a second tumour in a quarter of the cases.
    order = rng.permutation(2)
    for kidney in [kidneys[k] for k in order[: 1 + int(rng.random() < 0.25)]]:
        _add_tumour(rng, grid, image, label, kidney, small)
    return simulate_scan(rng, image), label


def _add_kidney(
    rng: np.random.Generator, grid: Grid, image: np.ndarray, label: np.ndarray, side: int, hu: float
) -> Kidney:
    """Add a kidney in place: cortex, darker pyramids, fat in the hilum, and at random a cyst (labelled as kidney)."""
    centre = np.array([rng.uniform(-0.15, 0.15), rng.uniform(0.18, 0.26), side * rng.uniform(0.42, 0.48)])
    half = np.array([rng.uniform(0.5, 0.62), rng.uniform(0.15, 0.18), rng.uniform(0.13, 0.16)])
    kidney = Kidney(centre, half, hu)
    outline = inside(grid, centre, half, wobble=0.12 * texture(rng, image.shape, 4))
    hilum = inside(grid, centre - [0, 0.03, side * 0.8 * half[2]], half * [0.3, 0.35, 0.5])
    image[outline] = hu
    medulla = inside(grid, centre, half * 0.62) & (texture(rng, image.shape, 2) > 0)
    image[outline & medulla] = max(30.0, hu - 45)
    label[outline] = 1
    image[outline & hilum] = FAT + 20
    label[outline & hilum] = 0
    if rng.random() < 0.5:
        cyst = inside(grid, centre + half * [rng.uniform(-0.6, 0.6), 0.6, side * 0.5], half * [0.16, 0.3, 0.3])
        image[cyst], label[cyst] = rng.uniform(0, 15), 1
    return kidney


def _add_tumour(
    rng: np.random.Generator, grid: Grid, image: np.ndarray, label: np.ndarray, kidney: Kidney, small: bool
) -> None:
    """Add a tumour in place, 40 to 80 HU below the kidney (at least 15 HU), partly outside it, with a dark core if large."""
    direction = rng.normal(size=3)
    direction[2] = abs(direction[2]) * np.sign(kidney.centre[2])  # outwards: the hilum side is full of vessels
    direction /= np.linalg.norm(direction)
    centre = kidney.centre + kidney.half_axes * direction * rng.uniform(0.75, 1.0)
    # Never thinner than 1.6 slices and 2.2 pixels, so that the smallest case still has a tumour to find.
    radius = rng.uniform(0.05, 0.07) if small else rng.uniform(0.1, 0.15)
    pixel, step = 2 / image.shape[1], 2 / image.shape[0]
    half = np.array([max(1.6 * radius, 1.6 * step), max(radius, 2.2 * pixel), max(radius, 2.2 * pixel)])
    lump = inside(grid, centre, half, wobble=0.25 * texture(rng, image.shape, 3))
    lump |= inside(grid, centre, half * 0.7)
    lump &= inside(grid, (0, 0, 0), (9, 0.6, 0.8))  # inside the body wall
    hu = max(15.0, kidney.hu - rng.uniform(40, 80))
    image[lump] = hu + 14 * texture(rng, image.shape, 1.2)[lump]
    if not small:
        core = lump & inside(grid, centre, half * 0.45)
        image[core] = max(5.0, hu - 30)
    label[lump] = 2
