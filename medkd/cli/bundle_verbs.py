"""What the verbs that run a bundle have in common."""

from __future__ import annotations

from typing import Any

from medkd.configs.bundles import config_files
from medkd.configs.merge import merge_files
from medkd.configs.values import convert_words

from .checks import check_options, check_required, unknown_options
from .data_set import check_data_set, check_has_labels
from .team import MEMBERS
from .trained import options_from_record, role_of_model
from .verb import ROLES, Command
from .workflow import BundleRun, compose, run_bundle

__all__ = [
    "check_required_ids",
    "checked_options",
    "compose_checked",
    "compose_command",
    "configuration",
    "run_command",
]


def run_command(command: Command, required: tuple[str, ...], files_of: str | None = None) -> None:
    """Check the options of a command, then run its bundle.

    Args:
        command: as it was read.
        required: ids that it needs.
        files_of: verb whose configuration files are merged; None: the command's own.
    """
    run_bundle(compose_checked(command, required, files_of))


def compose_checked(command: Command, required: tuple[str, ...], files_of: str | None = None) -> BundleRun:
    """Check the options of a command, and return the run of its bundle; for the arguments see `run_command`."""
    check_required_ids(command, required, files_of)
    options, mode = checked_options(command, files_of)
    return compose_command(command, options, mode, files_of)


def compose_command(command: Command, options: dict[str, Any], mode: str, files_of: str | None = None) -> BundleRun:
    """Return the run of a bundle for a command.

    Args:
        command: as it was read.
        options: checked, as all others in its place.
        mode: "2d" or "3d".
        files_of: verb whose configuration files are merged; None: the command's own.
    """
    verb, overlays = files_of or command.verb, command.settings["overlay"]
    return compose(verb, command.task, options, role=_role(command), overlays=overlays, mode=mode)


def check_required_ids(command: Command, required: tuple[str, ...], files_of: str | None = None) -> None:
    """Check that all required options are there.

    Args:
        command: as it was read.
        required: ids, and options of the verb itself, that it needs.
        files_of: verb whose configuration files are merged; None: the command's own.

    Raises:
        ValueError: names the unknown options, then all missing ones.
    """

    def unknown() -> list[str]:
        # those of one member of a team, as teacher::max_epochs, are checked with the configuration of that member
        names = [name for name in command.options if name.split("::")[0] not in MEMBERS or "::" not in name]
        mode = command.settings["mode"]
        try:
            _, mode = options_from_record(command.verb, command.task, command.options, mode)
        except (ValueError, OSError):
            mode = mode or "2d"  # the model's record is for a command that has all its options
        return unknown_options(names, configuration(command, files_of, mode))

    settings = [name for name, value in command.settings.items() if value is not None]
    check_required(str(command), [*command.options, *settings], required, unknown)


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
    config = configuration(command, files_of, mode)
    options = convert_words(options, config)
    check_options(options, config)
    check_data_set(command.task, options, config)
    if command.verb == "train":
        check_has_labels(options)
    return options, mode


def configuration(command: Command, files_of: str | None, mode: str) -> dict[str, Any]:
    """Return the merged configuration of a command; for the arguments see `compose_command`."""
    settings = command.settings
    soft_labels = settings.get("soft_labels", "online")
    files = config_files(files_of or command.verb, command.task, _role(command), soft_labels, mode)
    return merge_files([*files, *settings["overlay"]])


def _role(command: Command) -> str:
    role = command.settings.get("role", ROLES[0])
    return role_of_model(command.verb, command.options, role) if command.verb in ("evaluate", "infer") else role
