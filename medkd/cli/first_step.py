"""The first step of every bundle: check the command line that runs it.

``python -m monai.bundle run`` ignores a misspelt option, and prints hundreds of lines for a missing file. The first
`initialize` step of the bundles calls `check_command`. Where a bundle is used as a library there is no command line, and the
step changes nothing.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from medkd.configs.merge import merge_files, set_value
from medkd.configs.values import check_monai_words
from medkd.runs.errors import print_one_line
from medkd.runs.files import check_no_link_loop
from medkd.runs.folder import RunFolder
from medkd.runs.invocation import current_invocation
from medkd.runs.lock import FolderLock
from medkd.runs.signals import catch_sigterm

from .changes import changed_ids
from .checks import MONAI_OPTIONS, check_options, check_positionals
from .words import read_value, split_words

__all__ = ["check_command", "given_options"]


def check_command(
    output_dir: str | Path | None = None,
    resume: bool = False,
    results: Sequence[str] = (RunFolder.MODEL, RunFolder.RESUME),
) -> dict[str, Any] | None:
    """Check the command line that runs a bundle; do nothing when there is none.

    The command is that of ``medkd`` in this process, or a command line of ``python -m monai.bundle run``.

    Args:
        output_dir: refused when it already holds a run, unless that run is resumed: two runs never share a folder.
        resume: whether the run goes on with what is in ``output_dir``.
        results: the files that tell of an earlier run.

    Returns:
        The merged configuration with the options in their places, for the run's record; None without a command line.

    Raises:
        FileExistsError: when ``output_dir`` is a file, holds results, or another process writes into it.
        ValueError: for an unknown option or a value of another kind.
    """
    invocation = current_invocation()
    if invocation is not None:
        files, options = invocation.files, invocation.options
        config = merge_files(files)
    elif _runs_monai_bundle():
        sys.excepthook = print_one_line
        catch_sigterm()
        files, options = _read_monai_command(sys.argv[2:])
        config = merge_files(files)
        check_monai_words(options, config)
    else:
        return None
    # MONAI warns of its own use of an argument that it will remove
    warnings.filterwarnings("ignore", message=".*always_return_as_numpy", category=FutureWarning)
    check_options(options, config, is_evaluated=invocation is None)
    _check_processes(files)
    if output_dir is not None:
        _check_output(Path(output_dir), resume, results)
    changed = changed_ids(files, options, config)
    for name, value in options.items():
        if name not in MONAI_OPTIONS:
            set_value(config, name, value)
    return {**config, "changed": changed} if changed else config


def given_options() -> frozenset[str]:
    """Return the names of the options of the command line that runs a bundle; none without a command line."""
    invocation = current_invocation()
    if invocation is not None:
        return frozenset(invocation.options)
    return frozenset(_read_monai_command(sys.argv[2:])[1]) if _runs_monai_bundle() else frozenset()


def _runs_monai_bundle() -> bool:
    # a process that torchrun started has the file of monai.bundle as argv[0] too
    return Path(sys.argv[0]).parts[-3:-1] == ("monai", "bundle") and sys.argv[1:2] == ["run"]


def _read_monai_command(words: Sequence[str]) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Return the configuration files and the options of a command line, read as MONAI reads it."""
    positionals, pairs = split_words(words, lambda name: "one")
    check_positionals(positionals)
    options = {name: read_value(values) for name, values in pairs}
    files = options.get("config_file", ())
    return (files,) if isinstance(files, str) else tuple(map(str, files)), options


def _check_output(folder: Path, resume: bool, results: Sequence[str]) -> None:
    check_no_link_loop("output_dir", folder)
    if folder.is_file() or (folder.is_symlink() and not folder.exists()):
        kind = "a file" if folder.is_file() else "a link that leads nowhere"
        raise FileExistsError(f"--output_dir {folder}: is {kind}, expected a folder")
    if folder.is_dir() and os.environ.get("RANK", "0") == "0":
        FolderLock(folder).acquire()
    for name in () if resume else results:
        if (folder / name).exists():
            hint = ", or go on with --resume True" if RunFolder.RESUME in results else ""
            raise FileExistsError(f"--output_dir {folder} already holds results ({name}): choose another folder{hint}")


def _check_processes(files: Sequence[str]) -> None:
    """Check that processes of one run are told of each other: else all of them would write into one folder."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count > 1 and not any("multi_gpu" in file for file in files):
        raise ValueError(
            f"torchrun started {count} processes: add bundles/overlays/multi_gpu_train.yaml to --config_file"
        )
