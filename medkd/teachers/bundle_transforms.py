"""Intensities, axes and spacing that a MONAI bundle's preprocessing states.

Of its transforms, those of intensities alone are built; of others, arguments are read. A window may be a reference, or an
expression of MONAI such as ``$@window[0]``, which executes code of the bundle as its network does.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from numbers import Real
from typing import Any

from monai.bundle import ConfigParser
from monai.bundle.reference_resolver import ReferenceResolver
from monai.transforms.intensity import array

from medkd.io.normalise import channel_flags, channel_windows

from .geometry import Geometry
from .scalings import ArrayTransform, Chain, Linear, range_scaling

__all__ = ["read_geometry", "read_scalings", "scales_per_case"]

# Transforms that may follow an Orientation and undo it.
_TURNS = {"Transpose", "Flip", "Rotate90"}
_OPPOSITE_DIRECTIONS = ("LR", "PA", "IS")
_RANGE = "ScaleIntensityRange"
_WINDOW = "ScaleWindow"  # of bundles that medkd packed
_NO_ARGUMENTS = ("keys", "allow_missing_keys", "dtype")
_CROPS = re.compile("Crop|Pad")
# Random transforms belong to training: they vary the scale and do not set it. A Lambda may do anything.
_INTENSITY_TRANSFORMS = {"Lambda", _WINDOW, *(name for name in array.__all__ if not name.startswith("Rand"))}


def read_scalings(parser: ConfigParser) -> list[Linear | Chain | None]:
    """Return how the preprocessing scales the intensities of each channel, or of all.

    Args:
        parser: of the bundle's configuration, parsed.

    Returns:
        The scalings of the first preprocessing that has an intensity transform; None if there is none.

    Raises:
        ValueError: If a transform cannot be repeated here, or an argument is no number or cannot be computed.
    """
    for transforms in _preprocessings(parser):
        steps = [
            _steps_of(parser, id, name, transforms)
            for id, name in transforms
            if name in _INTENSITY_TRANSFORMS and not _is_for_labels(parser, id)
        ]
        if steps:
            count = max(map(len, steps))
            return [_chain([step[min(channel, len(step) - 1)] for step in steps]) for channel in range(count)]
    return [None]


def _steps_of(
    parser: ConfigParser, id: str, name: str, transforms: list[tuple[str, str]]
) -> list[Linear] | list[ArrayTransform]:
    """Return what a transform does with each channel, or with all."""
    if name == _WINDOW:
        return [range_scaling(low, high, -1, 1) for low, high in channel_windows(_value(parser, f"{id}::window"))]
    return [_range_of(parser, id)] if name == _RANGE else [_transform_of(parser, id, name, transforms)]


def _chain(steps: list[Linear | ArrayTransform]) -> Linear | Chain:
    return steps[0] if len(steps) == 1 and isinstance(steps[0], Linear) else Chain(tuple(steps))


def scales_per_case(parser: ConfigParser) -> list[bool]:
    """Return whether a bundle that medkd packed maps percentiles of each case first, for each channel or for all."""
    for transforms in _preprocessings(parser):
        ids = [id for id, name in transforms if name == "NormaliseCase"]
        if ids:
            return channel_flags(_value(parser, f"{ids[0]}::per_case", True))
    return [False]


def _range_of(parser: ConfigParser, id: str) -> Linear:
    a_min, a_max = (_number(parser, f"{id}::{name}") for name in ("a_min", "a_max"))
    if all(_value(parser, f"{id}::{name}") is None for name in ("b_min", "b_max")):
        return range_scaling(a_min, a_max, 0, 1, clip=False)
    b_min, b_max = (_number(parser, f"{id}::{name}") for name in ("b_min", "b_max"))
    return range_scaling(a_min, a_max, b_min, b_max, clip=bool(_value(parser, f"{id}::clip", False)))


def _transform_of(parser: ConfigParser, id: str, name: str, transforms: list[tuple[str, str]]) -> ArrayTransform:
    """Return a transform that can be repeated with the image alone."""
    if name not in ArrayTransform.NAMES:
        raise ValueError(f"{id}: found {name}, which cannot be repeated here")
    dtype = _value(parser, f"{id}::dtype", "float32")
    if dtype is not None and "float" not in str(dtype):
        raise ValueError(f"{id}::dtype: found {dtype}, expected a floating-point type")
    known = inspect.signature(getattr(array, name)).parameters
    given = [key for key in _content(parser, id) if key not in _NO_ARGUMENTS and not key.startswith("_")]
    arguments = {key: _plain(parser, f"{id}::{key}") for key in given}
    if unknown := [key for key in given if key not in known and arguments[key] is not None]:
        raise ValueError(f"{id}: found {', '.join(unknown)} of {name}, which cannot be repeated here")
    transform = ArrayTransform(name, tuple((key, arguments[key]) for key in given if key in known))
    earlier = [other for other_id, other in transforms[: transforms.index((id, name))] if _CROPS.search(other)]
    if earlier and transform.has_statistics:
        raise ValueError(f"{id}: found {name} after {earlier[0]}, which takes its statistics of a part of the image")
    return transform


def read_geometry(parser: ConfigParser) -> Geometry:
    """Return axes by the Orientation and spacing by the Spacing of the first preprocessing that has one of them.

    The patch is the window of the inferer.

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
        geometry = Geometry(axcodes, True, spacing) if is_certain else Geometry(spacing=spacing)
        return geometry._replace(patch_size=_window_of(parser))
    return Geometry(patch_size=_window_of(parser))


def _window_of(parser: ConfigParser) -> list[Any] | None:
    """Return the window of the inferer of inference or validation; None without one, or if it is unknown."""
    for id in ("inferer::roi_size", "validate::inferer::roi_size"):
        try:
            size = _value(parser, id)
        except ValueError:  # of another use of the bundle than that of its network
            continue
        if isinstance(size, Real):
            size = [size] * 3
        if isinstance(size, list | tuple) and len(size) == 3:
            return list(size)
    return None


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


def _plain(parser: ConfigParser, id: str) -> Any:
    """Return a number, truth value or None, or a tuple of numbers."""
    value = _value(parser, id)
    value = value.tolist() if hasattr(value, "tolist") else value
    items = value if isinstance(value, list | tuple) else [value]
    if not all(item is None or isinstance(item, Real) for item in items):
        raise ValueError(f"{id}: found {value!r}, expected a number")
    return tuple(items) if isinstance(value, list | tuple) else value


def _value(parser: ConfigParser, id: str, default: Any = None) -> Any:
    """Return the value of an id: what is written, what it refers to, or what its expression gives."""
    if id not in parser.ref_resolver.items:
        return default
    try:
        return parser.get_parsed_content(id)
    except Exception as error:  # the configuration's own code may raise anything
        reason = " ".join(str(error.__cause__ or error).split())
        raise ValueError(f"{id}: {_content(parser, id)!r} cannot be computed: {reason}") from None
