"""Dermoscopic phantoms with one pigmented lesion, in the layout in which ISIC 2018 Task 1 is distributed.

Data set: Codella et al., "Skin Lesion Analysis Toward Melanoma Detection 2018", arXiv:1902.03368: 2594 training, 100
validation and 1000 test images of many sizes, JPEG, with masks 0/255 as PNG.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from medkd.io.paths import PathLike

from ._pictures import ellipse, grid, save, spread, texture

__all__ = ["make_isic2018"]

# Official split -> number of images, and first file number.
SPLITS = {"Training": (2594, 0), "Validation": (100, 20_000), "Test": (1000, 30_000)}
SIZES = ((1022, 767), (767, 576), (600, 450))  # three common ones, (width, height)
NOTICE = "Drawn by a program; no image of a patient.\n"


def make_isic2018(folder: PathLike, images: int = 40, seed: int = 0, scale: float = 0.25) -> int:
    """Write synthetic images with lesion masks. The same arguments give the same pixels.

    ``ISIC2018_Task1-2_<split>_Input/ISIC_<number>.jpg`` and ``ISIC2018_Task1_<split>_GroundTruth/
    ISIC_<number>_segmentation.png`` for Training, Validation and Test; among the images also ATTRIBUTION.txt and one
    file of superpixels, as in the official archives.

    Args:
        folder: folder of the data set.
        images: number of images; Training, Validation and Test get their official shares, at least one each.
        seed: another seed gives other pictures under the same names.
        scale: size of the images as a share of the official size.

    Returns:
        The number of images written.

    Raises:
        ValueError: for numbers out of range.
    """
    if not 6 <= images <= 3694 or not 0.05 <= scale <= 1:
        raise ValueError(f"make_isic2018: images={images}, scale={scale}; expected 6 to 3694 and 0.05 to 1")
    counts = {split: max(1, round(images * SPLITS[split][0] / 3694)) for split in ("Validation", "Test")}
    counts["Training"] = images - sum(counts.values())
    for split, (total, first) in SPLITS.items():
        inputs = Path(folder) / f"ISIC2018_Task1-2_{split}_Input"
        for number in spread(counts[split], total):
            name = f"ISIC_{first + number:07d}"
            width, height = SIZES[number % len(SIZES)]
            shape = (round(height * scale), round(width * scale))
            # The seed is the file number: a name is the same picture for any number of images.
            image, lesion = make_lesion(np.random.default_rng([seed, first + number]), shape)
            save(image, inputs / f"{name}.jpg", quality=92)
            save(
                lesion * np.uint8(255),
                Path(folder) / f"ISIC2018_Task1_{split}_GroundTruth" / f"{name}_segmentation.png",
            )
        save(image // 32 * 32, inputs / f"{name}_superpixels.png")
        (inputs / "ATTRIBUTION.txt").write_text(NOTICE, encoding="utf-8")
    return images


def make_lesion(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return image ``(H, W, 3)`` uint8 and lesion ``(H, W)`` uint8 0/1."""
    rows, columns = grid(shape)
    radius = rng.uniform(0.35, 0.8) * np.array([1, rng.uniform(0.65, 1)])
    distance = ellipse(rows, columns, rng.uniform(-0.25, 0.25, 2), radius, rng.uniform(0, np.pi))
    distance = distance + 0.16 * texture(rng, shape, 0.11) + 0.05 * texture(rng, shape, 0.025)
    lesion = distance < 1
    skin = np.array([0.87, 0.66, 0.57]) * rng.uniform(0.9, 1.08) + rng.uniform(-0.03, 0.03, 3)
    brown = np.array([0.5, 0.31, 0.22]) * rng.uniform(0.7, 1.15)
    # Pigment: a soft rim, blotches, and a fine network that fades towards the middle.
    pigment = np.clip((1.06 - distance) / rng.uniform(0.12, 0.35), 0, 1) * (0.8 + 0.15 * texture(rng, shape, 0.05))
    pigment = np.clip(pigment + 0.1 * lesion * texture(rng, shape, 0.008) * np.clip(distance, 0, 1), 0, 1.15)[..., None]
    shade = 1 + 0.03 * texture(rng, shape, 0.2) + 0.02 * texture(rng, shape, 0.01)
    image = (skin * (1 - pigment) + brown * pigment) * shade[..., None]
    hairs = _hair_opacity(rng, rows, columns)[..., None]
    image = image * (1 - hairs) + np.array([0.16, 0.11, 0.09]) * hairs
    # The dermatoscope: light falls off from the middle, and in some images the tube's dark rim is seen.
    from_middle = np.hypot(rows, columns)
    image = image * (1.04 - 0.14 * from_middle**2)[..., None]
    if rng.random() < 0.3:
        image = image * (1 / (1 + np.exp((from_middle - 1.22) / 0.02)))[..., None]
    image = image + rng.normal(0, 0.01, image.shape)
    return (np.clip(image, 0, 1) * 255).astype(np.uint8), lesion.astype(np.uint8)


def _hair_opacity(rng: np.random.Generator, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return the opacity ``(H, W)`` of up to eight hairs: long thin arcs of large circles."""
    hairs = np.zeros(rows.shape)
    pixel = 2 / rows.shape[0]
    for _ in range(rng.integers(0, 9)):
        radius, angle = rng.uniform(1, 4), rng.uniform(0, 2 * np.pi)
        through, towards = rng.uniform(-1, 1, 2), np.array([np.sin(angle), np.cos(angle)])
        off = np.hypot(rows - through[0] - radius * towards[0], columns - through[1] - radius * towards[1]) - radius
        near = np.hypot(rows - through[0], columns - through[1]) < rng.uniform(0.3, 0.9)  # both ends
        hairs = np.maximum(hairs, rng.uniform(0.5, 0.9) * near * np.exp(-((off / (1.2 * pixel)) ** 2)))
    return gaussian_filter(hairs, 0.3)
