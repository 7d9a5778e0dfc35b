"""What the verbs that run a bundle have in common."""

from __future__ import annotations

from typing import Any

from .bundles import config_files
from .checks import check_options, check_required
from .config import merge_files
from .trained import options_from_record
from .values import convert_words
from .verb import Command
from .workflow import compose, run_bundle

__all__ = ["checked_options", "run_command"]


def run_command(command: Command, required: tuple[str, ...], files_of: str | None = None) -> None:
    """Check the options of a command, then run its bundle.

    Args:
        command: as it was read.
        required: ids that it needs.
        files_of: verb whose configuration files are merged; None: the command's own.
    """
    check_required(str(command), command.options, required)
    options, mode = checked_options(command, files_of)
    settings = command.settings
    role, overlays = settings.get("role", "student"), settings["overlay"]
    run_bundle(compose(files_of or command.verb, command.task, options, role=role, overlays=overlays, mode=mode))


def checked_options(command: Command, files_of: str | None = None) -> tuple[dict[str, Any], str]:
    """Return the options of a command, with those of its model's record, and the mode.

    Args:
        command: as it was read.
        files_of: verb whose configuration files are merged; None: the command's own.

    Raises:
        FileNotFoundError: for a model or an overlay that does not exist.
        ValueError: for an unknown option or a value of another kind, and for a model of another task.
    """
    options, mode = options_from_record(command.verb, command.task, command.options, command.settings["mode"])
    role, overlays = command.settings.get("role", "student"), command.settings["overlay"]
    files = config_files(files_of or command.verb, command.task, role, mode=mode)
    config = merge_files([*files, *overlays])
    options = convert_words(options, config)
    check_options(options, config)
    return options, mode
