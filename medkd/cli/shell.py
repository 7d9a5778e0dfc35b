"""Run a command from Python, as notebooks do."""

from __future__ import annotations

import shlex

from .main import main

__all__ = ["run"]


def run(command: str) -> None:
    """Run a command as it is typed in a shell, ``run("medkd methods")``, in this process.

    Args:
        command: is split as a shell does; line ends count as blanks, so a long command may take several lines.

    Raises:
        ValueError: for another program than medkd.
        RuntimeError: when the command fails, so that a notebook stops there; the reason has been printed.
    """
    program, *words = shlex.split(command) or [""]
    if program != "medkd":
        raise ValueError(f"run: found the program {program!r}, expected a command such as 'medkd methods'")
    try:
        code: int | str | None = main(words)
    except SystemExit as stopped:  # of inference with an exported network, whose parser ends the process
        code = stopped.code
    if code:
        raise RuntimeError(f"the command failed (exit code {code}): {command}")
