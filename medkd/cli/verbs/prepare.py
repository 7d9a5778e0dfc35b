"""`medkd prepare`: prepare a data set from an official download, or from a user's own images."""

from __future__ import annotations

from typing import Any

from medkd.configs.option import Option
from medkd.configs.values import check_value
from medkd.runs.errors import UsageError

from ..checks import check_positionals, check_required, unknown_message, with_hint
from ..prepare_options import prepare_options
from ..verb import Command, Verb
from ..words import read_value

__all__ = ["VERB", "prepare"]

_TRUTHS = {"true": True, "false": False}
_SOURCES = {"source", "images", "labels"}


def prepare(task: str, options: dict[str, list[str]]) -> None:
    """Prepare a data set, and print its summary and report.

    Args:
        task: name of the bundle.
        options: name and words of each option, see `prepare_options`.

    Raises:
        ValueError: for an unknown or a missing option, or a value of another kind.
    """
    table = {option.name: option for option in prepare_options(task)}
    is_added = "unlabelled" in options and not options.keys() & _SOURCES
    if is_added:
        table = _options_of_addition(table, options)
    required = [option.name for option in table.values() if option.default is ...]
    unknown = [with_hint(name, table) for name in options if name not in table]
    if unknown:
        check_required(f"prepare {task}", options, required, lambda: unknown)
        raise UsageError(unknown_message(unknown))
    values = {name: _read(table[name], words) for name, words in options.items()}
    check_required(f"prepare {task}", options, required)
    if is_added:
        _call("unlabelled", {**values, "task": task})
    else:
        _call(task, values)


def _options_of_addition(table: dict[str, Option], options: dict[str, list[str]]) -> dict[str, Option]:
    """Return the options that count where images without labels are added to a prepared data set.

    Raises:
        ValueError: for one that counts only where a data set is prepared from its source.
    """
    added = {option.name: option for option in prepare_options("unlabelled") if option.name in table}
    if others := [name for name in options if name in table and name not in added]:
        sources = " or ".join(f"--{name}" for name in table if name in _SOURCES)
        raise UsageError(
            f"--{others[0]}: has no effect where --unlabelled adds to a prepared data set; expected {sources} beside it to "
            "prepare the data set anew"
        )
    return added


def _read(option: Option, words: list[str]) -> Any:
    if option.kind in ("list", "window"):
        value = read_value(words) if words else []
        value = list(value) if isinstance(value, list | tuple) else [value]
    else:
        check_positionals(words[1:])
        value = words[0] if words and option.kind in ("path", "text") else read_value(words)
    if option.kind == "truth" and isinstance(value, str):
        value = _TRUTHS.get(value.lower(), value)
    check_value(option.name, value, option.default, option)
    return value


def _call(task: str, values: dict[str, Any]) -> None:
    import importlib
    import json
    import sys
    import warnings
    from pathlib import Path

    from medkd.runs.escapes import without_escapes

    function = importlib.import_module(f"medkd.data_prep.{task}").prepare
    target = values.pop("dataset_dir")
    with warnings.catch_warnings():
        # users of the command need the warning, not its source line
        warnings.showwarning = lambda message, *_, **__: print(
            "medkd: warning:", *str(message).split(), file=sys.stderr
        )
        summary = function(target=target, **values)
    print(json.dumps(summary, indent=2, default=str))
    report = Path(target) / "report.md"
    if report.is_file():
        print("", without_escapes(report.read_text(encoding="utf-8")), sep="\n", end="")


def _run(command: Command) -> None:
    prepare(command.task, command.options)


VERB = Verb(
    "prepare",
    "Prepare a data set from an official download (--source), or from your own images (--images, --labels; nifti also takes "
    "--source: a data set of nnU-Net or the Decathlon), with images without labels beside them (--unlabelled).",
    _run,
    task="required",
    options="signature",
)
