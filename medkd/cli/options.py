"""The command line of a run: every option must be known, and every failure ends in one line.

``python -m monai.bundle run`` silently ignores a misspelt option, and prints hundreds of lines for a missing file. The first
`initialize` step of our bundles calls `check`, which reads ``sys.argv`` and so changes nothing where a bundle is used as a
library.
"""

from __future__ import annotations

import ast
import inspect
import os
import re
import sys
import warnings
from collections.abc import Collection, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from monai.bundle import ConfigParser
from monai.bundle import run as monai_run
from monai.utils import optional_import

from medkd.runs.config import get_nested
from medkd.runs.errors import print_one_line
from medkd.runs.folder import RunFolder
from medkd.runs.lock import FolderLock
from medkd.runs.record import check_assistant, check_model, recorded
from medkd.runs.signals import catch_sigterm

from .option_values import check_value

__all__ = [
    "check_command",
    "check_assistant",
    "check_model",
    "check_options",
    "is_known",
    "merged_config",
    "parse_command",
    "recorded",
]

# Ids whose children are free: their own owner checks them.
_OPEN = ("method_args",)
# mode -> what says nothing in it
_OF_THE_OTHER_MODE = {"2d": ("patch_size", "spacing"), "3d": ("slice_batch",)}
_MONAI_OPTIONS = set(inspect.signature(monai_run).parameters) - {"override"}


def parse_command(arguments: list[str], lists: Collection[str] = ()) -> tuple[list[str], dict[str, Any]]:
    """Splits what follows ``run`` into stray words and options, with Python literals read as MONAI's command line does.

    Options named in ``lists`` take all words up to the next option: ``--window -200 300`` or ``--window "[-200, 300]"``.
    """
    words, options = [], {}
    rest = list(arguments)
    while rest:
        item = rest.pop(0)
        if not item.startswith("--"):
            words.append(item)
            continue
        name, _, value = item[2:].partition("=")
        if not value and "=" not in item:
            is_flag = not rest or (rest[0].startswith("--"))
            value = "True" if is_flag else rest.pop(0)
        options[name.replace("#", "::")] = _literal(value)
        if name in lists:
            several = [_literal(value)]
            while rest and not rest[0].startswith("--"):
                several.append(_literal(rest.pop(0)))
            options[name] = several[0] if isinstance(several[0], list | tuple) and len(several) == 1 else several
    return words, options


def _literal(value: str) -> Any:
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return value


def merged_config(options: dict[str, Any]) -> dict[str, Any]:
    """The config files of a command merged from left to right, without the options themselves.

    Raises:
        FileNotFoundError: for a config file that is not there.
        ValueError: for one that is not YAML or JSON, or holds no names, or holds a name that nothing reads.
    """
    files = options.get("config_file", [])
    files = [files] if isinstance(files, str) else list(files)
    contents = {}
    for file in files:
        if not Path(file).is_file():
            raise FileNotFoundError(f"--config_file: {file}: no such file")
        try:
            content = yaml.safe_load(Path(file).read_text())
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ValueError(
                f"--config_file: {file}: not a YAML or JSON file: {' '.join(str(error).split())}"
            ) from None
        if not isinstance(content, dict):
            raise ValueError(f"--config_file: {file}: holds {type(content).__name__}, expected names and values")
        contents[file] = content
    _check_overlays(contents)
    return ConfigParser.load_config_files(files)


def _check_overlays(contents: dict[str, dict]) -> None:
    """A name at the top of a later file must be one of an earlier file, or be referred to by some file: else it is misspelt."""
    known: set[str] = set()
    text = yaml.safe_dump(list(contents.values()), width=2**20)
    for number, (file, content) in enumerate(contents.items()):
        tops = {re.split("::|#", str(name).removeprefix("+"))[0] for name in content}
        for name in sorted(tops - known) if number else ():
            if not re.search(rf"[@%]{re.escape(name)}\b", text):
                near = get_close_matches(name, known, n=2)
                hint = f": did you mean {' or '.join(near)}?" if near else ""
                raise ValueError(f"--config_file: {file}: nothing reads {name!r}{hint}")
        known |= tops


