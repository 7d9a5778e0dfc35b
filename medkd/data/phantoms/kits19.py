"""Abdominal CT phantoms with kidneys and kidney tumours, in the layout, axes and value ranges of KiTS19.

Layout after Heller et al., "The KiTS19 Challenge Data" (arXiv:1904.00445): ``data/case_00000/imaging.nii.gz`` and
``segmentation.nii.gz``, arrays ``(slices, rows, columns)``, affine with axis 0 on -z, axis 1 on -y, axis 2 on -x.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from monai.config import PathLike
from scipy.ndimage import gaussian_filter

__all__ = ["draw_kits19"]

AIR, FAT, SOFT, BOWEL_GAS, BONE = -1000.0, -100.0, 45.0, -700.0, 450.0  # HU
Grid = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass
class Kidney:
    """Centre and half axes (slice, row, column) in the unit cube [-1, 1], enhancement in HU."""

    centre: np.ndarray
    half_axes: np.ndarray
    hu: float


def draw_kits19(
    folder: PathLike, cases: int = 8, size: int = 96, slices: tuple[int, int] = (24, 40), seed: int = 0
) -> list[str]:
    """Write ``cases`` labelled cases; the same arguments give the same voxels.

    Labels: 0 background, 1 kidney (with cysts), 2 tumour; every case has a tumour, every third one a small one only.
    The label volume of case 3 (and every tenth after it) is uint16, the others uint8, as in the official data.

    Args:
        folder: the data set's folder; ``folder/data/case_<5 digits>`` are made.
        size: rows and columns in voxels, at least 32.
        slices: fewest and most slices of a case (inclusive), at least 8.

    Returns:
        the names of the cases.
    """
    if cases < 1 or size < 32 or not 8 <= slices[0] <= slices[1]:
        raise ValueError(
            f"draw_kits19: cases={cases}, size={size}, slices={slices}; expected cases >= 1, size >= 32, "
            "8 <= fewest <= most slices."
        )
    names = [f"case_{number:05d}" for number in range(cases)]
    for number, name in enumerate(names):
        rng = np.random.default_rng([seed, number])
        shape = (int(rng.integers(slices[0], slices[1] + 1)), size, size)
        image, label = draw_case(rng, shape, small=number % 3 == 2)
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


def draw_case(rng: np.random.Generator, shape: tuple[int, int, int], small: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return image (int16, HU) and label (uint8) of one case, both ``shape`` (S, H, W)."""
    grid = np.meshgrid(*(np.linspace(-1, 1, n, dtype=np.float32) for n in shape), indexing="ij")
    body = _inside(grid, (0.0, 0.0, 0.0), (9.0, rng.uniform(0.62, 0.72), rng.uniform(0.82, 0.92)))
    image = np.where(body, np.float32(FAT), np.float32(AIR))
    _draw_surroundings(rng, grid, image)
    label = np.zeros(shape, np.uint8)
    enhancement = rng.uniform(90, 200)
    kidneys = [_draw_kidney(rng, grid, image, label, side, enhancement) for side in (-1, 1)]
    # Sides are drawn at random; a second tumour in the other kidney now and then.
    order = rng.permutation(2)
    for kidney in [kidneys[k] for k in order[: 1 + int(rng.random() < 0.25)]]:
        _draw_tumour(rng, grid, image, label, kidney, small)
    tissue = _texture(rng, shape, 1.5) * 9 + gaussian_filter(rng.normal(0, 22, shape), (0, 0.6, 0.6))
    # Partial volume first, noise after it: edges are blurred by the scanner, its noise is not.
    image = gaussian_filter(image, (0.3, 0.7, 0.7)) + tissue
    return np.clip(np.rint(image), -1024, 3071).astype(np.int16), label


def _draw_surroundings(rng: np.random.Generator, grid: Grid, image: np.ndarray) -> None:
    """Muscle and organs of the abdomen: a wall, spine with canal, vessels, liver, spleen, bowel with gas."""
    jitter = lambda scale: rng.uniform(-scale, scale)  # noqa: E731
    wall, cavity = _inside(grid, (0, 0, 0), (9, 0.6, 0.8)), _inside(grid, (0, -0.05, 0), (9, 0.5, 0.7))
    image[wall] = SOFT + 10
    image[cavity] = FAT
    spine = (0, 0.42, 0)
    image[_inside(grid, (0, 0.4, 0), (9, 0.2, 0.34))] = SOFT + 5
    image[_inside(grid, spine, (9, 0.14, 0.15))] = BONE
    image[_inside(grid, spine, (9, 0.11, 0.12))] = BONE - 230
    image[_inside(grid, (0, 0.58, 0), (9, 0.05, 0.06))] = 20
    image[_inside(grid, (0, 0.2, 0.06), (9, 0.06, 0.06))] = rng.uniform(120, 260)
    image[_inside(grid, (0, 0.2, -0.08), (9, 0.06, 0.07))] = rng.uniform(80, 160)
    image[_inside(grid, (-0.7, -0.12 + jitter(0.05), -0.38), (0.9, 0.32, 0.34))] = rng.uniform(80, 130)
    image[_inside(grid, (-0.7, 0.0, 0.52), (0.5, 0.2, 0.14))] = rng.uniform(80, 140)
    for _ in range(7):
        centre = (jitter(0.9), -0.22 + jitter(0.14), jitter(0.5))
        radius = rng.uniform(0.07, 0.13)
        image[_inside(grid, centre, (0.5, radius, radius))] = rng.uniform(10, 60)
        if rng.random() < 0.5:
            image[_inside(grid, (centre[0], centre[1] - 0.03, centre[2]), (0.3, 0.03, 0.05))] = BOWEL_GAS


