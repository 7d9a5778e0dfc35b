"""Messages on refused cases, and lists of names in messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NoReturn

from medkd.runs.case_names import on_one_line
from medkd.runs.errors import counted

from ._options import Options

__all__ = ["refuse", "shortened", "split_origin"]


def shortened(names: Sequence[str], most: int = 10) -> str:
    """Return the first names as one text, and how many more there are.

    Example:
        >>> shortened(["a", "b", "c"], most=2)
        'a, b and 1 more'
    """
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def refuse(refused: Mapping[str, str], total: int, what: str = "cases") -> NoReturn:
    """Raise ValueError with the reason of each refused case: one case in one line, several in one line each.

    After ten cases with the same reason the others are named together, in one line.
    """
    lines = ("\n" if len(refused) > 1 else " ").join(["", *_few_of_each_kind(refused)])
    raise ValueError(f"{len(refused)} of {total} {what} refused, nothing was written:{lines}")


def split_origin(options: Options, refused: Mapping[str, str]) -> str:
    """Return how a split came about, for messages."""
    origin = (
        f"--split {options.split} --fold {options.fold} --seed {options.seed}; {counted(len(refused), 'case')} refused"
    )
    return f"{origin}{': ' if refused else ''}{shortened(_reasons(refused), most=3)}"


def _few_of_each_kind(refused: Mapping[str, str], most: int = 10) -> list[str]:
    """Return the lines of the first cases with each reason, and a line that names the others.

    Example:
        >>> _few_of_each_kind({"a": "a.png is grey", "b": "b.png is grey", "c": "c.png is grey"}, most=1)
        ['a: a.png is grey', '2 more like a: b, c']
    """
    kinds: dict[str, list[str]] = {}
    for case, why in refused.items():
        kinds.setdefault(why.replace(case, "\n"), []).append(case)  # no line break is in a reason
    shown = {case for cases in kinds.values() for case in cases[:most]}
    lines = _reasons({case: why for case, why in refused.items() if case in shown})
    rest = [(on_one_line(cases[0]), [on_one_line(case) for case in cases[most:]]) for cases in kinds.values()]
    return lines + [f"{len(names)} more like {first}: {', '.join(names)}" for first, names in rest if names]


def _reasons(refused: Mapping[str, str]) -> list[str]:
    return [f"{on_one_line(case)}: {why}" for case, why in refused.items()]
