"""Write the pages of the command line: every verb, and every option of the table."""

from __future__ import annotations

from medkd.cli.prepare_options import prepare_options
from medkd.cli.verb import Verb
from medkd.cli.verbs import VERBS
from medkd.configs.bundles import tasks
from medkd.configs.option import Option
from medkd.configs.table import ID_OPTIONS

from .pages import table, write

__all__ = ["write_command_pages"]

_HEAD = ["option", "meaning", "default"]


def write_command_pages() -> None:
    """Write ``command_line.md`` and ``options.md``."""
    write("command_line.md", _command_line())
    write("options.md", _options())


def _command_line() -> str:
    lines = [
        "# Command line",
        "",
        "Generated from the parser. `medkd VERB TASK --help` shows the same with the defaults of a task.",
    ]
    lines += ["", table(["verb", ""], [[f"[`{name}`](#medkd-{name})", verb.summary] for name, verb in VERBS.items()])]
    for verb in VERBS.values():
        lines += ["", *_verb(verb)]
    lines += [
        "",
        "## Options of the preparations",
        "",
        "`medkd prepare TASK` takes these; those with a star are required.",
    ]
    for task in tasks():
        lines += ["", f"### prepare {task}", "", _table(prepare_options(task), starred=True)]
    return "\n".join(lines) + "\n"


def _verb(verb: Verb) -> list[str]:
    task = {"none": "", "required": " TASK", "recorded": " [TASK]"}[verb.task]
    needed = "".join(f" --{name} ..." for name in verb.required)
    lines = [
        f"## medkd {verb.name}",
        "",
        verb.summary,
        "",
        "```text",
        f"medkd {verb.name}{task}{needed} [options]",
        "```",
    ]
    if verb.settings:
        lines += ["", _table(verb.settings)]
    if verb.options == "config":
        lines += ["", "Beside these: [the options of the configuration](options.md), each task has some of them."]
    elif verb.options == "snakemake":
        lines += ["", "All other options go to Snakemake."]
    return [*lines, "", verb.notes] if verb.notes else lines


def _table(options: tuple[Option, ...] | list[Option], starred: bool = False) -> str:
    rows = []
    for option in options:
        needed = starred and option.default is ...
        shown = option.default is not ... and option.default not in (None, [], "")
        star = " *" if needed else ""
        rows.append([f"`{option.usage}`{star}", _sentence(option), f"`{option.default}`" if shown else ""])
    return table(_HEAD, rows)


def _sentence(option: Option) -> str:
    text = option.help
    if option.repeat and "repeated" not in text:
        text += " May be repeated."
    if option.mode:
        text += f" With `--mode {option.mode}` alone."
    if option.images:
        text += f" Of {option.images} alone."
    return text.replace("<", "&lt;")


_INTRODUCTION = """# Options of the configuration

Generated from the option table. Every id of a bundle's configuration is an option of the verbs that run it. Defaults depend
on the task: `medkd train TASK --help` shows them. A list is given as words: `--image_size 96 96`. These options are data.
Any other id overrides MONAI's configuration and [may be code](../concepts/trust.md).

"""


def _options() -> str:
    options = [option for option in ID_OPTIONS.values() if option.kind != "computed"]
    return _INTRODUCTION + table(_HEAD[:2], [[f"`{option.usage}`", _sentence(option)] for option in options]) + "\n"
