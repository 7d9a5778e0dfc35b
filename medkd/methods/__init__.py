"""Presets: one YAML file a method, with its terms, weights, taps and the sources of its numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser
from torch import Tensor

from medkd.losses import CombinedLoss
from medkd.losses.taps import tap_pair
from medkd.networks import FeatureTaps

__all__ = ["build", "check_embedding", "check_reads_logits", "load_preset", "names", "team_arguments"]

_FOLDER = Path(__file__).parent
# Arguments of every method that has terms. warmup: the weights of its terms grow from 0 over so many epochs.
_COMMON = {"warmup": 0}
# Methods that read logits alone: what can be taught on corrected, or on stored labels.
_BASES = ("kd", "dkd", "cwd")


def names() -> list[str]:
    """All method names, sorted."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def load_preset(name: str) -> dict[str, Any]:
    """The preset as written: ``paper``, ``reads``, ``cost``, ``args`` with their defaults, ``terms``.

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
        args: replaces defaults of the preset's ``args``; ``warmup`` (epochs over which weights grow) is one of every method.

    Raises:
        ValueError: for an unknown method or argument, a missing teacher, or a tap that one of the networks has not.
    """
    preset, args = _resolved(name, args)
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


def team_arguments(name: str, args: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
    """Of a method whose teacher is corrected: what `medkd.correction.TeacherTeam` is to have. None for any other."""
    preset, args = _resolved(name, args)
    if "team" not in preset:
        return None
    return ConfigParser({"args": args, "team": preset["team"]}).get_parsed_content("team")


def check_embedding(name: str, args: Mapping[str, Any] | None, has_maps: bool) -> None:
    """Raises ValueError when a method's similarity correction reads the teacher's penultimate map and there is none."""
    wanted = team_arguments(name, args) or {"similarity": False}
    if wanted.get("similarity", True) and not wanted.get("swap") and not has_maps:
        raise ValueError(
            f"method {name}: similarity reads the penultimate map of the teacher, which gives logits alone: use "
            "--method_args::similarity False, or name stages of a network that has some by --teacher_taps"
        )


def check_reads_logits(name: str, args: Mapping[str, Any] | None = None) -> None:
    """Raises ValueError when a method reads more of the teacher than its logits: stored soft labels have nothing else."""
    preset, args = _resolved(name, args)
    for term, tap in _maps_of_teacher(preset, args).items():
        raise ValueError(
            f"method {name} reads {tap} of the teacher ({term}), which --soft_labels cached does not keep: "
            "use --soft_labels online"
        )


def _check_gives_maps(name: str, preset: Mapping[str, Any], args: Mapping[str, Any], teacher: FeatureTaps) -> None:
    """Once for all methods, before any loss is built: a teacher from elsewhere may have nothing but logits."""
    if _maps_of_teacher(preset, args) and not any(teacher.names.values()):
        source = getattr(teacher.network, "source", type(teacher.network).__name__)
        raise ValueError(
            f"method {name} reads {preset['reads']}, and of the teacher ({source}) there are logits alone: use a method that "
            "reads no maps (kd, dkd, cwd, swap), or name stages of a network that has some by --teacher_taps"
        )


def _maps_of_teacher(preset: Mapping[str, Any], args: Mapping[str, Any]) -> dict[str, Any]:
    """Of each term that reads more of the teacher than its logits, the tap that does."""
    found = {}
    for term, content in preset["terms"].items():
        tap = content.get("tap", "logits")
        if isinstance(tap, str) and tap.startswith("@args::"):
            tap = args[tap.removeprefix("@args::")]
        if any(one.rpartition("->")[2].strip() != "logits" for one in ([tap] if isinstance(tap, str) else tap)):
            found[term] = tap
    return found


def _resolved(name: str, args: Mapping[str, Any] | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """The preset and all its arguments. A preset with a base has the base's terms and the base's arguments beside its own."""
    preset = load_preset(name)
    own = preset["args"]
    if "base" in preset:
        base_name = {**own, **(args or {})}["base"]
        if base_name not in _BASES:
            raise ValueError(f"method {name}: base: found {base_name!r}, expected one of {', '.join(_BASES)}")
        base = load_preset(base_name)
        preset, own = {**preset, "terms": base["terms"]}, {**base["args"], **own}
    defaults = {**_COMMON, **own} if preset["terms"] else {}
    return preset, {**defaults, **_checked(name, dict(args or {}), defaults)}


def _channels(student: FeatureTaps, teacher: FeatureTaps, tap: str | list[str]) -> dict[str, int | None]:
    """Channels of both sides of a term's tap (of a list: the first one's), for the presets to refer to."""
    pairs = [tap_pair(student.shapes, teacher.shapes, name) for name in ([tap] if isinstance(tap, str) else tap)]
    sides = ((side, pairs[0][i]) for i, side in enumerate(("student", "teacher")))
    return {side: feature.shape[1] if isinstance(feature, Tensor) else None for side, feature in sides}


def _checked(name: str, args: dict[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    for key, value in args.items():
        if key not in defaults:
            known = ", ".join(defaults) or "no arguments"
            raise ValueError(f"method {name} has no argument {key!r}: {_nearest(key, defaults)}it has {known}")
        default = defaults[key]
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        wants_number = isinstance(default, int | float) and not isinstance(default, bool)
        if wants_number and not is_number or default is None and not (is_number or value is None):
            raise ValueError(f"method {name}: {key}: found {value!r}, expected a number")
        if isinstance(default, bool) and not isinstance(value, bool):
            raise ValueError(f"method {name}: {key}: found {value!r}, expected True or False")
        if isinstance(default, str) and not default.startswith("$") and not isinstance(value, str):
            raise ValueError(f"method {name}: {key}: found {value!r}, expected text such as {default!r}")
    return args


def _nearest(name: str, known: Any) -> str:
    near = get_close_matches(name, list(known), n=2)
    return f"did you mean {' or '.join(near)}? " if near else ""
