"""Presets: one YAML file a method, with its terms, weights, taps and the sources of its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

__all__ = ["check_embedding", "check_reads_logits", "load_preset", "names", "team_arguments"]

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
    return yaml.safe_load((_FOLDER / f"{name}.yaml").read_text())


def team_arguments(name: str, args: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
    """Of a method whose teacher is corrected: what `medkd.correction.TeacherTeam` is to have. None for any other."""
    preset, args = resolve_preset(name, args)
    if "team" not in preset:
        return None
    from monai.bundle import ConfigParser

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
    preset, args = resolve_preset(name, args)
    for term, tap in teacher_map_taps(preset, args).items():
        raise ValueError(
            f"method {name} reads {tap} of the teacher ({term}), which --soft_labels cached does not keep: "
            "use --soft_labels online"
        )


def teacher_map_taps(preset: Mapping[str, Any], args: Mapping[str, Any]) -> dict[str, Any]:
    """Of each term that reads more of the teacher than its logits, the tap that does."""
    found = {}
    for term, content in preset["terms"].items():
        tap = content.get("tap", "logits")
        if isinstance(tap, str) and tap.startswith("@args::"):
            tap = args[tap.removeprefix("@args::")]
        if any(one.rpartition("->")[2].strip() != "logits" for one in ([tap] if isinstance(tap, str) else tap)):
            found[term] = tap
    return found


def resolve_preset(name: str, args: Mapping[str, Any] | None) -> tuple[dict[str, Any], dict[str, Any]]:
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
