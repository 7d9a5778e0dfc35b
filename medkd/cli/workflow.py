"""Compose a run of a bundle, print the command line of MONAI that does the same, and run it in this process."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from medkd.configs.bundles import BUNDLES, config_files
from medkd.configs.merge import merge_files
from medkd.configs.table import data_as_literals
from medkd.runs.invocation import Invocation, invoked
from medkd.runs.lock import release_locks
from medkd.startup import import_monai

from .checks import check_options
from .words import format_options

__all__ = ["BundleRun", "compose", "run_bundle", "run_workflow"]


_OF_TEACHER = "%teacher_def"
_MULTI_GPU = BUNDLES / "overlays/multi_gpu_train.yaml"


@dataclass(frozen=True)
class BundleRun:
    """A run of a bundle.

    Attributes:
        files: the configuration files, in the order in which they are merged.
        options: ids of the configuration and their values, ``bundle_root`` among them, and arguments of MONAI's workflow.
            Options of the table are data; any other id is part of the configuration, and may be code.
    """

    files: tuple[str, ...]
    options: dict[str, Any]

    @property
    def overrides(self) -> dict[str, Any]:
        """The options in a form of which MONAI's parser evaluates nothing that is data."""
        return data_as_literals(self.options)

    @property
    def words(self) -> list[str]:
        """What follows ``python -m monai.bundle``."""
        files = ", ".join(f"'{file}'" for file in self.files)
        return ["run", "--config_file", f"[{files}]", *format_options(self.overrides)]

    @property
    def command_line(self) -> str:
        """The command line of MONAI, as it is typed in a shell."""
        return f"python -m monai.bundle {' '.join(map(_quote, self.words))}"


def compose(
    verb: str,
    task: str,
    options: dict[str, Any],
    *,
    role: str = "student",
    overlays: Sequence[str] = (),
    soft_labels: str = "online",
    mode: str = "2d",
) -> BundleRun:
    """Return the run of a bundle for a verb of the command line.

    Args:
        verb: see `config_files`.
        task: name of the bundle.
        options: ids of the configuration and their values.
        role: who is trained or used.
        overlays: the user's own files; they come after those of the bundle, and before that of several processes.
        soft_labels: "online" or "cached".
        mode: "2d" or "3d".
    """
    configs = BUNDLES / task / "configs"
    files = config_files(verb, task, role, soft_labels, mode)
    if role != "student" and merge_files([*files, *overlays])["network_def"] != _OF_TEACHER:
        options = {"network_def": _OF_TEACHER, **options}  # network_def of an overlay of the user's is the student's
    about = {
        "meta_file": _shorten(configs / "metadata.json"),
        "logging_file": _shorten(configs / "logging.conf"),
        "bundle_root": _shorten(BUNDLES / task),
    }
    return BundleRun((*map(_shorten, files), *overlays, *_overlay_of_processes(verb, overlays)), {**about, **options})


def _overlay_of_processes(verb: str, overlays: Sequence[str]) -> list[str]:
    """Return the overlay of a training in the several processes that torchrun started, unless the user gave it."""
    is_needed = verb in ("train", "distill") and int(os.environ.get("WORLD_SIZE", "1")) > 1
    is_given = any(Path(file).name == _MULTI_GPU.name for file in overlays)
    return [_shorten(_MULTI_GPU)] if is_needed and not is_given else []


def run_workflow(run: BundleRun) -> None:
    """Run a bundle as a ``monai.bundle.ConfigWorkflow``."""
    import_monai()  # takes seconds: a refused command must not wait for it
    from monai.bundle import ConfigWorkflow

    workflow = ConfigWorkflow(config_file=list(run.files), **run.overrides)
    workflow.initialize()
    workflow.run()
    workflow.finalize()


def run_bundle(
    run: BundleRun,
    facts: Mapping[str, Any] = MappingProxyType({}),
    work: Callable[[BundleRun], None] = run_workflow,
) -> None:
    """Print the command line of a run, then run it.

    Args:
        run: of `compose`.
        facts: for its record, see `Invocation`.
        work: does what the printed command line does.

    Raises:
        ValueError: for an unknown option or a value of another kind, before MONAI is imported.
    """
    check_options(run.options, merge_files(run.files))
    if os.environ.get("RANK", "0") == "0":
        print(run.command_line, flush=True)
    try:
        with invoked(Invocation(run.files, run.options, ("monai.bundle", *run.words), facts)):
            work(run)
    finally:
        release_locks()


def _shorten(path: Path) -> str:
    """Return a path relative to the working directory if it lies in there."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _quote(argument: str) -> str:
    """Quote a word for a shell; lists of file names stay readable."""
    return f'"{argument}"' if "'" in argument and not set(argument) & set('"$`\\!') else shlex.quote(argument)
