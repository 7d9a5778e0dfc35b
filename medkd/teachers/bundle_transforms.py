"""Intensities, axes and spacing that a MONAI bundle's preprocessing states.

Its transforms are not built. Their arguments are: a window may be a reference, or an expression of MONAI such as
``$@window[0]``, which executes code of the bundle as its network does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from numbers import Real
from typing import Any

from monai.bundle import ConfigParser
from monai.bundle.reference_resolver import ReferenceResolver
from monai.transforms.intensity import array

from .geometry import Geometry
from .intensity import Linear, range_scaling

__all__ = ["read_geometry", "read_scaling", "scales_per_case"]

# Transforms that may follow an Orientation and undo it.
_TURNS = {"Transpose", "Flip", "Rotate90"}
_OPPOSITE_DIRECTIONS = ("LR", "PA", "IS")
_RANGE = "ScaleIntensityRange"
# Random transforms belong to training: they vary the scale and do not set it. A Lambda may do anything.
_INTENSITY_TRANSFORMS = {"Lambda", *(name for name in array.__all__ if not name.startswith("Rand"))}


def read_scaling(parser: ConfigParser) -> Linear | None:
    """Return the intensity range that the preprocessing scales.

    Args:
        parser: of the bundle's configuration, parsed.

    Returns:
        The scaling of the first preprocessing that has an intensity transform; None if there is none, or if it is not a
        single ScaleIntensityRange.

    Raises:
        ValueError: If an argument is no number, or cannot be computed.
    """
    for transforms in _preprocessings(parser):
        candidates = [id for id, name in transforms if name in _INTENSITY_TRANSFORMS and not _is_for_labels(parser, id)]
        if candidates:
            return _range_of(parser, candidates[0], transforms) if len(candidates) == 1 else None
    return None


def scales_per_case(parser: ConfigParser) -> bool:
    """Return whether the preprocessing of a bundle that medkd packed maps percentiles of each case first."""
    for transforms in _preprocessings(parser):
        ids = [id for id, name in transforms if name == "NormaliseCase"]
        if ids:
            return bool(_value(parser, f"{ids[0]}::per_case", True))
    return False


def _range_of(parser: ConfigParser, id: str, transforms: list[tuple[str, str]]) -> Linear | None:
    if dict(transforms)[id] != _RANGE:
        return None
    a_min, a_max = (_number(parser, f"{id}::{name}") for name in ("a_min", "a_max"))
    if all(_value(parser, f"{id}::{name}") is None for name in ("b_min", "b_max")):
        return range_scaling(a_min, a_max, 0, 1, clip=False)
    b_min, b_max = (_number(parser, f"{id}::{name}") for name in ("b_min", "b_max"))
    return range_scaling(a_min, a_max, b_min, b_max, clip=bool(_value(parser, f"{id}::clip", False)))


def read_geometry(parser: ConfigParser) -> Geometry:
    """Return axes by the Orientation and spacing by the Spacing of the first preprocessing that has one of them.

    Args:
        parser: of the bundle's configuration, parsed.

    Raises:
        ValueError: If an argument cannot be computed.
    """
    for transforms in _preprocessings(parser):
        last = {name: id for id, name in transforms}
        if not {"Orientation", "Spacing"} & last.keys():
            continue
        orientation, pixdim = last.get("Orientation"), None
        canonical = _value(parser, f"{orientation}::as_closest_canonical") is True
        axcodes = "RAS" if canonical else _value(parser, f"{orientation}::axcodes")
        if "Spacing" in last:
            pixdim = _value(parser, f"{last['Spacing']}::pixdim")
        spacing = _spacing_of(pixdim)
        is_certain = _are_axes(axcodes) and not _TURNS & last.keys()
        return Geometry(axcodes, True, spacing) if is_certain else Geometry(spacing=spacing)
    return Geometry()


def _spacing_of(pixdim: Any) -> list[Any] | None:
    if isinstance(pixdim, Real):
        pixdim = [pixdim] * 3
    return list(pixdim) if isinstance(pixdim, list | tuple) and len(pixdim) == 3 else None


def _are_axes(axcodes: Any) -> bool:
    """Return whether these are three letters, one of each pair of opposite directions."""
    if not isinstance(axcodes, str):
        return False
    pairs = [min(pair) for letter in axcodes for pair in _OPPOSITE_DIRECTIONS if letter in pair]
    return sorted(pairs) == ["A", "I", "L"]


def _preprocessings(parser: ConfigParser) -> Iterator[list[tuple[str, str]]]:
    """Yield the ids and names of the transforms of inference, validation and training, in this order."""
    for id in ("preprocessing", "validate::preprocessing", "train::preprocessing"):
        yield [(id, _name(_content(parser, id))) for id in _components(parser, id)]


def _components(parser: ConfigParser, id: str, depth: int = 9) -> Iterator[str]:
    """Yield the ids of all components in order, without those that are disabled; references are followed."""
    content = _content(parser, id)
    if isinstance(content, str) and content.startswith(("@", "$")) and depth:
        for reference in ReferenceResolver.match_refs_pattern(content):
            yield from _components(parser, reference, depth - 1)
    if isinstance(content, dict):
        if str(_value(parser, f"{id}::_disabled_")).strip().lower() == "true":
            return
        if "_target_" in content:
            yield id
    for key in content if isinstance(content, dict) else range(len(content)) if isinstance(content, list) else ():
        yield from _components(parser, f"{id}::{key}", depth)


def _content(parser: ConfigParser, id: str) -> Any:
    """Return what the configuration has at an id, as it is written; None for nothing."""
    item = parser.ref_resolver.items.get(id)
    return None if item is None else item.get_config()


def _name(component: dict[str, Any]) -> str:
    """Return the transform's name, without the endings of MONAI's dictionary transforms."""
    return re.sub(r"(d|D|Dict)$", "", str(component["_target_"]).rpartition(".")[2])


def _is_for_labels(parser: ConfigParser, id: str) -> bool:
    return _value(parser, f"{id}::keys") in ("label", ["label"], ("label",))


def _number(parser: ConfigParser, id: str) -> float:
    value = _value(parser, id)
    if not isinstance(value, Real) or isinstance(value, bool):
        raise ValueError(f"{id}: found {value!r}, expected a number")
    return float(value)


def _value(parser: ConfigParser, id: str, default: Any = None) -> Any:
    """Return the value of an id: what is written, what it refers to, or what its expression gives."""
    if id not in parser.ref_resolver.items:
        return default
    try:
        return parser.get_parsed_content(id)
    except Exception as error:  # the configuration's own code may raise anything
        reason = " ".join(str(error.__cause__ or error).split())
        raise ValueError(f"{id}: {_content(parser, id)!r} cannot be computed: {reason}") from None
