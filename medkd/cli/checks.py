"""Check that every option of a run is an id of its configuration, with a value of the right kind."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from medkd.runs.config import get_nested
from medkd.runs.errors import did_you_mean

from .config import all_ids
from .signatures import argument_names
from .table import option_of
from .values import check_value

__all__ = ["MONAI_OPTIONS", "check_options", "check_positionals", "check_required", "is_known"]

# Arguments of ``monai.bundle.run``.
MONAI_OPTIONS = frozenset(
    ("run_id", "init_id", "final_id", "meta_file", "config_file", "logging_file", "tracking", "args_file")
)
# Ids whose children are free: the method checks them.
_OPEN_IDS = ("method_args",)


def check_positionals(words: Sequence[str]) -> None:
    """Raise ValueError if a command line has positional arguments that nothing reads."""
    if words:
        raise ValueError(f"unexpected positional argument(s) {' '.join(words)}: options are written --name value")


def check_required(command: str, options: Collection[str], names: Sequence[str]) -> None:
    """Check that all required options are there.

    Args:
        command: what needs them, such as "train kits19".
        options: names that were given.
        names: names that are required.

    Raises:
        ValueError: names all missing ones, with an option that may be a misspelling.
    """
    missing = [name for name in names if name not in options]
    if not missing:
        return
    unread = [name for name in options if name not in names]
    hints = [did_you_mean(name, unread, count=1, prefix="--") for name in missing]
    found = [hint.removeprefix("did you mean ").removesuffix("?") for hint in hints if hint]
    hint = f" (found {', '.join(dict.fromkeys(found))})" if found else ""
    raise ValueError(f"medkd {command} needs {', '.join(f'--{name}' for name in missing)}{hint}")


def check_options(options: dict[str, Any], config: dict[str, Any]) -> None:
    """Check that each option names an id of the configuration, or an argument of the class that the id builds.

    Args:
        options: name and value.
        config: merged configuration.

    Raises:
        ValueError: for unknown options, with the nearest names; for options of the other mode; for values of another kind.
    """
    unknown = []
    for name, value in options.items():
        if name in MONAI_OPTIONS:
            continue
        option = option_of(name)
        mode = config.get("mode")
        if option is not None and option.name == name and option.mode and mode and option.mode != mode:
            raise ValueError(f"--{name}: has no effect with --mode {mode}")
        if is_known(name, config):
            check_value(name, value, get_nested(config, name))
        else:
            hint = did_you_mean(name, sorted(all_ids(config) | _arguments(config, name)), prefix="--")
            unknown.append(f"--{name}" + (f" ({hint})" if hint else ""))
    if unknown:
        raise ValueError(f"unknown option(s): {'; '.join(unknown)}")


def is_known(name: str, config: dict[str, Any]) -> bool:
    """Return whether an option is an id of the configuration, or an argument of the class that the id builds."""
    return name.split("::")[0] in _OPEN_IDS or name in all_ids(config) or name in _arguments(config, name)


def _arguments(config: dict[str, Any], name: str) -> set[str]:
    """Return options for the arguments of the class of the parent id, whether the configuration names them or not."""
    parent = name.rpartition("::")[0]
    component = get_nested(config, parent) if parent else None
    target = component.get("_target_") if isinstance(component, dict) else None
    return {f"{parent}::{argument}" for argument in argument_names(target)} if isinstance(target, str) else set()
