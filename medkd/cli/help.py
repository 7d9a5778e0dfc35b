"""Help texts: of the command, and of a verb with its options, types and defaults."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

import medkd
from medkd.configs.bundles import all_config_files, config_files, tasks
from medkd.configs.merge import merge_files, top_ids
from medkd.configs.option import Option
from medkd.configs.table import COMMON_IDS, ID_OPTIONS

from .prepare_options import prepare_options
from .verb import Verb

__all__ = ["command_help", "verb_help"]

_WIDTH, _COLUMN = 110, 34


def command_help(verbs: Mapping[str, Verb]) -> str:
    """Return the help text of ``medkd``."""
    lines = ["usage: medkd VERB ...", "", *textwrap.wrap(medkd.__doc__ or "", _WIDTH), "", "verbs:"]
    lines += [_entry(verb.name, verb.summary) for verb in verbs.values()]
    lines += ["", "Options of a verb: medkd VERB --help; with the defaults of a task: medkd VERB TASK --help"]
    lines += ["Version: medkd --version"]
    return "\n".join(lines)


def verb_help(verb: Verb, task: str = "", settings: Mapping[str, Any] | None = None) -> str:
    """Return the help text of a verb.

    Args:
        verb: the verb.
        task: name of the bundle whose defaults are shown; empty for none.
        settings: values of the verb's own options; role, mode and overlays choose the configuration.
    """
    settings = settings or {}
    config = _configuration(verb, task, settings) if verb.options == "config" else {}
    options = prepare_options(task) if verb.options == "signature" and task else []
    known = ({option.name: option for option in options} or ID_OPTIONS) | {o.name: o for o in verb.settings}
    needed = [known[name] for name in verb.required if name in known]
    needed += [option for option in options if option.default is ... and option not in needed]
    lines = ["usage: " + _usage(verb, needed), "", *textwrap.wrap(verb.summary, _WIDTH)]
    if verb.task != "none":
        lines += ["", f"tasks: {', '.join(tasks())}"]
    lines += _section("required", (_line(option, None) for option in needed))
    own = (option for option in verb.settings if option not in needed)
    lines += _section("options of the command", (_line(option, option.default) for option in own))
    if options:
        others = (option for option in options if option not in needed)
        lines += _section("options of the preparation", (_line(option, option.default) for option in others))
    if verb.options == "config":
        lines += _ids(verb, config, {option.name for option in needed})
    for note in filter(None, [verb.notes, *_closing(verb, task)]):
        lines += ["", *textwrap.wrap(note, _WIDTH)]
    return "\n".join(lines)


def _configuration(verb: Verb, task: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    if not task:
        return {}
    role, mode = settings.get("role") or "student", settings.get("mode") or "2d"
    config: dict[str, Any] = {}
    for name in verb.files_of or (verb.name,):
        files = config_files(name, task, role, settings.get("soft_labels") or "online", mode)
        config |= merge_files([*files, *settings.get("overlay", ())])
    return config


def _ids_of_any_task(verb: Verb) -> set[str]:
    """Return the ids that the configurations of a verb have, whatever task, mode and role."""
    roles = next((option.choices for option in verb.settings if option.name == "role"), ("student",))
    return top_ids(file for name in verb.files_of or (verb.name,) for file in all_config_files(name, roles))


def _usage(verb: Verb, needed: Iterable[Option]) -> str:
    task = {"none": "", "required": "TASK", "recorded": "[TASK]"}[verb.task]
    parts = ["medkd", verb.name, task, verb.names, *(option.usage for option in needed), "[options]"]
    return " ".join(filter(None, parts))


def _ids(verb: Verb, config: Mapping[str, Any], needed: set[str]) -> list[str]:
    """Return the sections of ids: the common ones with their meaning, then all others."""
    mode = config.get("mode")
    skipped = {"mode", *needed, *verb.hidden}
    if config:
        names = [name for name in config if name not in skipped]
    else:
        ids = _ids_of_any_task(verb)
        names = [name for name in ID_OPTIONS if name in ids - skipped]
    options = {
        name: ID_OPTIONS[name] for name in names if name in ID_OPTIONS and _is_set_by_users(ID_OPTIONS[name], mode)
    }
    common = [name for name in COMMON_IDS if name in options] if config else []
    lines = _section("common", (_line(options[name], config.get(name)) for name in common))
    rest = (_line(option, config.get(name)) for name, option in options.items() if name not in common)
    if not config:
        return lines + _section("ids of the configuration (each task has some of them)", rest)
    others = [name for name in names if name not in ID_OPTIONS and _is_plain(config[name])]
    listed = [*rest, *(_line(Option(name, "any", ""), config[name]) for name in others)]
    lines += _section("all other ids of the configuration", listed)
    nested = ", ".join(name for name in names if isinstance(config[name], dict) and "_target_" not in config[name])
    note = "Nested ids override MONAI's configuration, which may be code: --train::trainer::clip_norm 1. "
    note += f"They begin with {nested}."
    return [*lines, "", *textwrap.wrap(note, _WIDTH)]


def _is_set_by_users(option: Option, mode: Any) -> bool:
    return (
        option.kind != "computed" and option.name != "bundle_root" and (not option.mode or mode in (None, option.mode))
    )


def _is_plain(value: Any) -> bool:
    return (
        value is None
        or isinstance(value, int | float)
        or isinstance(value, str)
        and not value.startswith(("$", "@", "%"))
    )


def _closing(verb: Verb, task: str) -> list[str]:
    if verb.options == "config" and not task:
        return [
            f"All ids of a task, with their defaults: medkd {verb.name} TASK --help. A misspelt option stops the command."
        ]
    if verb.options == "signature" and not task:
        return [f"The options of a task: medkd {verb.name} TASK --help."]
    return []


def _section(title: str, entries: Iterable[str]) -> list[str]:
    lines = list(entries)
    return ["", f"{title}:", *lines] if lines else []


def _line(option: Option, default: Any) -> str:
    """Return the entry of an option; a default that is an expression is shown as "computed"."""
    text = option.help
    if isinstance(default, str) and default.startswith(("$", "@", "%")):
        text += " (default: computed)"
    elif default is not None and default is not ... and default != []:
        text += f" (default: {default})"
    return _entry(option.usage, text.strip())


def _entry(usage: str, text: str) -> str:
    lines = textwrap.wrap(text, _WIDTH - _COLUMN) or [""]
    head = f"  {usage}".ljust(_COLUMN)
    if len(f"  {usage}") >= _COLUMN:
        return "\n".join([f"  {usage}", *(" " * _COLUMN + line for line in lines)]).rstrip()
    return "\n".join([head + lines[0], *(" " * _COLUMN + line for line in lines[1:])]).rstrip()
