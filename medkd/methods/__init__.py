"""Presets: one YAML file a method, with its terms, weights, taps and the sources of its numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser

from medkd.losses import CombinedLoss
from medkd.networks import FeatureTaps

__all__ = ["build", "load_preset", "names"]

_FOLDER = Path(__file__).parent


def names() -> list[str]:
    """All method names, sorted."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def load_preset(name: str) -> dict[str, Any]:
    """The preset as written: ``paper``, ``args`` with their defaults, ``terms``.

    Raises:
        ValueError: for an unknown name, with the nearest one and the whole list.
    """
    if name not in names():
        raise ValueError(f"unknown method {name!r}: {_nearest(name, names())}expected one of {', '.join(names())}")
    return ConfigParser.load_config_file(_FOLDER / f"{name}.yaml")


def build(
    name: str,
    task: Callable,
    student: FeatureTaps,
    teacher: FeatureTaps | None = None,
    args: Mapping[str, Any] | None = None,
) -> CombinedLoss:
    """The loss of a method for one pair of networks.

    Args:
        name: a preset, see `names`.
        task: the supervised loss, ``task(logits, target)``.
        student, teacher: the tapped networks; their channels size the learnable parts. Teacher None suits ``none`` only.
        args: replaces defaults of the preset's ``args``.

    Raises:
        ValueError: for an unknown method or argument, or a missing teacher.
    """
    preset = load_preset(name)
    args = dict(args or {})
    for key in args:
        if key not in preset["args"]:
            known = ", ".join(preset["args"]) or "no arguments"
            raise ValueError(f"method {name} has no argument {key!r}: {_nearest(key, preset['args'])}it has {known}")
        if isinstance(preset["args"][key], int | float) and not isinstance(args[key], int | float):
            raise ValueError(f"method {name}: {key}: found {args[key]!r}, expected a number")
    if preset["terms"] and teacher is None:
        raise ValueError(f"method {name} needs a teacher, found None")
    parser = ConfigParser(
        {
            "args": {**preset["args"], **args},
            "terms": preset["terms"],
            "spatial_dims": student.spatial_dims,
            "student": student.channels._asdict(),
            "teacher": teacher.channels._asdict() if teacher is not None else None,
        }
    )
    return CombinedLoss(task, {term: parser.get_parsed_content(f"terms::{term}") for term in preset["terms"]})


def _nearest(name: str, known: Any) -> str:
    near = get_close_matches(name, list(known), n=2)
    return f"did you mean {' or '.join(near)}? " if near else ""
