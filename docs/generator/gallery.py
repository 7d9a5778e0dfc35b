"""Draw the gallery: phantoms, their labels, and what networks and corrections make of them. Nothing is trained."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from .overview import draw_correction, draw_importance, draw_phantoms, draw_slices
from .pages import GENERATED, write

__all__ = ["write_gallery"]

_PICTURES = {
    "phantoms": (draw_phantoms, "One case of each task's phantoms, with the outlines of its labels."),
    "slices": (draw_slices, "Nine slices of a phantom volume, from head to foot, with the outlines of both classes."),
    "importance": (
        draw_importance,
        "Importance maps, what `at` and `hlfd` compare: the stages of a UNet++ and of a UNet, untrained, on one phantom.",
    ),
    "boundary": (
        draw_correction,
        "The boundary transform of PLC-KD: pixels of the border and of the interior change places.",
    ),
}


def write_gallery() -> None:
    """Write ``gallery.md`` and its pictures.

    The environment variable ``MEDKD_DEMO`` names the folder of a demo that has run; its overlays are then shown as well.
    """
    folder = GENERATED / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["# Gallery", "", "The build draws these pictures from phantoms: `sphinx-build -c docs . build/docs`."]
    for name, (draw, text) in _PICTURES.items():
        path = folder / f"{name}.png"
        if not path.exists():
            draw(path)
        lines += ["", text, "", f"```{{image}} pictures/{name}.png", f":alt: {text}", "```"]
    lines += ["", *_demo(folder)]
    write("gallery.md", "\n".join(lines) + "\n")


def _demo(folder: Path) -> list[str]:
    demo = os.environ.get("MEDKD_DEMO")
    if not demo:
        note = "With `MEDKD_DEMO=medkd_demo` in the environment, the build shows the overlays of"
        return [f"{note} [the demo](../get-started/demo.md) as well."]
    lines = ["## The demo's test cases", ""]
    for overlay in sorted((Path(demo) / "overlays").rglob("*.png")):
        shutil.copyfile(overlay, folder / f"demo_{overlay.name}")
        lines += [f"```{{image}} pictures/demo_{overlay.name}", f":alt: {overlay.stem}", "```"]
    return lines
