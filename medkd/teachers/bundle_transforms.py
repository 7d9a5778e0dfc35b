"""Intensities, axes and spacing that a MONAI bundle's preprocessing states. Its configuration is read, not executed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from monai.bundle import ConfigParser
from monai.transforms.intensity import array

from .geometry import Geometry
from .intensity import Linear, range_scaling

__all__ = ["read_geometry", "read_scaling"]

# Transforms that may follow an Orientation and undo it.
_TURNS = {"Transpose", "Flip", "Rotate90"}
_OPPOSITE_DIRECTIONS = ("LR", "PA", "IS")
_RANGE = "ScaleIntensityRange"
# Random transforms belong to training: they vary the scale and do not set it. A Lambda may do anything.
_INTENSITY_TRANSFORMS = {"Lambda", *(name for name in array.__all__ if not name.startswith("Rand"))}


def read_scaling(config: dict[str, Any]) -> Linear | None:
    """Return the intensity range that the preprocessing scales.

    Args:
        config: content of the bundle's configuration.

    Returns:
        The scaling of the first preprocessing that has an intensity transform; None if there is none, if it is not a
        single ScaleIntensityRange, or if its numbers are expressions.
    """
    for transforms in _preprocessings(config):
        candidates = [item for item in transforms if _name(item) in _INTENSITY_TRANSFORMS and not _is_for_labels(item)]
        if candidates:
            return _range_of(config, candidates[0]) if len(candidates) == 1 else None
    return None


def _range_of(config: dict[str, Any], transform: dict[str, Any]) -> Linear | None:
    if _name(transform) != _RANGE or isinstance(transform.get("_disabled_"), str):
        return None
    a_min, a_max, b_min, b_max = (_number(config, transform.get(name)) for name in ("a_min", "a_max", "b_min", "b_max"))
    clip = _number(config, transform.get("clip", False))
    if a_min is None or a_max is None or b_min is None or b_max is None or clip is None:
        return None
    return range_scaling(a_min, a_max, b_min, b_max, clip=bool(clip))


def read_geometry(config: dict[str, Any]) -> Geometry:
    """Return axes by the Orientation and spacing by the Spacing of the first preprocessing that has one of them.

    Args:
        config: content of the bundle's configuration.
    """
    for transforms in _preprocessings(config):
        last = {_name(item): item for item in transforms}
        if not {"Orientation", "Spacing"} & last.keys():
            continue
        orientation = last.get("Orientation", {})
        canonical = orientation.get("as_closest_canonical") is True
        axcodes = "RAS" if canonical else _value(config, orientation.get("axcodes"))
        is_certain = not isinstance(orientation.get("_disabled_"), str) and not _TURNS & last.keys()
        spacing = _spacing_of(config, last.get("Spacing", {}))
        return Geometry(axcodes, True, spacing) if _are_axes(axcodes) and is_certain else Geometry(spacing=spacing)
    return Geometry()


def _spacing_of(config: dict[str, Any], transform: dict[str, Any]) -> list[Any] | None:
    pixdim = _value(config, transform.get("pixdim"))
    if isinstance(pixdim, int | float):
        pixdim = [pixdim] * 3
    return [_value(config, mm) for mm in pixdim] if isinstance(pixdim, list) and len(pixdim) == 3 else None


def _are_axes(axcodes: Any) -> bool:
    """Return whether these are three letters, one of each pair of opposite directions."""
    if not isinstance(axcodes, str):
        return False
    pairs = [min(pair) for letter in axcodes for pair in _OPPOSITE_DIRECTIONS if letter in pair]
    return sorted(pairs) == ["A", "I", "L"]


def _preprocessings(config: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
    """Yield the transforms of inference, validation and training, in this order."""
    yield list(_components(config.get("preprocessing")))
    for name in ("validate", "train"):
        section = config.get(name)
        flat = config.get(f"{name}::preprocessing")
        yield list(_components(section.get("preprocessing") if isinstance(section, dict) else flat))


def _components(content: Any) -> Iterator[dict[str, Any]]:
    """Yield all components in order, without those that are disabled."""
    if isinstance(content, dict):
        if str(content.get("_disabled_")).strip().lower() == "true":
            return
        if "_target_" in content:
            yield content
        content = list(content.values())
    for item in content if isinstance(content, list) else ():
        yield from _components(item)


def _name(component: dict[str, Any]) -> str:
    """Return the transform's name, without the endings of MONAI's dictionary transforms."""
    return re.sub(r"(d|D|Dict)$", "", str(component["_target_"]).rpartition(".")[2])


def _is_for_labels(component: dict[str, Any]) -> bool:
    return component.get("keys") in ("label", ["label"])


def _number(config: dict[str, Any], value: Any) -> float | None:
    value = _value(config, value)
    return value if isinstance(value, int | float) else None


def _value(config: dict[str, Any], value: Any) -> Any:
    """Return a value as it is written, or what it refers to. Expressions are not evaluated."""
    return ConfigParser(config).get(value[1:]) if isinstance(value, str) and value.startswith("@") else value
