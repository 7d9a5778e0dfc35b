"""Runs that a command names: titles and folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from medkd.runs.errors import UsageError
from medkd.runs.folder import RunFolder

__all__ = ["folders_by_title", "read_runs"]

_TITLES = {"none": "Student alone", "teacher": "Teacher"}


def read_runs(words: Sequence[str]) -> dict[str, list[str]]:
    """Read runs of the form ``TITLE=FOLDER,FOLDER``.

    Raises:
        ValueError: for a word of another form, or a title that occurs twice.

    Example:
        >>> read_runs(["HLFD=H_0,H_1", "alone=S_0"])
        {'HLFD': ['H_0', 'H_1'], 'alone': ['S_0']}
    """
    runs: dict[str, list[str]] = {}
    for word in words:
        title, _, folders = word.partition("=")
        names = [folder for folder in folders.split(",") if folder]
        if not title or not names:
            raise UsageError(f"--run: found {word!r}, expected a title and folders: --run HLFD=H_0,H_1")
        if title in runs:
            raise UsageError(
                f"--run: found the title {title!r} twice, expected all its folders at once: TITLE=FOLDER,FOLDER"
            )
        runs[title] = names
    return runs


def folders_by_title(folders: Sequence[str]) -> dict[str, list[str]]:
    """Group folders of runs by the title that their records give: the method, with the arguments that were set.

    A folder without a record has its name as the title.
    """
    runs: dict[str, list[str]] = {}
    for folder in folders:
        runs.setdefault(_title(folder), []).append(folder)
    return runs


def _title(folder: str) -> str:
    record = RunFolder(folder).read_config() or {}
    if "method" not in record:
        return Path(folder).name
    method = str(record["method"])
    arguments = record.get("method_args")
    text = ", ".join(f"{name} {value}" for name, value in arguments.items()) if isinstance(arguments, dict) else ""
    return _TITLES.get(method, method) + (f" ({text})" if text else "")
