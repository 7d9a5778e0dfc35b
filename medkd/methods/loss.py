"""Build the loss of a method for a pair of networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from monai.bundle import ConfigParser
from torch import Tensor

from medkd.configs.plain import as_literal
from medkd.losses import CombinedLoss
from medkd.losses.taps import equal_stages, name_pairs, reads_equal_stages, tap_pair
from medkd.networks import FeatureTaps

from .decoder import without_decoder
from .presets import resolve_preset
from .requirements import teacher_map_taps

__all__ = ["build"]


def build(
    name: str,
    task: Callable[[Tensor, Tensor], Tensor],
    student: FeatureTaps,
    teacher: FeatureTaps | None = None,
    args: Mapping[str, Any] | None = None,
) -> CombinedLoss:
    """Build the loss of a method for one pair of networks.

    Args:
        name: a method, see `names`.
        task: the supervised loss, ``task(logits, target)``.
        student: the tapped student; its channels size the learnable parts of the loss.
        teacher: the tapped teacher, likewise. None suits the method ``none`` alone.
        args: arguments that replace defaults of the preset. Every method with terms has ``warmup``, the epochs during
            which the weights of its terms grow from 0.

    Returns:
        The task loss and the weighted terms of the method, as one loss.

    Raises:
        ValueError: for an unknown method or argument, a missing teacher, or a tap that one of the networks does not have.

    Example:
        >>> from medkd.networks import FeatureTaps, UNet
        >>> student, teacher = FeatureTaps(UNet(2, 1, 2, width=2)), FeatureTaps(UNet(2, 1, 2, width=4))
        >>> build("kd", lambda logits, target: logits.mean(), student, teacher, {"weight": 0.5}).weights
        {'task': 1.0, 'kd': 0.5}
    """
    preset, arguments = resolve_preset(name, args)
    if preset["terms"] and teacher is None:
        raise ValueError(f"method {name} needs a teacher, found None")
    if teacher is not None:
        if other := without_decoder(preset, args or {}, student, teacher):
            loss = build(other[0], task, student, teacher, other[1])  # its refusal is one line
            print(
                f"note: method {name}: the student has no decoder, so the method is {other[0]} with {other[1]}",
                flush=True,
            )
            return loss
        _check_teacher_maps(name, preset, arguments, teacher)
    pairs = [] if teacher is None else equal_stages(student.shapes, teacher.shapes)
    parser = ConfigParser(
        {
            "args": {**arguments, **{key: as_literal(value) for key, value in (args or {}).items()}},
            "terms": preset["terms"],
            "task": task,
            "spatial_dims": student.spatial_dims,
            "student": student.channels._asdict(),
            "teacher": teacher.channels._asdict() if teacher is not None else None,
            "channels": {},
            "equal_stages": pairs,
        }
    )
    terms, notes = {}, []
    for term, preset_term in preset["terms"].items():
        try:
            if teacher is not None and "tap" in preset_term:
                tap, note = _resolve_tap(parser, term, student, teacher, is_optional=term in preset.get("optional", ()))
                notes += [f"note: method {name}: {note}"] if note else []
                if not tap:
                    continue
                parser[f"channels::{term}"] = _channels(student, teacher, tap)
            content = dict(parser.get_parsed_content(f"terms::{term}"))
        except (ValueError, RuntimeError) as error:
            if isinstance(cause := _deepest(error), ValueError):  # of the loss; MONAI's own message is no help
                raise ValueError(f"method {name}: {cause}") from None  # one line
            raise
        terms[term] = content if term == "task" else {"ramp": [0, arguments["warmup"]], **content}
    loss = CombinedLoss(task, terms)
    for note in notes:  # after every error: a refusal is one line
        print(note, flush=True)
    return loss


def _resolve_tap(
    parser: ConfigParser, term: str, student: FeatureTaps, teacher: FeatureTaps, is_optional: bool
) -> tuple[str | list[str], str]:
    """Return the tap of a term, ``equal`` replaced by pairs of stages in the parser too, and a note where it was.

    Raises:
        ValueError: for ``equal`` where no two stages have the same resolution, unless the term is optional.
    """
    tap = parser.get_parsed_content(f"terms::{term}::tap")
    if not reads_equal_stages(tap):
        return tap, ""
    pairs = parser["equal_stages"]
    parser[f"terms::{term}::tap"] = tap = name_pairs(tap, pairs)
    found = _describe_pairs(pairs, student, teacher)
    if not tap and not is_optional:
        raise ValueError(f"term {term}: {found}; name pairs of stages by --method_args::tap")
    return tap, f"the term {term} {'' if tap else 'is left out: '}{found}"


def _deepest(error: BaseException) -> BaseException:
    """Return the first error of a chain of errors raised from each other."""
    return error if error.__cause__ is None else _deepest(error.__cause__)


def _check_teacher_maps(
    name: str, preset: Mapping[str, Any], arguments: Mapping[str, Any], teacher: FeatureTaps
) -> None:
    """Raise ValueError when a method reads feature maps and the teacher, an external one say, has logits alone."""
    taps = teacher_map_taps(preset, arguments)
    needed = [
        tap for term, tap in taps.items() if term not in preset.get("optional", ()) or not reads_equal_stages(tap)
    ]
    if needed and not any(teacher.names.values()):
        source = getattr(teacher.network, "source", type(teacher.network).__name__)
        raise ValueError(
            f"method {name} reads {preset['reads']}, and of the teacher ({source}) there are logits alone: use a method that "
            "reads no maps (kd, dkd, cwd, swap), or name stages of a network that has some by --teacher_taps"
        )


def _describe_pairs(pairs: list[tuple[int, int]], student: FeatureTaps, teacher: FeatureTaps) -> str:
    """Return which encoder stages are compared, or why none are."""
    counts = f"{len(student.names['encoder'])} of the student and {len(teacher.names['encoder'])} of the teacher"
    if not teacher.names["encoder"]:
        return "of the teacher there are logits alone"
    if not pairs:
        return f"no two encoder stages have the same resolution ({counts})"
    return (
        f"compares the encoder stages {', '.join(f'{i} with {j}' for i, j in pairs)} (student with teacher; {counts})"
    )


def _channels(student: FeatureTaps, teacher: FeatureTaps, tap: str | list[str]) -> dict[str, int | None]:
    """Return the channels of both sides of a term's tap, of a list those of its first tap; None of whole `Features`."""
    names = [tap] if isinstance(tap, str) else tap
    pairs = [tap_pair(student.shapes, teacher.shapes, name) for name in names]  # all are looked up: each is checked
    first = dict(zip(("student", "teacher"), pairs[0], strict=True))
    return {side: map_.shape[1] if isinstance(map_, Tensor) else None for side, map_ in first.items()}
