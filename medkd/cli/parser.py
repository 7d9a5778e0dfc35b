"""Read a command line once: the verb, its task, its own options, and options of the configuration."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from medkd.configs.bundles import tasks
from medkd.configs.option import Option
from medkd.configs.table import ID_OPTIONS
from medkd.configs.values import check_expanded
from medkd.runs.errors import UsageError, did_you_mean

from .checks import check_no_files, check_positionals, unknown_message, with_hint
from .trained import check_path, task_of_model
from .verb import Command, Verb
from .words import Arity, read_value, split_words

__all__ = ["check_choice", "read_command", "read_settings"]

_ARITIES: dict[str, Arity] = {
    "flag": "none",
    "truth": "truth",
    "list": "all",
    "names": "all",
    "sizes": "all",
    "numbers": "all",
    "words": "all",
    "window": "all",
    "paths": "all",
    "any": "all",
}


def read_command(verb: Verb, words: Sequence[str]) -> Command:
    """Read what follows a verb.

    Args:
        verb: the verb.
        words: the words after it.

    Raises:
        UsageError: for a missing or unknown task, and for a value that an option of the verb does not take.
        ValueError: for unexpected positional arguments, for unknown options of a verb without a configuration, and for
            options that only MONAI's own command line has.
    """
    settings = {option.name: option for option in verb.settings}
    if verb.options == "snakemake":
        words, rest = _split_foreign_words(words, settings)
    else:
        rest = []

    def arity(name: str) -> Arity:
        option = settings.get(name)
        if option is None and verb.options != "signature":
            option = ID_OPTIONS.get(name)
        return "all" if option is None else _ARITIES.get(option.kind, "one")

    positionals, pairs = split_words(words, arity)
    if not verb.names:
        _check_truths(words, [name for name, values in pairs if not values and arity(name) == "truth"])
    own = [(name, values) for name, values in pairs if name in settings]
    others = {name: values for name, values in pairs if name not in settings}
    if others and verb.options in ("none", "snakemake"):
        raise UsageError(unknown_message([with_hint(name, settings) for name in others]))
    if verb.options == "config":
        check_no_files(others)
    if verb.options == "signature":  # read by the kinds of that signature
        options: dict[str, Any] = dict(others)
    else:
        options = {name: read_value(values) for name, values in others.items()}
    command = Command(verb.name, settings=read_settings(verb.settings, own), options=options, rest=rest)
    command.task = _read_task(verb, positionals, command)
    command.names = positionals if verb.names else []
    check_positionals([] if verb.names else positionals)
    return command


def read_settings(table: Sequence[Option], pairs: Sequence[tuple[str, list[str]]]) -> dict[str, Any]:
    """Return the value of each option of a verb.

    Args:
        table: the verb's own options.
        pairs: name and words of those that were given.

    Raises:
        UsageError: for a value of another kind, or a missing one.
    """
    values: dict[str, Any] = {option.name: [] if option.repeat else option.default for option in table}
    by_name = {option.name: option for option in table}
    for name, words in pairs:
        option = by_name[name]
        value = _read_setting(option, words)
        if option.repeat:
            values[name] = [*values[name], value]
        else:
            values[name] = value
    return values


def check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    """Raise UsageError for a value that is not among the choices."""
    if value not in choices:
        hint = did_you_mean(value, choices, count=1)
        raise UsageError(
            f"{name}: found {value!r}, expected one of {', '.join(choices)}" + (f" ({hint})" if hint else "")
        )


def _read_setting(option: Option, words: list[str]) -> Any:
    if option.kind == "flag":
        return True
    if not words:
        raise UsageError(f"--{option.name}: found no value, expected {option.usage}")
    if option.choices:
        check_choice(f"--{option.name}", words[0], option.choices)
    if option.kind == "path":
        check_expanded(option.name, words[0])
    if option.kind in ("whole", "count"):
        least = 0 if option.kind == "whole" else 1
        if not words[0].isdecimal() or int(words[0]) < least:
            raise UsageError(f"--{option.name}: found {words[0]}, expected a whole number from {least} on")
        return int(words[0])
    if option.kind == "list":
        value = read_value(words)
        return list(value) if isinstance(value, list | tuple) else [value]
    return words[0]


def _check_truths(words: Sequence[str], names: Sequence[str]) -> None:
    """Raise UsageError where the word behind an option that is true or false is neither of these nor a task."""
    for word, following in pairwise(words):
        if word.removeprefix("--") in names and not following.startswith("--") and following not in tasks():
            raise UsageError(f"{word}: found {following!r}, expected True or False")


def _read_task(verb: Verb, positionals: list[str], command: Command) -> str:
    if verb.task == "none":
        return ""
    if positionals:
        check_choice("task", positionals[0], tasks())
        return positionals.pop(0)
    if verb.task == "recorded":
        for name in ("model", "teacher", "runs", "run"):
            task = _recorded_task(command, name)
            if task is not None:
                return task
        misspelt = [name for name in command.options if did_you_mean(name, ["model"]) and name != "model"]
        if misspelt:
            raise UsageError(f"{unknown_message([with_hint(name, ['model']) for name in misspelt])}; no task either")
        if "model" in command.options:
            check_path(str(command.options["model"]), "model")
            raise UsageError(
                f"task: found none, and no record beside --model {command.options['model']} names it: "
                f"medkd {verb.name} TASK --model ..."
            )
    raise UsageError(
        f"task: found none, expected one of {', '.join(tasks())} after the verb: medkd {verb.name} TASK ..."
    )


def _recorded_task(command: Command, name: str) -> str | None:
    value = command.options.get(name) or command.settings.get(name)
    if name == "runs" and isinstance(value, dict):
        value = next(iter(value.values()), None)
    if name == "run" and value:
        value = value[0].partition("=")[2].split(",")
    return task_of_model(value)


def _split_foreign_words(words: Sequence[str], settings: dict[str, Option]) -> tuple[list[str], list[str]]:
    """Split words into those of a verb, and those that another program reads; a positional comes first or after the verb's."""
    own: list[str] = []
    foreign: list[str] = []
    target = own
    for word in words:
        if word.startswith("-") and not word[1:].replace(".", "").isdigit():
            name = word[2:].partition("=")[0]
            target = own if word.startswith("--") and name in settings else foreign
        target.append(word)
    return own, foreign
