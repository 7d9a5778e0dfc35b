"""Draw pictures of phantoms, and the picture of README: ``medkd demo && python docs/generator/overview.py``."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image, ImageOps

from medkd.networks import FeatureTaps, UNet, UNetPlusPlus
from medkd.phantoms import cvc_endoscene, idrid, isic2018, kits19, lits
from medkd.visuals.boundary_figures import boundary_figure
from medkd.visuals.tap_figures import importance_figure

__all__ = ["draw_correction", "draw_importance", "draw_overview", "draw_page", "draw_phantoms", "draw_slices"]

_OUTLINES = ("#56B4E9", "#D55E00")  # the colours of classes 1 and 2 in medkd's figures
_CT = {"cmap": "gray", "vmin": -150, "vmax": 250}
Case = tuple[np.ndarray, np.ndarray]


def _volume(make: object, seed: int = 3) -> Case:
    image, label = make.make_phantom(np.random.default_rng(seed), (24, 128, 128), 2)  # type: ignore[attr-defined]
    return image, label


def _slice(make: object) -> Case:
    image, label = _volume(make)
    index = int((label == 2).sum(axis=(1, 2)).argmax())
    return image[index], label[index]


def _cases() -> dict[str, Case]:
    rng = np.random.default_rng(1)
    shape = (160, 160)
    return {
        "kits19": _slice(kits19),
        "lits": _slice(lits),
        "isic2018": isic2018.make_lesion(rng, shape),
        "cvc_endoscene": cvc_endoscene.make_frame(rng, shape)[:2],
        "idrid": idrid.make_fundus(rng, shape),
    }


def _show(axes: object, image: np.ndarray, label: np.ndarray, title: str) -> None:
    axes.set_axis_off()  # type: ignore[attr-defined]
    axes.set_title(title, fontsize=9)  # type: ignore[attr-defined]
    axes.imshow(image, **(_CT if image.ndim == 2 else {}))  # type: ignore[attr-defined]
    for value, colour in enumerate(_OUTLINES, start=1):
        if (label == value).any():
            axes.contour(label == value, levels=[0.5], colors=[colour], linewidths=1.2)  # type: ignore[attr-defined]


def draw_phantoms(path: Path) -> None:
    """Draw one case of each task, with outlines."""
    cases = _cases()
    figure = Figure(figsize=(2 * len(cases), 2.3), layout="constrained")
    for axes, (title, (image, label)) in zip(figure.subplots(1, len(cases)), cases.items(), strict=True):
        _show(axes, image, np.asarray(label) > 0 if label.max() > 2 else label, title)
    figure.savefig(path, dpi=72)


def draw_slices(path: Path) -> None:
    """Draw nine slices of a volume, with outlines."""
    image, label = _volume(kits19)
    figure = Figure(figsize=(9, 2.2), layout="constrained")
    for axes, index in zip(figure.subplots(1, 9), np.linspace(4, 20, 9).astype(int), strict=True):
        _show(axes, image[index], label[index], f"slice {index + 1}")
    figure.savefig(path, dpi=72)


def _importance() -> Figure:
    torch.manual_seed(0)
    image, label = _slice(kits19)
    batch = torch.from_numpy(np.clip(image, -200, 300).astype(np.float32) / 250 - 0.2)[None, None]
    networks = {"UNet++": UNetPlusPlus(2, 1, 2, width=8).eval(), "UNet": UNet(2, 1, 2, width=4).eval()}
    with torch.no_grad():
        maps = {name: FeatureTaps(network, **network.default_taps())(batch) for name, network in networks.items()}
    target = torch.from_numpy((label == 2).astype(np.int64))[None]
    return importance_figure(maps, batch[0], target, "untrained networks, one phantom")


def draw_importance(path: Path) -> None:
    """Draw the importance maps of two untrained networks."""
    _importance().savefig(path, dpi=80)


def draw_correction(path: Path) -> None:
    """Draw the boundary transform of a phantom."""
    image, label = _slice(kits19)
    scaled = np.clip((image[None].astype(np.float32) + 150) / 400, 0, 1)
    boundary_figure(scaled, (label == 1).astype(np.int64)[None], "a phantom").savefig(path, dpi=70)


def draw_page(report: Path, path: Path) -> None:
    """Draw the first screen of a report page, as Chromium shows it.

    Raises:
        FileNotFoundError: without the page, or without Chromium.
    """
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None or not report.is_file():
        raise FileNotFoundError(f"{report} and chromium: expected both (medkd demo writes the page)")
    with tempfile.TemporaryDirectory() as profile:
        flags = (
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--no-first-run",
            "--window-size=1280,1240",
        )
        files = (f"--user-data-dir={profile}", f"--screenshot={path}", report.resolve().as_uri())
        subprocess.run([browser, *flags, *files], check=True, capture_output=True)


def draw_overview(path: Path, report: Path) -> None:
    """Draw the picture of README: the phantoms of all tasks, and the report page of the demo."""
    with tempfile.TemporaryDirectory() as folder:
        parts = [Path(folder) / name for name in ("phantoms.png", "page.png")]
        draw_phantoms(parts[0])
        draw_page(report, parts[1])
        pictures = [Image.open(part).convert("RGB") for part in parts]
    width = pictures[0].width
    pictures[1] = ImageOps.expand(pictures[1], 2, "#888888")
    pictures[1] = pictures[1].resize((width, pictures[1].height * width // pictures[1].width), Image.Resampling.LANCZOS)
    whole = Image.new("RGB", (width, sum(picture.height for picture in pictures)), "white")
    whole.paste(pictures[0])
    whole.paste(pictures[1], (0, pictures[0].height))
    whole.quantize(256, Image.Quantize.MAXCOVERAGE).save(path, optimize=True)


if __name__ == "__main__":
    page = Path(sys.argv[1] if len(sys.argv) > 1 else "medkd_demo/report.html")
    draw_overview(Path(__file__).parents[1] / "pictures/overview.png", page)
