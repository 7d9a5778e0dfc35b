"""What a method needs of its teacher: feature maps, or a team that corrects its soft labels.

This module imports neither torch nor MONAI, as `presets`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .presets import resolve_preset, resolve_reference

__all__ = ["check_embedding", "check_reads_logits", "teacher_map_taps", "team_arguments"]


def team_arguments(name: str, args: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
    """Return the arguments of `medkd.correction.TeacherTeam` for a method that corrects the teacher's soft labels.

    Args:
        name: a method, see `names`.
        args: arguments that replace defaults of the preset.

    Returns:
        The arguments, or None for a method that takes the teacher's soft labels as they are.

    Raises:
        ValueError: for an unknown method or argument.

    Example:
        >>> team_arguments("plckd", {"boundary": False})
        {'false_pixel': True, 'boundary': False, 'similarity': True, 'max_candidates': None}
        >>> team_arguments("kd") is None
        True
    """
    preset, arguments = resolve_preset(name, args)
    if "team" not in preset:
        return None
    return {key: resolve_reference(value, arguments) for key, value in preset["team"].items()}


def check_embedding(name: str, args: Mapping[str, Any] | None, has_maps: bool) -> None:
    """Check that the teacher has the feature map on which a method's similarity correction compares pixels.

    Args:
        name: a method, see `names`.
        args: arguments that replace defaults of the preset.
        has_maps: whether the teacher has feature maps beside its logits.

    Raises:
        ValueError: when the method reads the teacher's penultimate map and the teacher has logits alone.

    Example:
        >>> check_embedding("plckd", {"similarity": False}, has_maps=False)
    """
    team = team_arguments(name, args) or {"similarity": False}
    if team.get("similarity", True) and not team.get("swap") and not has_maps:
        raise ValueError(
            f"method {name}: similarity reads the penultimate map of the teacher, which gives logits alone: use "
            "--method_args::similarity False, or name stages of a network that has some by --teacher_taps"
        )


def check_reads_logits(name: str, args: Mapping[str, Any] | None = None) -> None:
    """Check that a method reads nothing of the teacher except its logits, as cached soft labels hold nothing else.

    Args:
        name: a method, see `names`.
        args: arguments that replace defaults of the preset.

    Raises:
        ValueError: when a term of the method reads a feature map of the teacher.

    Example:
        >>> check_reads_logits("kd")
    """
    preset, arguments = resolve_preset(name, args)
    for term, tap in teacher_map_taps(preset, arguments).items():
        read = tap if isinstance(tap, str) else ", ".join(map(str, tap))
        raise ValueError(
            f"method {name} reads maps of the teacher ({read}; for {term}), which --soft_labels cached does not keep: "
            "use --soft_labels online"
        )


def teacher_map_taps(preset: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the taps of the terms that read more of the teacher than its logits.

    Args:
        preset: the preset of a method, as `resolve_preset` returns it.
        arguments: all arguments of the method.

    Returns:
        The name of each such term, and its tap or list of taps.

    Example:
        >>> teacher_map_taps(*resolve_preset("ifvd"))
        {'ifv': 'penultimate/4'}
    """
    taps = {}
    for term, content in preset["terms"].items():
        tap = resolve_reference(content.get("tap", "logits"), arguments)
        if any(name.rpartition("->")[2].strip() != "logits" for name in ([tap] if isinstance(tap, str) else tap)):
            taps[term] = tap
    return taps
