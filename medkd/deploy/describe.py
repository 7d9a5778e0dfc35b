"""Describe a trained network by the configuration that uses it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import medkd
from medkd.deploy.runtime.spec import ModelSpec

__all__ = ["describe", "kind_of"]

_OVERLAPS = {"slices": 0.25, "pictures": 0.0}  # that of MONAI's `SliceInferer`; pictures are one window


def kind_of(ids: Collection[str], value: Callable[[str], Any]) -> str:
    """Return "slices", "volumes" or "pictures"; for the arguments see `describe`."""
    return {"2d": "slices", "3d": "volumes"}[value("mode")] if "mode" in ids else "pictures"


def describe(task: str, ids: Collection[str], value: Callable[[str], Any], channels: int, multiple: int) -> ModelSpec:
    """Return the description of a network; its ``format`` is empty.

    Args:
        task: name of the bundle.
        ids: of the configuration.
        value: the resolved value of an id.
        channels: of the network's images.
        multiple: every edge of an input must be a multiple of it.
    """
    kind = kind_of(ids, value)
    spacing = value("spacing") if kind == "volumes" else None
    return ModelSpec(
        task=task,
        kind=kind,
        channels=channels,
        per_case=_as_tuple(value("per_case")) if "per_case" in ids else None,
        intensities=_as_tuple(value("window")) if "window" in ids else (0, 255),
        clip="window" in ids,
        padding=-1,
        orientation=None if kind == "pictures" else "IPL",
        size=tuple(value("image_size")),
        spacing=None if spacing is None else tuple(spacing),
        overlap=value("overlap") if kind == "volumes" else _OVERLAPS[kind],
        multiple=multiple,
        classes=dict(value("classes")),
        decide="argmax",
        trained_with=value("trained_with"),
        format="",
        version=medkd.__version__,
        form=value("form") if "form" in ids else "",
        convert=value("convert") if "convert" in ids else False,
    )


def _as_tuple(value: Any) -> Any:
    return tuple(map(_as_tuple, value)) if isinstance(value, list | tuple) else value
