"""The description of an exported network: all that inference needs besides the weights."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

from medkd.io import FORMS

__all__ = ["KEY", "KINDS", "ModelSpec"]

KEY = "medkd"  # of the ONNX file's metadata
KINDS = ("slices", "volumes", "pictures")
_AXES = {"L": "R", "R": "R", "P": "A", "A": "A", "I": "S", "S": "S"}  # code of a direction -> its axis


@dataclasses.dataclass(frozen=True)
class ModelSpec:
    """The description of an exported network, stored as JSON in the metadata of the ONNX file.

    Attributes:
        task: name of the bundle.
        kind: what the network sees of an image: "slices" or "volumes" of a scan, or whole "pictures".
        channels: of the image.
        per_case: None: intensities as they are; False: rounded; True: scaled by percentiles, see `normalise_channels`. Of
            several channels, one for each.
        intensities: these two become -1 and 1. Of several channels, two for each, or the same for all.
        clip: whether values outside -1..1 are clipped.
        padding: value, after scaling, around scans that are smaller than a window.
        orientation: directions that the axes of a scan point to, nibabel's codes; None for pictures.
        size: of a window (slices: rows, columns; volumes: slices, rows, columns), or that pictures are resized to.
        spacing: mm that volumes are resampled to, in the order of ``size``; None: as they are.
        overlap: of neighbouring windows, a share of their edges.
        multiple: every edge of an input must be a multiple of it.
        classes: value in the prediction -> name; 0 is the background.
        decide: how logits become labels; "argmax" is the only rule.
        trained_with: the record of the training, for people.
        format: "onnx" or "onnx-int8".
        version: of medkd, which wrote it.
        form: of the pictures, see `medkd.io.FORMS`; empty: any picture as RGB with 8 bit.
        convert: whether pictures of other forms are converted; else they are refused.
    """

    task: str
    kind: str
    channels: int
    per_case: bool | tuple[bool, ...] | None
    intensities: tuple[float, float] | tuple[tuple[float, float], ...]
    clip: bool
    padding: float
    orientation: str | None
    size: tuple[int, ...]
    spacing: tuple[float, ...] | None
    overlap: float
    multiple: int
    classes: dict[int, str]
    decide: str
    trained_with: dict[str, Any]
    format: str
    version: str
    form: str = ""
    convert: bool = False

    @property
    def num_classes(self) -> int:
        """Channels of the logits, background included."""
        return len(self.classes) + 1

    @property
    def channel_names(self) -> list[str]:
        """Names of the channels of a scan, which its files are found by; a single one is called ``image``."""
        if self.kind == "pictures":
            return ["image"]
        names = self.trained_with.get("channels") or []
        return list(names) if len(names) == self.channels else [f"channel_{n}" for n in range(self.channels)]

    def to_json(self) -> str:
        """Return the description as JSON."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ModelSpec:
        """Read what `to_json` wrote.

        Raises:
            ValueError: for any other text, and for a value that this version does not know.
        """
        try:
            content = json.loads(text)
        except RecursionError:
            raise ValueError("the description is nested too deeply") from None
        names = {field.name for field in dataclasses.fields(cls)}
        added = {"form", "convert"}  # which earlier versions did not write
        if not isinstance(content, dict) or not names - added <= content.keys() <= names:
            unexpected = sorted(content.keys() ^ names) if isinstance(content, dict) else type(content).__name__
            raise ValueError(f"written by another version of medkd: {unexpected} is not as expected")
        for name, valid in (("kind", KINDS), ("decide", ("argmax",))):
            if content[name] not in valid:
                raise ValueError(f"{name}: found {content[name]!r}, expected {' or '.join(valid)}")
        content = {"form": "", "convert": False, **content}
        _check_kinds(content)
        content["classes"] = {int(value): name for value, name in content["classes"].items()}
        for name in ("per_case", "intensities", "size", "spacing"):
            content[name] = _as_tuple(content[name])
        return cls(**content)


def _as_tuple(value: Any) -> Any:
    return tuple(map(_as_tuple, value)) if isinstance(value, list) else value


def _check_kinds(content: dict[str, Any]) -> None:
    """Raise ValueError for a value of another kind than `ModelSpec` has."""
    axes = {"slices": 2, "volumes": 3, "pictures": 2}[content["kind"]]
    classes, orientation = content["classes"], content["orientation"]
    has_classes = isinstance(classes, dict) and 0 < len(classes) < 256
    checks = {
        "task": isinstance(content["task"], str),
        "channels": _is_number(content["channels"], 1, True),
        "per_case": _are_flags(content["per_case"], content["channels"]),
        "intensities": _are_windows(content["intensities"], content["channels"]),
        "clip": isinstance(content["clip"], bool),
        "padding": _is_number(content["padding"], -math.inf),
        "orientation": orientation is None
        if content["kind"] == "pictures"
        else isinstance(orientation, str) and sorted(_AXES.get(code, "") for code in orientation) == ["A", "R", "S"],
        "size": _are_numbers(content["size"], axes, 1, True),
        "spacing": content["spacing"] is None or _are_numbers(content["spacing"], axes, 1e-6),
        "overlap": _is_number(content["overlap"], 0) and content["overlap"] < 1,
        "multiple": _is_number(content["multiple"], 1, True),
        "form": content["form"] in ("", *FORMS),
        "convert": isinstance(content["convert"], bool),
        "classes": has_classes and sorted(classes) == sorted(str(i + 1) for i in range(len(classes))),
    }
    if wrong := [name for name, is_right in checks.items() if not is_right]:
        raise ValueError(f"{wrong[0]}: found {str(content[wrong[0]])[:80]}, expected what medkd export writes")


def _is_number(value: Any, least: float, is_whole: bool = False) -> bool:
    if isinstance(value, bool) or not isinstance(value, int if is_whole else int | float):
        return False
    return math.isfinite(value) and least <= value < 1e9


def _are_flags(value: Any, channels: Any) -> bool:
    if isinstance(value, list):
        return len(value) == channels and all(isinstance(flag, bool) for flag in value)
    return value is None or isinstance(value, bool)


def _are_windows(value: Any, channels: Any) -> bool:
    if isinstance(value, list) and value and isinstance(value[0], list):
        return len(value) == channels and all(_are_windows(pair, 1) for pair in value)
    return _are_numbers(value, 2) and value[0] < value[1]


def _are_numbers(values: Any, count: int, least: float = -math.inf, is_whole: bool = False) -> bool:
    return isinstance(values, list) and len(values) == count and all(_is_number(v, least, is_whole) for v in values)
