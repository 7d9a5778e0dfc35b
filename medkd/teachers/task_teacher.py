"""Load the teacher that a bundle's configuration names, with what the configuration knows of the task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from .external import PICTURE_WINDOW
from .load import PathOrPaths, load_teacher

__all__ = ["load_task_teacher"]


def load_task_teacher(
    teacher: PathOrPaths,
    network: nn.Module,
    num_classes: int,
    trained_with: Mapping[str, Any],
    intensity: Sequence[Any] | str | None = None,
    classes: Sequence[Any] | None = None,
    output: str = "auto",
    channels: Sequence[Any] | None = None,
) -> nn.Module:
    """Load a teacher for images that are prepared as ``trained_with`` states.

    Args:
        teacher: one path, or several, see `load_teacher`.
        network: the task's own teacher.
        num_classes: K.
        trained_with: the configuration's ``trained_with``, of which ``window``, ``per_case``, ``form``, ``spacing`` and
            ``channels`` are read.
        intensity: ``--teacher_intensity``, see `load_teacher`.
        classes: ``--teacher_classes``, see `load_teacher`.
        output: ``--teacher_output``, see `load_teacher`.
        channels: ``--teacher_channels``, see `load_teacher`.

    Returns:
        A network from images (N, C, *spatial) of the task to logits (N, K, *spatial).

    Raises:
        FileNotFoundError: If a path holds no teacher, see `load_teacher`.
        ValueError: If a teacher does not suit the task, see `load_teacher`.
    """
    return load_teacher(
        teacher,
        network,
        num_classes,
        window=_window(trained_with),
        intensity=intensity,
        classes=classes,
        per_case=trained_with.get("per_case", False),
        spacing=trained_with.get("spacing"),
        output=output,
        channels=channels,
        channel_names=trained_with.get("channels"),
    )


def _window(trained_with: Mapping[str, Any]) -> Any:
    """Return the window; None for pictures of 8 bit, all of whose intensities are scaled, as in a task without a window."""
    window = trained_with.get("window")
    if "form" not in trained_with or window is None:
        return window
    windows = [tuple(pair) for pair in (window if isinstance(window[0], list | tuple) else [window])]
    return None if set(windows) == {PICTURE_WINDOW} else list(windows[0])
