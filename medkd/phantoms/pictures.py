"""Ultrasound and microscopy phantoms as two folders of pictures, images and masks with equal names."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from medkd.io.paths import PathLike

from ._pictures import ellipse, grid, save, texture

__all__ = ["FORMS", "make_pictures"]

# form -> suffix of the images
FORMS = {"grey": ".png", "grey16": ".tif", "rgb": ".jpg"}
COLOURS = np.array([[0.78, 0.60, 0.72], [0.42, 0.22, 0.55], [0.62, 0.18, 0.28], [0.30, 0.45, 0.62]])  # of a stain
LARGEST_16_BIT = 4095  # as cameras with 12 bit write them


def make_pictures(
    folder: PathLike, cases: int = 20, size: int = 96, classes: int = 2, form: str = "grey", seed: int = 0
) -> list[str]:
    """Write ``folder/images/<case>`` and ``folder/masks/<case>.png``. The same arguments give the same pixels.

    Each picture shows one structure of each class on speckled ground. Masks hold 0 and 255 of one class, the numbers of
    several. Two pictures in a row are of one patient, as ``folder/patients.csv`` says.

    Args:
        folder: parent of the two folders.
        cases: number of pictures, at least 1.
        size: rows in pixels, at least 32; there are a quarter more columns.
        classes: number of classes, 1 to 3.
        form: ``"grey"`` (PNG), ``"grey16"`` (TIFF with 12 bit in 16) or ``"rgb"`` (JPEG).
        seed: another seed gives other pictures under the same names.

    Returns:
        The names of the cases.

    Raises:
        ValueError: for arguments out of range.
    """
    if cases < 1 or size < 32 or not 1 <= classes <= 3 or form not in FORMS:
        raise ValueError(
            f"make_pictures: cases={cases}, size={size}, classes={classes}, form={form!r}; expected at least 1 and 32, "
            f"1 to 3, and one of {', '.join(FORMS)}"
        )
    names = [f"frame_{number:03d}" for number in range(cases)]
    for number, name in enumerate(names):
        image, label = make_picture(np.random.default_rng([seed, number]), (size, size * 5 // 4), classes, form)
        options = {"quality": 92} if form == "rgb" else {}
        save(image, Path(folder) / f"images/{name}{FORMS[form]}", None, **options)
        save(label * np.uint8(255) if classes == 1 else label, Path(folder) / f"masks/{name}.png")
    rows = [f"{name},patient_{number // 2:02d}" for number, name in enumerate(names)]
    (Path(folder) / "patients.csv").write_text("\n".join(["case,patient", *rows, ""]), encoding="utf-8")
    return names


def make_picture(
    rng: np.random.Generator, shape: tuple[int, int], classes: int, form: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return image, ``(H, W)`` or ``(H, W, 3)``, and label ``(H, W)`` uint8."""
    rows, columns = grid(shape)
    label = np.zeros(shape, np.uint8)
    # Later classes lie inside or beside the first one, as a tumour does in an organ.
    for number, radius in enumerate((0.62, 0.3, 0.16)[:classes], 1):
        reach = 0.25 if number == 1 else 0.35
        radii = radius * rng.uniform(0.8, 1.1, 2)
        distance = ellipse(rows, columns, rng.uniform(-reach, reach, 2), radii, rng.uniform(0, np.pi))
        label[distance + 0.1 * texture(rng, shape, 0.12) < 1] = number
    shade = 1 + 0.06 * texture(rng, shape, 0.3) + 0.08 * texture(rng, shape, 0.015)
    if form == "rgb":
        image = COLOURS[label] * rng.uniform(0.92, 1.08) * shade[..., None] + rng.normal(0, 0.02, (*shape, 3))
        return (np.clip(image, 0, 1) * 255).astype(np.uint8), label
    speckle = rng.rayleigh(0.8, shape) * 0.35 + 0.65
    image = np.array([0.28, 0.5, 0.16, 0.72])[label] * shade * speckle * rng.uniform(0.9, 1.1)
    highest = LARGEST_16_BIT if form == "grey16" else 255
    return (np.clip(image, 0, 1) * highest).astype(np.uint16 if form == "grey16" else np.uint8), label
