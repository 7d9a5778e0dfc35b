"""What a method needs of its teacher: feature maps, or a team that corrects its soft labels.

This module imports neither torch nor MONAI, as `presets`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from .presets import resolve_preset

__all__ = ["check_embedding", "check_reads_logits", "note_coarse_target", "teacher_map_taps", "team_arguments"]

_ARGUMENT = "@args::"
# A target of fewer positions says little of where the teacher looks: the paper's has 1024, one of 64 x 64 pixels 16.
_FEW_POSITIONS = 64


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
    return {key: _resolve(value, arguments) for key, value in preset["team"].items()}


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
        raise ValueError(
            f"method {name} reads {tap} of the teacher ({term}), which --soft_labels cached does not keep: "
            "use --soft_labels online"
        )


def note_coarse_target(name: str, args: Mapping[str, Any] | None, teacher: Any, image_size: Sequence[int]) -> None:
    """Print a note where a method teaches the teacher's bottleneck and that has few positions at the size of the images.

    Args:
        name: a method, see `names`.
        args: arguments that replace defaults of the preset.
        teacher: the tapped teacher (`FeatureTaps`).
        image_size: edges of the images, or patches, that are trained on, in pixels.
    """
    _, arguments = resolve_preset(name, args)
    if arguments.get("late") != "bottleneck" or not arguments["beta"] or "ifd" not in arguments["terms"]:
        return
    if not teacher.shapes.encoder:
        return
    shapes = (teacher.shapes.logits.shape[2:], teacher.shapes.encoder[-1].shape[2:])
    edges = [max(1, image * coarse // dry) for image, dry, coarse in zip(image_size, *shapes, strict=True)]
    if (count := math.prod(edges)) < _FEW_POSITIONS:
        size, target = (" x ".join(map(str, values)) for values in (image_size, edges))
        print(
            f"note: method {name}: the teacher's bottleneck, the target of IFD, has {target} = {count} positions for images "
            f"of {size}, fewer than {_FEW_POSITIONS}: use larger images, or --method_args::late final",
            flush=True,
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
        tap = _resolve(content.get("tap", "logits"), arguments)
        if any(name.rpartition("->")[2].strip() != "logits" for name in ([tap] if isinstance(tap, str) else tap)):
            taps[term] = tap
    return taps


def _resolve(value: Any, arguments: Mapping[str, Any]) -> Any:
    """Return the argument that a reference such as ``@args::tap`` means, or any other value as it is."""
    if isinstance(value, str) and value.startswith(_ARGUMENT):
        return arguments[value.removeprefix(_ARGUMENT)]
    return value
