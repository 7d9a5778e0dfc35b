"""The names of classes and channels in a ``dataset.json``, and the rule for the intensities of each channel."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["channel_rule", "read_channel_names", "read_label_names"]

IGNORED = {"ignore", "ignored", "ignore label", "ignore_label", "ignore-label", "ignore index", "ignore_index"}
# nnU-Net's names of normalisations, in lower case -> the modality that they mean here, and what nnU-Net does.
NORMALISATIONS = {
    "ct": ("ct", ""),
    "zscore": ("other", "z-score"),
    "nonorm": ("other", "no normalisation"),
    "rescale_0_1": ("other", "0 to 1"),
    "rescale_to_0_1": ("other", "0 to 1"),
    "rgb_to_0_1": ("other", "divided by 255"),
}
Notes = list[str]


def read_label_names(content: Mapping[str, Any], place: str) -> tuple[dict[int, str], Notes]:
    """Return label value -> name of the classes above 0 in order of value, empty where none are named, and notes.

    ``labels`` is name -> value (nnU-Net v2), value -> name (nnU-Net v1, Decathlon), or a list of names in order of value.

    Args:
        content: content of the ``dataset.json``.
        place: its path, for messages.

    Raises:
        ValueError: for regions, an ignore label, values other than whole numbers from 0 to 255, a value or a name that
            is there twice, or no class above 0.
    """
    place = f"{place}: labels"
    labels = content.get("labels")
    if labels is None:
        return {}, []
    pairs = [(_value(value, place, name), name) for value, name in _value_names(labels, place)]
    _refuse_ignore(pairs, place)
    for kind, items in (("value", [value for value, _ in pairs]), ("name", [name for _, name in pairs])):
        if repeated := [item for item, count in Counter(items).items() if count > 1]:
            raise ValueError(f"{place}: the {kind} {repeated[0]!r} is there twice, expected one {kind} for each class")
    names = {value: name for value, name in sorted(pairs) if value}
    if not names:
        raise ValueError(f"{place}: found no value above 0, expected one class at least")
    notes = []
    background = dict(pairs).get(0, "background")
    if background.casefold() not in ("background", "bg", "clear", "clear label", "0"):
        notes.append(f"labels: the value 0 is called {background!r}, and is taken as background")
    if content.get("regions_class_order"):
        notes.append("regions_class_order has no effect: no label is a region")
    return names, notes


def _value_names(labels: Any, place: str) -> list[tuple[Any, str]]:
    """Return pairs of value and name, whichever of them are the keys."""
    if isinstance(labels, list):
        labels = {str(value): name for value, name in enumerate(labels)}
    if not isinstance(labels, dict) or not labels:
        raise ValueError(f"{place}: found {str(labels)[:60]}, expected names with their values")
    are_values = [isinstance(value, int | float | list) or _is_number(value) for value in labels.values()]
    by_value = all(map(_is_number, labels)) and not all(
        isinstance(value, int | float | list) for value in labels.values()
    )
    if not by_value and not all(are_values):
        odd = list(labels)[are_values.index(False) if any(are_values) else 0]
        found = f"{odd!r:.40}: {labels[odd]!r:.40}"
        raise ValueError(f"{place}: found {found}, expected name: value (nnU-Net) or value: name (Decathlon)")
    pairs = [(key, value) if by_value else (value, key) for key, value in labels.items()]
    if wrong := [name for _, name in pairs if not isinstance(name, str)]:
        raise ValueError(f"{place}: found {wrong[0]!r:.60}, expected the name of a class")
    return [(value, unicodedata.normalize("NFC", name.strip())) for value, name in pairs]


def _is_number(text: Any) -> bool:
    return isinstance(text, str) and text.strip().isascii() and text.strip().isdecimal()


def _value(value: Any, place: str, name: str) -> int:
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, list):
        raise ValueError(
            f"{place}: {name} is a region of several values, {value}, expected one value for each class: write each value "
            "of the masks as a class of its own and remove regions_class_order; the masks stay as they are"
        )
    number = float(value) if isinstance(value, int | float) or _is_number(value) else -1
    if isinstance(value, bool) or number != int(number) or not 0 <= number <= 255:
        raise ValueError(f"{place}: {name} has the value {value!r:.40}, expected a whole number from 0 to 255")
    return int(number)


def _refuse_ignore(pairs: Sequence[tuple[int, str]], place: str) -> None:
    for value, name in pairs:
        if name.casefold() in IGNORED:
            raise ValueError(
                f"{place}: {name} (value {value}) is an ignore label, expected classes alone: every voxel is learned from. "
                f"Leave out the cases whose masks hold {value}, or give these voxels a class or the background, then "
                "remove the entry"
            )


def read_channel_names(content: Mapping[str, Any], place: str) -> tuple[tuple[str, ...], Notes]:
    """Return the names of the channels in order of their numbers, empty where none are named, and notes.

    Args:
        content: content of the ``dataset.json``: ``channel_names`` (nnU-Net v2) or ``modality`` (v1, Decathlon), number ->
            name, a list of names, or the name of the only channel.
        place: its path, for messages.

    Raises:
        ValueError: for two lists that differ, keys that are no numbers, names that are no texts.
    """
    found = {key: content[key] for key in ("channel_names", "modality") if content.get(key)}
    if not found:
        return (), []
    key, value = next(iter(found.items()))
    if len(found) > 1 and found["channel_names"] != found["modality"]:
        raise ValueError(f"{place}: channel_names and modality differ, expected one of them")
    channels = {"0": value} if isinstance(value, str) else value
    channels = {str(number): name for number, name in enumerate(channels)} if isinstance(channels, list) else channels
    if not isinstance(channels, dict) or not all(map(_is_number, channels)):
        raise ValueError(f"{place}: {key}: found {str(value)[:60]}, expected number: name of each channel")
    notes = []
    numbers = sorted(map(int, channels))
    if numbers != list(range(len(numbers))):
        notes.append(
            f"{key}: the channels are numbered {', '.join(map(str, numbers))}, expected 0, 1, ...: taken in order"
        )
    names = [channels[key] for key in sorted(channels, key=int)]
    if wrong := [name for name in names if not isinstance(name, str) or not name.strip()]:
        raise ValueError(f"{place}: {key}: found {wrong[0]!r:.60}, expected the name of a channel")
    names = [unicodedata.normalize("NFC", name.strip()) for name in names]
    if len(set(names)) < len(names):
        names = [f"{name}_{number}" if names.count(name) > 1 else name for number, name in enumerate(names)]
        notes.append(f"{key}: channels of one name are told apart by their numbers: {', '.join(names)}")
    return tuple(names), notes


def channel_rule(name: str) -> tuple[str | None, str]:
    """Return the modality that the name of a channel means to nnU-Net, and a sentence on its rule.

    Returns:
        ``"ct"``, ``"other"``, or None where the data are to decide.

    Example:
        >>> channel_rule("CT"), channel_rule("T2")
        (('ct', 'CT: HU, kept'), (None, 'T2: decided by the data'))
    """
    modality, instead = NORMALISATIONS.get(name.casefold().rstrip("_0123456789") or name, (None, ""))
    modality, instead = NORMALISATIONS.get(name.casefold(), (modality, instead))
    if modality is None:
        return None, f"{name}: decided by the data"
    if modality == "ct":
        return modality, f"{name}: HU, kept"
    return modality, f"{name}: each case rescaled by its own percentiles (nnU-Net: {instead})"