def _draw_kidney(
    rng: np.random.Generator, grid: Grid, image: np.ndarray, label: np.ndarray, side: int, hu: float
) -> Kidney:
    """Cortex, darker pyramids, fat in the hilum, and in every second kidney a cyst, which KiTS labels as kidney."""
    centre = np.array([rng.uniform(-0.15, 0.15), rng.uniform(0.18, 0.26), side * rng.uniform(0.42, 0.48)])
    half = np.array([rng.uniform(0.5, 0.62), rng.uniform(0.15, 0.18), rng.uniform(0.13, 0.16)])
    kidney = Kidney(centre, half, hu)
    outline = _inside(grid, centre, half, wobble=0.12 * _texture(rng, image.shape, 4))
    hilum = _inside(grid, centre - [0, 0.03, side * 0.8 * half[2]], half * [0.3, 0.35, 0.5])
    image[outline] = hu
    medulla = _inside(grid, centre, half * 0.62) & (_texture(rng, image.shape, 2) > 0)
    image[outline & medulla] = max(30.0, hu - 45)
    label[outline] = 1
    image[outline & hilum] = FAT + 20
    label[outline & hilum] = 0
    if rng.random() < 0.5:
        cyst = _inside(grid, centre + half * [rng.uniform(-0.6, 0.6), 0.6, side * 0.5], half * [0.16, 0.3, 0.3])
        image[cyst], label[cyst] = rng.uniform(0, 15), 1
    return kidney


def _draw_tumour(
    rng: np.random.Generator, grid: Grid, image: np.ndarray, label: np.ndarray, kidney: Kidney, small: bool
) -> None:
    """A lump 40 to 80 HU below the kidney (never below 15 HU), partly outside it; large ones have a dark core."""
    direction = rng.normal(size=3)
    direction[2] = abs(direction[2]) * np.sign(kidney.centre[2])  # outwards: the hilum side is full of vessels
    direction /= np.linalg.norm(direction)
    centre = kidney.centre + kidney.half_axes * direction * rng.uniform(0.75, 1.0)
    # Never thinner than 1.6 slices and 2.2 pixels, so that the smallest case still has a tumour to find.
    radius = rng.uniform(0.05, 0.07) if small else rng.uniform(0.1, 0.15)
    pixel, step = 2 / image.shape[1], 2 / image.shape[0]
    half = np.array([max(1.6 * radius, 1.6 * step), max(radius, 2.2 * pixel), max(radius, 2.2 * pixel)])
    lump = _inside(grid, centre, half, wobble=0.25 * _texture(rng, image.shape, 3))
    lump |= _inside(grid, centre, half * 0.7)
    lump &= _inside(grid, (0, 0, 0), (9, 0.6, 0.8))  # inside the body wall
    hu = max(15.0, kidney.hu - rng.uniform(40, 80))
    image[lump] = hu + 14 * _texture(rng, image.shape, 1.2)[lump]
    if not small:
        core = lump & _inside(grid, centre, half * 0.45)
        image[core] = max(5.0, hu - 30)
    label[lump] = 2


def _inside(grid: Grid, centre: np.ndarray, half_axes: np.ndarray, wobble: np.ndarray | float = 0.0) -> np.ndarray:
    """Mask of an ellipsoid in the unit cube; ``wobble`` moves its surface by that share of the radius."""
    distance = sum(((axis - c) / h) ** 2 for axis, c, h in zip(grid, centre, half_axes, strict=True))
    return distance < (1 + wobble) ** 2


def _texture(rng: np.random.Generator, shape: tuple[int, ...], width: float) -> np.ndarray:
    """A smooth random field of zero mean and unit variance; ``width`` in voxels, half of it between slices."""
    field = gaussian_filter(rng.standard_normal(shape, dtype=np.float32), (width / 2, width, width))
    return (field - field.mean()) / field.std()
