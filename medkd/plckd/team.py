"""The teacher of a method: a team with its assistants, or the network alone."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from medkd import methods
from medkd.correction import TeacherTeam
from medkd.networks import FeatureTaps, load_weights
from medkd.teachers import NetworkTeacher, SingleTeacher

__all__ = ["teacher_team"]


def teacher_team(
    method: str,
    method_args: Mapping[str, Any],
    teacher: FeatureTaps,
    false_pixel: str | Path,
    boundary: str | Path,
    assistant_def: nn.Module | None = None,
) -> NetworkTeacher:
    """Return the teacher that a method needs: a `TeacherTeam` if its preset says so, else a `SingleTeacher`.

    Args:
        method: name of a preset.
        method_args: values that replace defaults of the preset.
        teacher: T, tapped, with its weights.
        false_pixel: path of TA_f's weights; read if the method has that assistant.
        boundary: path of TA_b's weights; read if the method has that assistant.
        assistant_def: the assistants' architecture; T's if None.

    Raises:
        FileNotFoundError: If the weights of an assistant are missing.
        ValueError: If weights do not fit, or T has no map for the similarity correction.
    """
    options = methods.team_arguments(method, method_args)
    if options is None:
        return SingleTeacher(teacher)
    methods.check_embedding(method, method_args, any(teacher.names.values()))

    def load(role: str, path: str | Path) -> nn.Module | None:
        if not options.pop(role, False):
            return None
        return load_weights(copy.deepcopy(assistant_def or teacher.network), path, f"{role}_assistant")

    assistants = load("false_pixel", false_pixel), load("boundary", boundary)
    return TeacherTeam(teacher, *assistants, **options)
