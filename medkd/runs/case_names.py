"""Names of cases: they come from data, and become the names of files."""

from __future__ import annotations

import tempfile
import unicodedata
from collections.abc import Iterable
from pathlib import Path, PureWindowsPath
from typing import Any

__all__ = ["ALIKE", "check_case_name", "ignores_capitals", "names_alike", "on_one_line"]

ALIKE = "their names differ in capitals alone, so on most disks of Windows and macOS one overwrites the other"

_LONGEST = 200  # bytes: file systems take 255, and files add a number of a slice, a checksum, a suffix
# Control characters, halves of surrogate pairs (bytes that are no UTF-8), separators of lines and of paragraphs.
_CONTROL = {"Cc", "Cs", "Zl", "Zp"}
# They change the direction of the text, so a name could look like another one.
_DIRECTIONS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def check_case_name(name: Any) -> str:
    r"""Return the name of a case, after the check that it can be the name of a file in any folder, and of that alone.

    Blanks, dots, and letters of any script are allowed.

    Args:
        name: as it stands in the data; a whole number is taken for its digits.

    Raises:
        ValueError: for another type, an empty name, separators of paths, a drive, ``.`` and ``..``, control characters,
            more than 200 bytes.

    Example:
        >>> check_case_name("Müller 3.1")
        'Müller 3.1'
        >>> check_case_name("../x")
        Traceback (most recent call last):
        ValueError: case name '../x': found a path, expected a name without /, \ and drive
    """
    if isinstance(name, int) and not isinstance(name, bool):
        name = str(name)
    if problem := _problem(name):
        raise ValueError(f"case name {name!r:.80}: {problem}")
    return str(name)


def on_one_line(name: str) -> str:
    r"""Return a name for messages: a line break and other characters that do not print are written as escapes.

    Example:
        >>> on_one_line("a\nb"), on_one_line("Müller 3.1")
        ('a\\nb', 'Müller 3.1')
    """
    return name if name.isprintable() else repr(name)[1:-1]


def names_alike(names: Iterable[str]) -> list[list[str]]:
    """Return the groups of names that differ in capitals alone, or in how Unicode writes an accent.

    Example:
        >>> names_alike(["A", "b", "a"])
        [['A', 'a']]
    """
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(unicodedata.normalize("NFC", name).casefold(), []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def ignores_capitals(folder: Path) -> bool:
    """Return whether the disk of a folder, which may be missing yet, takes names that differ in capitals for one."""
    folder = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.is_dir())
    try:
        with tempfile.TemporaryDirectory(prefix=".a", dir=folder) as probe:
            return Path(probe).with_name(Path(probe).name.upper()).exists()
    except OSError:  # the folder cannot be written, so nothing in it is overwritten
        return False


def _problem(name: Any) -> str:
    """Return what is wrong with a name; an empty text for a name that is right."""
    if not isinstance(name, str):
        return f"found a {type(name).__name__}, expected a text"
    if not name.strip():
        return "found an empty name, expected the name of the case"
    # Windows takes both separators and a drive; "." and ".." are no names there either.
    if name == ".." or PureWindowsPath(name).name != name:
        return "found a path, expected a name without /, \\ and drive"
    for character in name:
        kind = unicodedata.category(character), unicodedata.bidirectional(character)
        if kind[0] in _CONTROL or kind[1] in _DIRECTIONS:
            return f"found the control character {character!a}, expected none"
    if (size := len(name.encode())) > _LONGEST:
        return f"found {size} bytes, expected at most {_LONGEST}"
    return ""
