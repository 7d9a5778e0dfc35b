"""What the preprocessing of a MONAI bundle says of its images: read from its configuration, nothing is executed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from monai.bundle import ConfigParser
from monai.transforms.intensity import array

from .geometry import Geometry
from .intensity import Linear, range_scaling

__all__ = ["geometry_of", "scaling_of"]

# What may follow an Orientation and undo what it says.
_TURNING = {"Transpose", "Flip", "Rotate90"}
_PAIRS = ("LR", "PA", "IS")
_RANGE = "ScaleIntensityRange"
# Those by chance are of training alone: they vary the scale, they do not set it. A Lambda may do anything.
_OF_INTENSITY = {"Lambda", *(name for name in array.__all__ if not name.startswith("Rand"))}


def scaling_of(config: dict[str, Any]) -> Linear | None:
    """The range that its preprocessing scales; None where there is no such transform, or not one alone."""
    for transforms in _preprocessings(config):
        found = [item for item in transforms if _name(item) in _OF_INTENSITY and not _of_labels(item)]
        if not found:
            continue
        if len(found) > 1 or _name(found[0]) != _RANGE or isinstance(found[0].get("_disabled_"), str):
            return None
        numbers = [_number(config, found[0].get(name)) for name in ("a_min", "a_max", "b_min", "b_max")]
        clip = _number(config, found[0].get("clip", False))
        return None if None in (*numbers, clip) else range_scaling(*numbers, clip=bool(clip))
    return None


def geometry_of(config: dict[str, Any]) -> Geometry:
    """Axes by its Orientation, spacing by its Spacing: those of the first preprocessing that has one of them."""
    for transforms in _preprocessings(config):
        last = {_name(item): item for item in transforms}
        if not {"Orientation", "Spacing"} & last.keys():
            continue
        of_axes, of_spacing = last.get("Orientation", {}), last.get("Spacing", {})
        codes = "RAS" if of_axes.get("as_closest_canonical") is True else _value(config, of_axes.get("axcodes"))
        is_known = _are_axes(codes) and not isinstance(of_axes.get("_disabled_"), str) and not _TURNING & last.keys()
        mm = _value(config, of_spacing.get("pixdim"))
        mm = [mm] * 3 if isinstance(mm, int | float) else mm
        is_spacing = isinstance(mm, list) and len(mm) == 3
        spacing = [_value(config, one) for one in mm] if is_spacing else None
        return Geometry(codes, True, spacing) if is_known else Geometry(spacing=spacing)
    return Geometry()


def _are_axes(codes: Any) -> bool:
    return isinstance(codes, str) and sorted(min(pair) for c in codes for pair in _PAIRS if c in pair) == [
        "A",
        "I",
        "L",
    ]


def _preprocessings(config: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
    """Of inference, validation and training, in this order."""
    yield list(_components(config.get("preprocessing")))
    for name in ("validate", "train"):
        part = config.get(name)
        found = part.get("preprocessing") if isinstance(part, dict) else config.get(f"{name}::preprocessing")
        yield list(_components(found))


def _components(content: Any) -> Iterator[dict[str, Any]]:
    """All of them, in order, without those that are disabled."""
    if isinstance(content, dict):
        if str(content.get("_disabled_")).strip().lower() == "true":
            return
        if "_target_" in content:
            yield content
        content = list(content.values())
    for item in content if isinstance(content, list) else ():
        yield from _components(item)


def _name(item: dict[str, Any]) -> str:
    """Of the transform, without what MONAI's names of those for dictionaries end with."""
    return re.sub(r"(d|D|Dict)$", "", str(item["_target_"]).rpartition(".")[2])


def _of_labels(item: dict[str, Any]) -> bool:
    return item.get("keys") in ("label", ["label"])


def _number(config: dict[str, Any], value: Any) -> float | None:
    value = _value(config, value)
    return value if isinstance(value, int | float) else None


def _value(config: dict[str, Any], value: Any) -> Any:
    """As it is written, or as what it refers to is; expressions are not evaluated."""
    return ConfigParser(config).get(value[1:]) if isinstance(value, str) and value.startswith("@") else value
