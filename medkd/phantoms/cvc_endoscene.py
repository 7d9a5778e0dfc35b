"""Colonoscopy phantoms with polyps, in the two layouts in which CVC-EndoSceneStill is distributed.

Data set: Vazquez et al., "A Benchmark for Endoluminal Scene Segmentation of Colonoscopy Images", J. Healthcare
Engineering 2017: CVC-300 (300 frames of 574x500) and CVC-612 (612 frames of 384x288, = CVC-ClinicDB).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.ndimage import binary_dilation, gaussian_filter

from medkd.io.paths import PathLike

from ._pictures import save, spread, texture

__all__ = ["make_cvc_endoscene"]

# Number of frames, (width, height) in pixels, suffix of the masks.
SETS = {"CVC-300": (300, (574, 500), ".bmp"), "CVC-612": (612, (384, 288), ".tif")}
VARIANTS = ("official", "cvc912")
SPLITS = ("train", "valid", "test")


def make_cvc_endoscene(
    folder: PathLike, frames: int = 60, seed: int = 0, variant: str = "official", scale: float = 0.25
) -> int:
    """Write synthetic frames with polyp masks. The same arguments give the same pixels.

    Args:
        folder: folder of the data set.
        frames: number of frames, a third of them from CVC-300. File numbers are spread evenly over the official ones:
            with 15 frames or more, every split of the published split gets some.
        seed: the same seed gives the same frames.
        variant: ``"official"``: ``CVC-300/{bbdd,gtpolyp}/<i>.bmp`` and ``CVC-612/bbdd/<i>.bmp``, ``gtpolyp/<i>.tif``,
            masks 0/255; ``"cvc912"``: ``CVC-912/{train,valid,test}/{images/*.bmp, masks2/*.tif}``, masks 0/1 and 2 on
            the frame's dark border (void).
        scale: size of the frames as a share of the official size.

    Returns:
        The number of frames written.

    Raises:
        ValueError: for an unknown variant, or numbers out of range.
    """
    if variant not in VARIANTS:
        raise ValueError(f"make_cvc_endoscene: variant {variant!r}: expected one of {VARIANTS}")
    if not 6 <= frames <= 912 or not 0.1 <= scale <= 1:
        raise ValueError(f"make_cvc_endoscene: frames={frames}, scale={scale}; expected 6 to 912 and 0.1 to 1")
    first = min(300, frames // 3)
    plan = [("CVC-300", n) for n in spread(first, 300)] + [("CVC-612", n) for n in spread(frames - first, 612)]
    for position, (name, number) in enumerate(plan):
        _, size, suffix = SETS[name]
        shape = (round(size[1] * scale), round(size[0] * scale))
        # The seed is the frame number, not its position: frame 17 is the same picture for any number of frames.
        image, polyp, void = make_frame(np.random.default_rng([seed, int(name[4:]), number]), shape)
        if variant == "official":
            save(image, Path(folder) / name / "bbdd" / f"{number}.bmp")
            save(polyp * np.uint8(255), Path(folder) / name / "gtpolyp" / f"{number}{suffix}")
        else:
            split = Path(folder) / "CVC-912" / SPLITS[max(0, position % 5 - 2)]
            save(image, split / "images" / f"{position}.bmp")
            save(np.where(void, np.uint8(2), polyp), split / "masks2" / f"{position}.tif")
    return frames


def make_frame(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return image ``(H, W, 3)`` uint8, polyp ``(H, W)`` uint8 0/1 and the void border ``(H, W)`` bool."""
    rows, columns = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    shade = 0.75 + 0.12 * texture(rng, shape, 0.12) + 0.04 * texture(rng, shape, 0.015)
    _darken_folds(rng, rows, columns, shade)
    centre, radius = rng.uniform(-0.5, 0.5, 2), rng.uniform(0.16, 0.42, 2)
    angle = rng.uniform(0, np.pi)
    along = (rows - centre[0]) * np.cos(angle) + (columns - centre[1]) * np.sin(angle)
    across = -(rows - centre[0]) * np.sin(angle) + (columns - centre[1]) * np.cos(angle)
    distance = np.sqrt((along / radius[0]) ** 2 + (across / radius[1]) ** 2) + 0.1 * texture(rng, shape, 0.08)
    polyp = distance < 1
    dome = np.clip(1 - distance**2, 0, 1)
    rim = np.exp(-(((distance - 1.08) / 0.1) ** 2))
    shade = shade - 0.18 * rim * ~polyp + polyp * (0.16 * dome + 0.08 * texture(rng, shape, 0.02))
    tint = np.array([0.95, 0.52, 0.42]) + rng.uniform(-0.06, 0.06, 3)
    polyp_tint = tint + np.array([0.02, rng.uniform(-0.12, -0.04), rng.uniform(-0.1, 0.0)])
    blend = gaussian_filter(polyp.astype(float), 1.0)[..., None]
    light = (1.1 - 0.35 * (rows**2 + columns**2))[..., None]
    image = shade[..., None] * light * (tint * (1 - blend) + polyp_tint * blend)
    # Wet tissue reflects the lamp: small saturated spots, on bumps rather than anywhere.
    spots = texture(rng, shape, 0.025) + 0.4 * dome > 2.3
    image[binary_dilation(spots)] = 0.97
    image = image + rng.normal(0, 0.015, image.shape)
    void = np.abs(rows) + np.abs(columns) > rng.uniform(1.65, 1.8)
    image[void] = 0.02
    return (np.clip(image, 0, 1) * 255).astype(np.uint8), (polyp & ~void).astype(np.uint8), void


def _darken_folds(rng: np.random.Generator, rows: np.ndarray, columns: np.ndarray, shade: np.ndarray) -> None:
    """Darken haustral folds (dark arcs with a bright crest around the lumen) and the lumen itself, in place."""
    centre = rng.uniform(-0.7, 0.7, 2)
    distance = np.hypot(rows - centre[0], columns - centre[1]) + 0.06 * texture(rng, shade.shape, 0.15)
    shade -= 0.45 * np.exp(-((distance / 0.22) ** 2))
    for radius in np.cumsum(rng.uniform(0.28, 0.5, 4)):
        shade -= 0.2 * np.exp(-(((distance - radius) / 0.035) ** 2))
        shade += 0.1 * np.exp(-(((distance - radius - 0.07) / 0.04) ** 2))
