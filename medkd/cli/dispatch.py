"""Find the verb of a command line, and show its help or run it."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence

import medkd
from medkd.runs.errors import UsageError, did_you_mean

from .help import command_help, verb_help
from .parser import read_command
from .verb import Command, Verb
from .verbs import VERBS

__all__ = ["run_words"]


def run_words(words: Sequence[str]) -> None:
    """Run a command.

    Args:
        words: what follows ``medkd``.

    Raises:
        UsageError: for an unknown verb, and see `read_command`.
    """
    if words[:1] in (["--help"], ["-h"]):
        print(command_help(VERBS))
    elif words[:1] == ["--version"]:
        print(f"medkd {medkd.__version__}")
    else:
        verb = _find_verb(words)
        if "--help" in words or "-h" in words:
            print(_help(verb, [word for word in words[1:] if word not in ("--help", "-h")]))
        else:
            _silence_monai()
            verb.run(read_command(verb, words[1:]))


def _find_verb(words: Sequence[str]) -> Verb:
    name = words[0] if words else ""
    if name not in VERBS:
        hint = did_you_mean(name, VERBS, count=1)
        found = repr(name) if name else "none"
        raise UsageError(f"verb: found {found}, expected one of {', '.join(VERBS)}" + (f" ({hint})" if hint else ""))
    return VERBS[name]


def _silence_monai() -> None:
    """Silence MONAI's warnings of what is as it should be.

    The bundles, whose configurations have code in them, are our own. Where pydicom is installed, each LoadImage registers a
    reader that looks for NVIDIA's decoder.
    """
    for message in ("parsing config_file", "NvImgCodecPydicomReader"):
        warnings.filterwarnings("ignore", message=message)
    for name in ("bundle.scripts", "bundle.workflows", "data.nvimgcodec_pydicom_plugin"):
        # a filter, for MONAI sets the level itself when the module is imported
        logging.getLogger(f"monai.{name}").addFilter(_is_error)


def _is_error(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR


def _help(verb: Verb, words: Sequence[str]) -> str:
    """Return the help of a verb; of a command that cannot be read without the defaults of a task."""
    try:
        command = read_command(verb, words)
    except ValueError:
        command = Command(verb.name)
    return verb_help(verb, command.task, command.settings)
