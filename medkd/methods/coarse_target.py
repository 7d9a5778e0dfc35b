"""A note for methods that teach where the teacher looks by a map of few positions: on small images the bottleneck is one.

This module imports neither torch nor MONAI, as `presets`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .presets import resolve_preset, resolve_reference

__all__ = ["note_coarse_target"]

# A target of fewer positions says little of where the teacher looks: the paper's has 1024, one of 64 x 64 pixels 16.
_FEW_POSITIONS = 64
_BOTTLENECK = ("bottleneck", "encoder.-1")


def note_coarse_target(name: str, args: Mapping[str, Any] | None, teacher: Any, image_size: Sequence[int]) -> None:
    """Print a note where the importance map that a method teaches has few positions at the size of the images.

    Args:
        name: a method, see `names`.
        args: arguments that replace defaults of the preset.
        teacher: the tapped teacher (`FeatureTaps`).
        image_size: edges of the images, or patches, that are trained on, in pixels or voxels.
    """
    shapes = teacher.shapes
    if not shapes.encoder:
        return
    preset, arguments = resolve_preset(name, args)
    is_final = arguments.get("late") == "final" and bool(shapes.decoder)
    coarse = (shapes.decoder if is_final else shapes.encoder)[-1].shape[2:]
    edges = [
        max(1, size * few // dry) for size, dry, few in zip(image_size, shapes.logits.shape[2:], coarse, strict=True)
    ]
    if (count := math.prod(edges)) >= _FEW_POSITIONS:
        return
    inputs = "images" if len(edges) == 2 else "patches"
    size, positions = (" x ".join(map(str, values)) for values in (image_size, edges))
    for term, argument in _deepest_targets(preset, arguments):
        advice = f", or --method_args::{argument}" if argument and shapes.decoder and not is_final else ""
        print(
            f"note: method {name}: the teacher's {'last map' if is_final else 'bottleneck'}, the target of {term}, has "
            f"{positions} = {count} positions for {inputs} of {size}, fewer than {_FEW_POSITIONS}: use larger {inputs}{advice}",
            flush=True,
        )


def _deepest_targets(preset: Mapping[str, Any], arguments: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the terms that teach the importance map of the teacher's late map alone, and an argument that names another."""
    for term, content in preset["terms"].items():
        loss = content.get("loss", {}).get("_target_", "").rpartition(".")[2]
        if loss == "HLFDLoss" and arguments["beta"] and "ifd" in arguments["terms"]:
            yield "IFD", "late final"
        elif loss == "HIFDLoss" and arguments["gamma"]:
            yield term, ""
        elif loss == "ATLoss" and resolve_reference(content["weight"], arguments):
            tap = resolve_reference(content["tap"], arguments)
            # of an expression, such as "$@args::stages + ' -> bottleneck'", the end tells the teacher's map
            sides = [side.rpartition("->")[2].strip(" '") for side in ([tap] if isinstance(tap, str) else tap)]
            if all(side in _BOTTLENECK for side in sides):
                is_argument = isinstance(content["tap"], str) and content["tap"].startswith("@args::")
                yield term, content["tap"].removeprefix("@args::") if is_argument else ""
