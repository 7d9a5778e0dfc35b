"""Fundus phantoms with an optic disc, in the layout in which IDRiD's segmentation part is distributed.

Data set: Porwal et al., "Indian Diabetic Retinopathy Image Dataset (IDRiD)", Data 2018: 54 training and 27 test images of
4288x2848, JPEG, with masks that are red on black, TIFF.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from medkd.io.paths import PathLike

from ._pictures import ellipse, grid, save, spread, texture

__all__ = ["make_idrid"]

# Official split -> number of images, and offset of their file numbers.
SPLITS = {"a. Training Set": (54, 0), "b. Testing Set": (27, 54)}
SIZE = (4288, 2848)  # (width, height)
RED = np.array([255, 0, 0], np.uint8)


def make_idrid(folder: PathLike, images: int = 24, seed: int = 0, scale: float = 0.06) -> int:
    """Write synthetic fundus images with masks of the optic disc. The same arguments give the same pixels.

    ``A. Segmentation/1. Original Images/<split>/IDRiD_<number>.jpg`` and ``A. Segmentation/2. All Segmentation
    Groundtruths/<split>/5. Optic Disc/IDRiD_<number>_OD.tif``; masks of even numbers have a palette, those of odd
    numbers are RGB.

    Args:
        folder: folder of the data set.
        images: number of images, two thirds of them for training; file numbers are spread evenly over the official ones.
        seed: another seed gives other pictures under the same names.
        scale: size of the images as a share of the official size.

    Returns:
        The number of images written.

    Raises:
        ValueError: for numbers out of range.
    """
    if not 6 <= images <= 81 or not 0.02 <= scale <= 1:
        raise ValueError(f"make_idrid: images={images}, scale={scale}; expected 6 to 81 and 0.02 to 1")
    root = Path(folder) / "A. Segmentation"
    shape = (round(SIZE[1] * scale), round(SIZE[0] * scale))
    train = round(images * 54 / 81)
    for (split, (total, offset)), count in zip(SPLITS.items(), (train, images - train), strict=True):
        for number in spread(count, total):
            number += offset
            # The seed is the file number: a name is the same picture for any number of images.
            image, disc = make_fundus(np.random.default_rng([seed, number]), shape)
            save(image, root / "1. Original Images" / split / f"IDRiD_{number:02d}.jpg", quality=92)
            path = root / "2. All Segmentation Groundtruths" / split / "5. Optic Disc" / f"IDRiD_{number:02d}_OD.tif"
            palette = [0, 0, 0, *RED.tolist()] if number % 2 == 0 else None
            save(disc if palette else disc[..., None] * RED, path, palette, compression="tiff_lzw")
    return images


def make_fundus(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return image ``(H, W, 3)`` uint8 and optic disc ``(H, W)`` uint8 0/1."""
    rows, columns = grid(shape)
    side = rng.choice([-1, 1])  # left or right eye: the disc lies towards the nose
    centre = np.array([rng.uniform(-0.12, 0.12), side * rng.uniform(0.55, 0.75)])
    radius = rng.uniform(0.13, 0.17) * np.array([1.08, 1])
    distance = ellipse(rows, columns, centre, radius, rng.uniform(-0.3, 0.3)) + 0.02 * texture(rng, shape, 0.05)
    disc = distance < 1
    tint = np.array([0.74, 0.36, 0.13]) * rng.uniform(0.85, 1.1) + rng.uniform(-0.03, 0.03, 3)
    shade = 1 + 0.06 * texture(rng, shape, 0.15) + 0.03 * texture(rng, shape, 0.02)
    # The macula is a dark spot two and a half disc diameters beside the disc, a little below it.
    macula = np.hypot(rows - centre[0] - 0.08, columns - centre[1] + side * 5 * radius[1])
    shade = shade - 0.35 * np.exp(-((macula / 0.17) ** 2))
    image = shade[..., None] * tint
    glow = (
        np.clip(1.25 - distance, 0, 1)[..., None] ** 0.5 * 0.25
        + gaussian_filter(disc * 0.65, 0.01 * shape[0])[..., None]
    )
    cup = np.exp(-((distance / 0.5) ** 2))[..., None]
    image = image * (1 - glow) + (np.array([0.96, 0.78, 0.42]) + cup * np.array([0.04, 0.14, 0.25])) * glow
    vessels = _vessel_opacity(rng, rows, columns, centre, side)[..., None]
    image = image * (1 - vessels) + tint * np.array([0.62, 0.36, 0.5]) * vessels
    # The camera's field: a disc wider than the frame is high, dark outside.
    from_middle = np.hypot(rows, columns)
    image = image * (1.05 - 0.3 * from_middle**2)[..., None] + rng.normal(0, 0.01, image.shape)
    image = image * (1 / (1 + np.exp(np.clip((from_middle - 1.2) / 0.008, -50, 50))))[..., None]
    return (np.clip(image, 0, 1) * 255).astype(np.uint8), disc.astype(np.uint8)


def _vessel_opacity(
    rng: np.random.Generator, rows: np.ndarray, columns: np.ndarray, centre: np.ndarray, side: int
) -> np.ndarray:
    """Return the opacity ``(H, W)`` of vessels: arcades that leave the disc and bend around the macula, and finer ones."""
    vessels = np.zeros(rows.shape)
    # Away from the disc towards the macula, and up; a vessel is a curve of height over that distance.
    away, wave = -side * (columns - centre[1]), 0.04 * texture(rng, rows.shape, 0.12)
    for width, low, high in [(0.022, 0.45, 0.7)] * 2 + [(0.012, 0.1, 1.0)] * 4:
        for up in (-1, 1):
            height = up * (rows - centre[0])
            reach, bend = rng.uniform(low, high), rng.uniform(0.25, 0.6)
            for direction in (1, -1):
                along = direction * away
                path = reach * (direction > 0 or 0.6) * np.sqrt(np.clip(along, 0, None) / (along.clip(0) + bend)) * 1.2
                thin = width * np.clip(1 - 0.35 * along, 0.3, 1)
                line = np.exp(-(((height - path + wave) / thin) ** 2)) * (along > 0)
                vessels = np.maximum(vessels, 0.8 * line)
    return vessels
