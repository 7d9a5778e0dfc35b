"""The members of PLC-KD's team: which of them a method needs, and whether their files can be used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medkd.methods import check_embedding, load_preset, team_arguments
from medkd.networks import weights_file
from medkd.teachers import teacher_kind

__all__ = ["MEMBERS", "check_member", "check_team_embedding", "team_members"]

MEMBERS = ("teacher", "false_pixel_assistant", "boundary_assistant")


def team_members(method: str, arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the members that a method learns from, in the order of their training.

    Args:
        method: name of a preset.
        arguments: values that replace defaults of the preset.

    Returns:
        Some of `MEMBERS`; empty for a method without a team.

    Raises:
        ValueError: If the method or an argument is unknown.

    Example:
        >>> team_members("kd", {})
        ()
        >>> team_members("plckd", {"boundary": False})
        ('teacher', 'false_pixel_assistant')
    """
    if "team" not in load_preset(method):
        return ()
    team = team_arguments(method, arguments) or {}
    return tuple(role for role in MEMBERS if role == "teacher" or team.get(role.removesuffix("_assistant")))


def check_member(role: str, paths: str | Sequence[str]) -> None:
    """Check that the files of a member exist, before the members that come first are trained.

    Args:
        role: one of `MEMBERS`.
        paths: path of one model, or paths of an ensemble. Expressions of MONAI are not checked.

    Raises:
        FileNotFoundError: If a path does not exist.
        ValueError: If a path holds no model.
    """
    for path in [paths] if isinstance(paths, str) else paths:
        if path.startswith(("$", "@", "%")):
            continue
        if role == "teacher":
            teacher_kind(path)
        else:
            weights_file(path, role)


def check_team_embedding(method: str, arguments: Mapping[str, Any], teacher: Any) -> None:
    """Check that the teacher can have the map that the method's similarity correction reads.

    Args:
        method: name of a preset.
        arguments: values that replace defaults of the preset.
        teacher: path of the teacher. Several paths are an ensemble, which has no maps. A path that does not exist yet is one
            of a medkd run, which has maps.

    Raises:
        ValueError: If the method reads the penultimate map and the teacher gives logits alone.
    """
    has_maps = isinstance(teacher, str) and (not Path(teacher).exists() or teacher_kind(teacher) != "torchscript")
    check_embedding(method, arguments, has_maps)
