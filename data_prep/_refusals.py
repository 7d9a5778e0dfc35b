"""Messages on refused cases, and lists of names in messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NoReturn

from medkd.runs.case_names import on_one_line

from ._options import Options

__all__ = ["refuse", "shortened", "split_origin"]


def shortened(names: Sequence[str], most: int = 10) -> str:
    """Return the first names as one text, and how many more there are.

    Example:
        >>> shortened(["a", "b", "c"], most=2)
        'a, b and 1 more'
    """
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def refuse(refused: Mapping[str, str], total: int) -> NoReturn:
    """Raise ValueError with the reason of each refused case: one case in one line, several in one line each."""
    lines = ("\n" if len(refused) > 1 else " ").join(["", *_reasons(refused)])
    raise ValueError(f"{len(refused)} of {total} cases refused, nothing was written:{lines}")


def split_origin(options: Options, refused: Mapping[str, str]) -> str:
    """Return how a split came about, for messages."""
    origin = f"split {str(options.split)!r}, fold {options.fold}, seed {options.seed}; {len(refused)} cases refused"
    return f"{origin}{': ' if refused else ''}{shortened(_reasons(refused), most=3)}"


def _reasons(refused: Mapping[str, str]) -> list[str]:
    return [f"{on_one_line(case)}: {why}" for case, why in refused.items()]
