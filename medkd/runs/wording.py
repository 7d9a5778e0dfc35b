"""Write numbers with their nouns."""

from __future__ import annotations

__all__ = ["counted"]


def counted(number: int, noun: str) -> str:
    """Return a number and a noun, the noun in the plural unless the number is one.

    Example:
        >>> counted(1, "case"), counted(2, "case"), counted(0, "class")
        ('1 case', '2 cases', '0 classes')
    """
    plural = f"{noun}es" if noun.endswith(("s", "x", "ch")) else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"
