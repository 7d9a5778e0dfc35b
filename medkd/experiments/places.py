"""Where the settings of a plan stand: what a plan sets by its sections is no option of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from medkd.configs.table import ID_OPTIONS

from .external_teacher import FORM

__all__ = ["expected_place", "misplaced_options"]

_ASSISTANT = "no path: the plan trains its assistants"
# name -> what is expected in its place
_PLACES = {
    "teacher": FORM,
    "method": "`method: NAME` of a row",
    "soft_labels": "`soft_labels: cached` of the plan or of a row",
    "seed": "`seeds: [0, 1, 2]` of the plan, of a task or of a row",
    "mode": "`mode: 3d` of a task",
    "overlay": "`overlay: FILE` of a task",
    "role": "`role: teacher` of a row",
    "dataset_dir": "--data TASK=FOLDER of the command",
    "output_dir": "--output_dir FOLDER of the command",
    "resume": "the same command once more, which goes on with what is unfinished",
    "false_pixel_assistant": _ASSISTANT,
    "boundary_assistant": _ASSISTANT,
}


def expected_place(name: str, value: Any) -> str:
    """Return where a name that a section does not have belongs; empty for a name that is no option either.

    Example:
        >>> expected_place("unlabelled", "rest")
        '`options: {unlabelled: rest}`'
        >>> expected_place("mode", "3d"), expected_place("methd", "kd")
        ('`mode: 3d` of a task', '')
    """
    if name in _PLACES:
        return _PLACES[name]
    is_option = name.split("::")[0] in ID_OPTIONS or name.split("::")[0] == "method_args"
    return f"`options: {{{_quoted(name)}: {value}}}`" if is_option else ""


def misplaced_options(owner: str, section: str, options: Mapping[str, Any]) -> Iterator[str]:
    """Yield the problem of each option that a plan sets by another section.

    Args:
        owner: such as "row KD", for the message.
        section: of the options.
        options: names and values.
    """
    for name in options:
        if name in _PLACES and (name, section) != ("teacher", "teacher"):
            yield f"{owner}: {section}: found {name!r}, expected {_PLACES[name]}"


def _quoted(name: str) -> str:
    return f'"{name}"' if ":" in name else name
