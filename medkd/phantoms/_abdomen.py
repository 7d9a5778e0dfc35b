"""Building blocks of abdominal CT phantoms: ellipsoids, textures, the body around the organ, and the scanner."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import gaussian_filter

__all__ = ["FAT", "Grid", "check_sizes", "make_body", "inside", "simulate_scan", "texture", "unit_cube"]

AIR, FAT, SOFT, BOWEL_GAS, BONE = -1000.0, -100.0, 45.0, -700.0, 450.0  # HU
Grid = tuple[np.ndarray, np.ndarray, np.ndarray]
Vector = Sequence[float] | np.ndarray


def check_sizes(name: str, cases: int, size: int, slices: tuple[int, int]) -> None:
    """Check the numbers of cases and voxels.

    Raises:
        ValueError: naming the function ``name``, for numbers that are too small.
    """
    if cases < 1 or size < 32 or not 8 <= slices[0] <= slices[1]:
        raise ValueError(
            f"{name}: cases={cases}, size={size}, slices={slices}; expected cases >= 1, size >= 32, "
            "8 <= fewest <= most slices"
        )


def unit_cube(shape: tuple[int, int, int]) -> Grid:
    """Return coordinates from -1 to 1 along slices (downwards), rows (backwards) and columns (to the left)."""
    slices, rows, columns = np.meshgrid(*(np.linspace(-1, 1, n, dtype=np.float32) for n in shape), indexing="ij")
    return slices, rows, columns


def make_body(rng: np.random.Generator, grid: Grid) -> np.ndarray:
    """Return HU (float32) of a body in air: wall, spine with canal, vessels, a small liver, spleen, bowel with gas."""
    body = inside(grid, (0.0, 0.0, 0.0), (9.0, rng.uniform(0.62, 0.72), rng.uniform(0.82, 0.92)))
    image = np.where(body, np.float32(FAT), np.float32(AIR))
    jitter = lambda scale: rng.uniform(-scale, scale)  # noqa: E731
    wall, cavity = inside(grid, (0, 0, 0), (9, 0.6, 0.8)), inside(grid, (0, -0.05, 0), (9, 0.5, 0.7))
    image[wall] = SOFT + 10
    image[cavity] = FAT
    spine = (0, 0.42, 0)
    image[inside(grid, (0, 0.4, 0), (9, 0.2, 0.34))] = SOFT + 5
    image[inside(grid, spine, (9, 0.14, 0.15))] = BONE
    image[inside(grid, spine, (9, 0.11, 0.12))] = BONE - 230
    image[inside(grid, (0, 0.58, 0), (9, 0.05, 0.06))] = 20
    image[inside(grid, (0, 0.2, 0.06), (9, 0.06, 0.06))] = rng.uniform(120, 260)
    image[inside(grid, (0, 0.2, -0.08), (9, 0.06, 0.07))] = rng.uniform(80, 160)
    image[inside(grid, (-0.7, -0.12 + jitter(0.05), -0.38), (0.9, 0.32, 0.34))] = rng.uniform(80, 130)
    image[inside(grid, (-0.7, 0.0, 0.52), (0.5, 0.2, 0.14))] = rng.uniform(80, 140)
    for _ in range(7):
        centre = (jitter(0.9), -0.22 + jitter(0.14), jitter(0.5))
        radius = rng.uniform(0.07, 0.13)
        image[inside(grid, centre, (0.5, radius, radius))] = rng.uniform(10, 60)
        if rng.random() < 0.5:
            image[inside(grid, (centre[0], centre[1] - 0.03, centre[2]), (0.3, 0.03, 0.05))] = BOWEL_GAS
    return image


def inside(grid: Grid, centre: Vector, half_axes: Vector, wobble: np.ndarray | float = 0.0) -> np.ndarray:
    """Return the mask of an ellipsoid in the unit cube.

    Args:
        grid: coordinates, see `unit_cube`.
        centre: centre of the ellipsoid.
        half_axes: half axes of the ellipsoid.
        wobble: displacement of the surface, as a share of the radius.
    """
    # Python floats keep float32, NumPy scalars give float64: both are kept as they are.
    distance = sum(((axis - c) / h) ** 2 for axis, c, h in zip(grid, centre, half_axes, strict=True))
    return distance < (1 + wobble) ** 2


def texture(rng: np.random.Generator, shape: tuple[int, ...], width: float) -> np.ndarray:
    """Return a smooth random field of zero mean and unit variance.

    Args:
        rng: source of randomness.
        shape: shape of the field.
        width: standard deviation of the smoothing kernel in voxels; half of it across slices.
    """
    field = gaussian_filter(rng.standard_normal(shape, dtype=np.float32), (width / 2, width, width))
    return (field - field.mean()) / field.std()


def simulate_scan(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Return HU as a scanner measures them (int16): with tissue texture, blurred edges and noise."""
    tissue = texture(rng, image.shape, 1.5) * 9 + gaussian_filter(rng.normal(0, 22, image.shape), (0, 0.6, 0.6))
    # Partial volume first, noise after it: edges are blurred by the scanner, its noise is not.
    image = gaussian_filter(image, (0.3, 0.7, 0.7)) + tissue
    return np.clip(np.rint(image), -1024, 3071).astype(np.int16)
