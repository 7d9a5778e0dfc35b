"""What a verb of the command line is, and a command that uses it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from .option import Option

__all__ = ["Command", "MODE", "OVERLAY", "ROLE", "Verb"]


@dataclass
class Command:
    """A command line, read once.

    Attributes:
        verb: its first word.
        task: name of the bundle; empty for a verb without a task.
        settings: options of the verb itself, each with its value or default.
        options: ids of the bundle's configuration, or arguments of a preparation, and their values.
        names: further positional arguments.
        rest: words that are handed on to another program as they are.
    """

    verb: str
    task: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    rest: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.verb} {self.task}".rstrip()


@dataclass(frozen=True)
class Verb:
    """A verb of the command line.

    Attributes:
        name: as it is typed.
        summary: one sentence.
        run: does what the command says.
        settings: its own options.
        task: whether it has a task, which may stand in the record of its model instead.
        required: ids of the configuration that it needs.
        options: where its other options come from: the configuration of the bundle, the signature of the task's preparation,
            the options of Snakemake, or nowhere.
        names: placeholder of further positional arguments; empty if it has none.
        notes: end of its help text.
    """

    name: str
    summary: str
    run: Callable[[Command], None]
    settings: tuple[Option, ...] = ()
    task: Literal["none", "required", "recorded"] = "none"
    required: tuple[str, ...] = ()
    options: Literal["none", "config", "signature", "snakemake"] = "none"
    names: str = ""
    notes: str = ""


ROLE = Option(
    "role",
    "text",
    "Who is trained or used.",
    default="student",
    choices=("student", "teacher", "false_pixel_assistant", "boundary_assistant"),
)
MODE = Option(
    "mode",
    "text",
    "Slices, or volumes of kits19, lits and nifti (default: 2d, or as the model was trained).",
    choices=("2d", "3d"),
)
OVERLAY = Option(
    "overlay",
    "path",
    "YAML file over the bundle's configuration, for example with another teacher_def; may be repeated.",
    repeat=True,
    metavar="FILE",
)