def check_options(words: list[str], options: dict[str, Any], config: dict[str, Any]) -> None:
    """Every option must name an id of the merged configuration, or an argument of the class that the id builds.

    Raises:
        ValueError: for unknown options (with the nearest names), stray words, and values that would not mean what they
            look like: ``true``, ``None``, text for a number, a number for a path, one number for a list.
    """
    if words:
        raise ValueError(f"unexpected word(s) {' '.join(words)}: options are written --name value")
    unknown = []
    for name, value in options.items():
        if name in _MONAI_OPTIONS:
            continue
        if name in _OF_THE_OTHER_MODE.get(config.get("mode"), ()):
            raise ValueError(f"--{name}: says nothing in --mode {config['mode']}")
        if is_known(name, config):
            check_value(name, value, get_nested(config, name))
        else:
            near = get_close_matches(name, _ids(config) | _arguments(config, name), n=3)
            unknown.append(f"--{name}" + (f" (did you mean {', '.join('--' + n for n in near)}?)" if near else ""))
    if unknown:
        raise ValueError(f"unknown option(s): {'; '.join(unknown)}")


def is_known(name: str, config: dict[str, Any]) -> bool:
    """Whether an option is an id of the configuration, or an argument of the class that the id builds."""
    return name.split("::")[0] in _OPEN or name in _ids(config) or name in _arguments(config, name)


def _ids(config: Any, prefix: str = "") -> set[str]:
    """All ids below dictionaries: ``train``, ``train::trainer``, ``train::trainer::amp``, ..."""
    if not isinstance(config, dict):
        return set()
    found = set()
    for key, value in config.items():
        found |= {f"{prefix}{key}"} | _ids(value, f"{prefix}{key}::")
    return found


def _arguments(config: dict[str, Any], name: str) -> set[str]:
    """Options that the class of the option's parent id takes, though the configuration does not name them."""
    parent = name.rpartition("::")[0]
    target = (
        (get_nested(config, parent) or {}).get("_target_") if isinstance(get_nested(config, parent), dict) else None
    )
    if not isinstance(target, str):
        return set()
    module, _, attribute = target.rpartition(".")
    component, found = optional_import(module, name=attribute)
    if not found:
        return set()
    # a constructor that takes **keywords hands them to its base class
    owners = [base.__init__ for base in component.__mro__] if inspect.isclass(component) else [component]
    parameters = [parameter for owner in owners for parameter in inspect.signature(owner).parameters.values()]
    named = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    return {f"{parent}::{name}" for name in named - {"self"}}


def check_command(
    output_dir: str | Path | None = None,
    resume: bool = False,
    results: Sequence[str] = (RunFolder.MODEL, RunFolder.RESUME),
) -> dict[str, Any] | None:
    """First step of a bundle: checks the command line that runs it; does nothing when there is none.

    Args:
        output_dir: refused when it already holds a run, unless it is resumed: two runs never share a folder.
        resume: whether the run goes on with what is in ``output_dir``.
        results: the files that tell of an earlier run.

    Returns:
        The merged configuration with the options in their places, for the run's record; None without a command line.
    """
    # spawned by torchrun or called through `medkd`, argv[0] is the file of monai.bundle all the same
    if Path(sys.argv[0]).parts[-3:-1] != ("monai", "bundle") or sys.argv[1:2] != ["run"]:
        return None
    sys.excepthook = print_one_line
    catch_sigterm()
    # MONAI warns of its own use of an argument that it will remove
    warnings.filterwarnings("ignore", message=".*always_return_as_numpy", category=FutureWarning)
    words, options = parse_command(sys.argv[2:])
    config = merged_config(options)
    check_options(words, options, config)
    _check_processes(options)
    if output_dir is not None and Path(output_dir).is_file():
        raise FileExistsError(f"output_dir {output_dir}: is a file, expected a folder")
    if output_dir is not None and Path(output_dir).is_dir() and os.environ.get("RANK", "0") == "0":
        FolderLock(output_dir).acquire()
    if output_dir is not None and not resume:
        for name in results:
            if (Path(output_dir) / name).exists():
                raise FileExistsError(
                    f"output_dir {output_dir} already holds results ({name}): choose another folder"
                    + (", or go on with --resume True" if RunFolder.RESUME in results else "")
                )
    parser = ConfigParser(config)
    for name, value in options.items():
        if name not in _MONAI_OPTIONS:
            parser[name] = value
    return parser.config


def _check_processes(options: dict[str, Any]) -> None:
    """Processes that do not know of each other would all write into one folder."""
    count, files = int(os.environ.get("WORLD_SIZE", "1")), str(options.get("config_file"))
    if count > 1 and "multi_gpu" not in files:
        raise ValueError(
            f"torchrun started {count} processes: add bundles/overlays/multi_gpu_train.yaml to --config_file"
        )
