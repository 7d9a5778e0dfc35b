"""Build the loss of a method for a pair of networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from monai.bundle import ConfigParser
from torch import Tensor

from medkd.losses import CombinedLoss
from medkd.losses.taps import tap_pair
from medkd.networks import FeatureTaps

from .presets import resolve_preset, teacher_map_taps

__all__ = ["build"]


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
        args: replaces defaults of the preset's ``args``; ``warmup`` (epochs over which weights grow) is one of every method.

    Raises:
        ValueError: for an unknown method or argument, a missing teacher, or a tap that one of the networks has not.
    """
    preset, args = resolve_preset(name, args)
    if preset["terms"] and teacher is None:
        raise ValueError(f"method {name} needs a teacher, found None")
    if teacher is not None:
        _check_gives_maps(name, preset, args, teacher)
    parser = ConfigParser(
        {
            "args": args,
            "terms": preset["terms"],
            "spatial_dims": student.spatial_dims,
            "student": student.channels._asdict(),
            "teacher": teacher.channels._asdict() if teacher is not None else None,
            "channels": {},
        }
    )
    terms = {}
    for term in preset["terms"]:
        if "tap" in preset["terms"][term]:
            try:
                parser[f"channels::{term}"] = _channels(
                    student, teacher, parser.get_parsed_content(f"terms::{term}::tap")
                )
            except ValueError as error:
                raise ValueError(f"method {name}: {error}") from None  # one line: the deepest is shown
        content = dict(parser.get_parsed_content(f"terms::{term}"))
        terms[term] = content if term == "task" else {"ramp": [0, args["warmup"]], **content}
    return CombinedLoss(task, terms)


def _check_gives_maps(name: str, preset: Mapping[str, Any], args: Mapping[str, Any], teacher: FeatureTaps) -> None:
    """Once for all methods, before any loss is built: a teacher from elsewhere may have nothing but logits."""
    if teacher_map_taps(preset, args) and not any(teacher.names.values()):
        source = getattr(teacher.network, "source", type(teacher.network).__name__)
        raise ValueError(
            f"method {name} reads {preset['reads']}, and of the teacher ({source}) there are logits alone: use a method that "
            "reads no maps (kd, dkd, cwd, swap), or name stages of a network that has some by --teacher_taps"
        )


def _channels(student: FeatureTaps, teacher: FeatureTaps, tap: str | list[str]) -> dict[str, int | None]:
    """Channels of both sides of a term's tap (of a list: the first one's), for the presets to refer to."""
    pairs = [tap_pair(student.shapes, teacher.shapes, name) for name in ([tap] if isinstance(tap, str) else tap)]
    sides = ((side, pairs[0][i]) for i, side in enumerate(("student", "teacher")))
    return {side: feature.shape[1] if isinstance(feature, Tensor) else None for side, feature in sides}
