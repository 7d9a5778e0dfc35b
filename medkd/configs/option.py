"""What an option of the command line is: a name, a kind, a default and one sentence."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Kind", "Option"]

Kind = Literal[
    "path",
    "paths",  # one, or several as a list
    "text",
    "number",
    "whole",  # a whole number from 0 on
    "count",  # a whole number from 1 on
    "truth",  # True or False
    "flag",  # without a value
    "list",
    "names",  # one or several, of the choices if there are any, as a list or with commas
    "sizes",  # whole numbers from 1 on
    "numbers",
    "words",  # one or several of the choices
    "window",  # the lowest and the highest intensity
    "mapping",  # names and values
    "computed",  # computed from the data set, not an option
    "any",
]
_METAVARS: dict[str, str] = {
    "path": "PATH",
    "paths": "PATH ...",
    "text": "TEXT",
    "number": "NUMBER",
    "whole": "N",
    "count": "N",
    "truth": "True|False",
    "flag": "",
    "list": "A B ...",
    "names": "A,B,...",
    "sizes": "A B ...",
    "numbers": "A B ...",
    "words": "A B ...",
    "window": "LOW HIGH",
    "mapping": "NAME=VALUE",
    "any": "VALUE",
}


@dataclass(frozen=True)
class Option:
    """An option of the command line.

    Attributes:
        name: without the two hyphens.
        kind: what its value must be.
        help: one sentence.
        default: of an option of the command itself; that of an id stands in the configuration.
        choices: the values that are accepted, of a list the words in its place; empty for any of the kind.
        least: the smallest number that is accepted.
        most: the largest number that is accepted.
        nullable: whether ``None`` (``null``) is a value.
        example: shown where the value is of another kind.
        repeat: whether it may be given several times.
        mode: the only mode in which it has an effect; empty for both.
        choices_3d: those of the choices that volumes alone have.
        images: "volumes" or "pictures", where only tasks of these have it; empty for both.
        metavar: stands for the value in a help text; empty for that of the kind.
    """

    name: str
    kind: Kind
    help: str
    default: Any = None
    choices: tuple[str, ...] = ()
    least: float = -math.inf
    most: float = math.inf
    nullable: bool = False
    example: str = ""
    repeat: bool = False
    mode: str = ""
    choices_3d: tuple[str, ...] = ()
    images: str = ""
    metavar: str = ""

    @property
    def usage(self) -> str:
        """The option with a placeholder of its value."""
        separator = "," if self.kind == "names" else "|"
        placeholder = self.metavar or separator.join(self.choices) or _METAVARS[self.kind]
        return f"--{self.name} {placeholder}".rstrip()
