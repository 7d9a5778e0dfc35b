"""What a verb of the command line is, a command that uses it, and what both need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from medkd.configs.option import Option

__all__ = ["Command", "MODE", "MODEL_ROLE", "OVERLAY", "ROLE", "ROLES", "Verb"]


@dataclass
class Command:
    """A command line, read once.

    Attributes:
        verb: its first word.
        task: name of the bundle; empty for a verb without a task.
        settings: options of the verb itself, each with its value or default.
        options: ids of the bundle's configuration, or arguments of a preparation, and their values.
        names: further positional arguments.
        rest: words that are passed to another program unchanged.
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
        run: runs a command.
        settings: its own options.
        task: whether it has a task; that of a recorded one may be read from the record of its model.
        required: ids of the configuration, and options of its own, that it needs.
        options: where its other options come from: the configuration of the bundle, the signature of the task's preparation,
            the options of Snakemake, or nowhere.
        files_of: verbs whose configuration files hold those options, where they are not those of the verb itself; see
            `config_files`.
        hidden: ids of the configuration that the verb does not take.
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
    files_of: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    names: str = ""
    notes: str = ""


ROLES = ("student", "teacher", "false_pixel_assistant", "boundary_assistant")
ROLE = Option("role", "text", "Network that is trained.", default="student", choices=ROLES)
MODEL_ROLE = Option("role", "text", "Network that is used (default: that of the model).", choices=ROLES)
MODE = Option(
    "mode",
    "text",
    "Slices (2d), or volumes (3d) of kits19, lits and nifti (default: 2d, or that of the model).",
    choices=("2d", "3d"),
)
OVERLAY = Option(
    "overlay",
    "path",
    "YAML file that overrides the bundle's configuration, for example teacher_def; may be repeated.",
    repeat=True,
    metavar="FILE",
)
