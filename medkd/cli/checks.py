"""Check that every option of a run is an id of its configuration, with a value of the right kind."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

from medkd.configs.ids import get_nested, is_expression
from medkd.configs.merge import all_ids
from medkd.configs.option import Option
from medkd.configs.table import ID_OPTIONS, option_of
from medkd.configs.values import check_value
from medkd.runs.errors import UsageError, did_you_mean

from .signatures import argument_names, takes_any_argument

__all__ = [
    "MONAI_OPTIONS",
    "check_no_files",
    "check_options",
    "check_positionals",
    "check_required",
    "is_known",
    "unknown_message",
    "unknown_options",
    "with_hint",
]

# Arguments of ``monai.bundle.run``.
MONAI_OPTIONS = frozenset(
    ("run_id", "init_id", "final_id", "meta_file", "config_file", "logging_file", "tracking", "args_file")
)
_FILE_OPTIONS = {
    "config_file": "the verb and the task choose the configuration files; write --overlay FILE to add one",
    "args_file": "only python -m monai.bundle run reads such a file; write the options themselves, or --overlay FILE",
}
# Ids whose children are free: the method checks them.
_OPEN_IDS = ("method_args",)


def check_positionals(words: Sequence[str]) -> None:
    """Raise ValueError if a command line has positional arguments that nothing reads."""
    if words:
        raise UsageError(f"unexpected positional argument(s) {' '.join(words)}: options are written --name value")


def check_required(
    command: str, options: Collection[str], names: Sequence[str], unknown: Callable[[], Sequence[str]] = list
) -> None:
    """Check that all required options are there.

    Args:
        command: what needs them, such as "train kits19".
        options: names that were given.
        names: names that are required.
        unknown: returns the unknown options with their hints; called only when an option is missing, because one of them
            may be its misspelling.

    Raises:
        ValueError: names the unknown options, then all missing ones.
    """
    missing = [name for name in names if name not in options]
    if missing:
        message = f"medkd {command} needs {', '.join(f'--{name}' for name in missing)}"
        raise UsageError("; ".join(filter(None, [unknown_message(unknown()), message])))


def check_options(options: dict[str, Any], config: dict[str, Any], is_evaluated: bool = False) -> None:
    """Check that each option names an id of the configuration, or an argument of the class that the id builds.

    Args:
        options: name and value.
        config: merged configuration.
        is_evaluated: whether MONAI evaluates expressions in all options, see `check_value`.

    Raises:
        ValueError: for unknown options, with the nearest names; for options of the other mode; for values of another kind.
    """
    unknown = unknown_options(options, config)
    for name, value in options.items():
        if name in MONAI_OPTIONS:
            continue
        if _is_of_other_mode(name, config):
            raise UsageError(f"--{name}: has no effect with --mode {config['mode']}")
        if is_known(name, config):
            option = _in_mode(option_of(name), config)
            check_value(name, value, get_nested(config, name), option, is_evaluated=is_evaluated)
            _check_architecture(name, value, config)
            _check_component(name, value, config)
    if unknown:
        raise UsageError(unknown_message(unknown))
    if config.get("mode") == "3d" and "image_size" in options:
        _check_size_of_patches(options["image_size"], options.get("patch_size"))


def unknown_options(options: Iterable[str], config: dict[str, Any]) -> list[str]:
    """Return the options that a configuration does not have, each with the nearest names.

    An option of the other mode is not unknown: it has no effect.
    """
    names = [
        name
        for name in options
        if name not in MONAI_OPTIONS and not _is_of_other_mode(name, config) and not is_known(name, config)
    ]
    return [
        _of_other_images(name, config) or with_hint(name, all_ids(config) | _arguments(config, name)) for name in names
    ]


def _of_other_images(name: str, config: dict[str, Any]) -> str:
    """Return an unknown option that only tasks with other images have, and these; empty for any other."""
    option, images = ID_OPTIONS.get(name), "volumes" if "spacing" in config else "pictures"
    is_of_other = option is not None and option.images not in ("", images)
    return f"--{name} (an option for {option.images}, this task has {images})" if option and is_of_other else ""


def with_hint(name: str, names: Iterable[str]) -> str:
    """Return an unknown option as a message names it: that other tasks have it, or the nearest of the valid names.

    Example:
        >>> with_hint("max_epoch", ["max_epochs", "seed"])
        '--max_epoch (did you mean --max_epochs?)'
        >>> with_hint("format", ["form"])
        '--format (an option of other tasks or commands)'
    """
    if name in ID_OPTIONS:
        return f"--{name} (an option of other tasks or commands)"
    hint = did_you_mean(name, sorted(names), prefix="--")
    return f"--{name}" + (f" ({hint})" if hint else "")


def unknown_message(unknown: Sequence[str]) -> str:
    """Return the message for unknown options; empty if there are none."""
    return f"unknown option(s): {'; '.join(unknown)}" if unknown else ""


def check_no_files(options: Iterable[str]) -> None:
    """Check that no option names files in the place of those that the verb and the task choose.

    Raises:
        ValueError: for ``config_file`` and ``args_file``, which only ``python -m monai.bundle run`` reads.
    """
    for name in options:
        if name in _FILE_OPTIONS:
            raise UsageError(f"--{name}: {_FILE_OPTIONS[name]}")


def is_known(name: str, config: dict[str, Any]) -> bool:
    """Return whether an option is an id of the configuration, or an argument of the class that the id builds."""
    return name.split("::")[0] in _OPEN_IDS or name in all_ids(config) or name in _arguments(config, name)


def _is_of_other_mode(name: str, config: dict[str, Any]) -> bool:
    option, mode = option_of(name), config.get("mode")
    return option is not None and option.name == name and bool(option.mode and mode) and option.mode != mode


def _in_mode(option: Option | None, config: dict[str, Any]) -> Option | None:
    """Return an option with the choices of the mode of a configuration."""
    if option is None or not option.choices_3d or config.get("mode") == "3d":
        return option
    return replace(option, choices=tuple(word for word in option.choices if word not in option.choices_3d))


def _check_architecture(name: str, value: Any, config: dict[str, Any]) -> None:
    """Check that a network of medkd is chosen by its option, which the record of a run keeps.

    Raises:
        UsageError: names the option.
    """
    parent, _, last = name.rpartition("::")
    component = get_nested(config, parent) if last in ("architecture", "_target_") else None
    if not isinstance(component, dict) or not isinstance(value, str):
        return
    option = ID_OPTIONS.get(str(component.get("architecture")).removeprefix("@"))
    chosen = value.removeprefix("medkd.networks.")
    if option is not None and (last == "architecture" or chosen in option.choices and chosen != value):
        raise UsageError(f"--{name} {value}: expected --{option.name} {chosen}")


def _check_component(name: str, target: Any, config: dict[str, Any]) -> None:
    """Check that a class in the place of a component's takes the arguments that the configuration gives it.

    Raises:
        UsageError: names those that it does not take, and the option that replaces the whole component.
    """
    parent, _, last = name.rpartition("::")
    component = get_nested(config, parent) if last == "_target_" else None
    if not isinstance(component, dict) or not isinstance(target, str) or takes_any_argument(target):
        return
    taken = argument_names(target)
    arguments = {key: value for key, value in component.items() if not key.startswith("_")}
    if other := [key for key in arguments if key not in taken]:
        whole = {"_target_": target, **{key: value for key, value in arguments.items() if key in taken}}
        raise UsageError(
            f"--{name}: {target} takes no {', '.join(other)}, which the configuration gives: replace the whole component, "
            f'--{parent} "{whole}"'
        )


def _check_size_of_patches(image_size: Any, patch_size: Any) -> None:
    """Check ``--image_size`` with ``--mode 3d``, where it is another name of ``--patch_size``."""
    if is_expression(image_size) or is_expression(patch_size):
        return
    if patch_size is not None and list(image_size) != list(patch_size):
        raise UsageError(
            f"--image_size: found {image_size} beside --patch_size {patch_size}, expected --patch_size alone with --mode 3d"
        )
    if len(image_size) != 3:
        raise UsageError(f"--image_size: found {image_size}, expected --patch_size SLICES ROWS COLUMNS with --mode 3d")


def _arguments(config: dict[str, Any], name: str) -> set[str]:
    """Return options for the arguments of the class of the parent id, whether the configuration names them or not."""
    parent = name.rpartition("::")[0]
    component = get_nested(config, parent) if parent else None
    target = component.get("_target_") if isinstance(component, dict) else None
    return {f"{parent}::{argument}" for argument in argument_names(target)} if isinstance(target, str) else set()
