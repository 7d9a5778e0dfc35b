"""The record that a run leaves: configuration, versions, seed and command."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Events
from monai.engines import Workflow

from medkd.parallel.group import is_main_process, processes

from .folder import RunFolder
from .invocation import command_words, current_invocation
from .lock import FolderLock

__all__ = ["RunRecord"]

# The installed version of medkd: in a folder that holds a clone named medkd, `import medkd` finds that folder.
_PACKAGES = ("medkd", "torch", "monai", "numpy", "pytorch-ignite", "nibabel", "blosc2")


class RunRecord:
    """Write ``config.yaml`` and ``environment.json`` after the first step. A run that fails before leaves nothing.

    Args:
        output_dir: the run's folder.
        config: the merged configuration, from `medkd.cli.check_command`; None writes no configuration.
        seed: of the run.
        prefix: of both file names, such as "evaluate_".
        values: ids of the configuration that are written as values. The configuration may have expressions there, which
            cannot be evaluated without the data set.
    """

    def __init__(
        self,
        output_dir: str | Path,
        config: dict[str, Any] | None,
        seed: int,
        prefix: str = "",
        values: dict[str, Any] | None = None,
    ) -> None:
        self.folder = RunFolder(output_dir, prefix)
        self.config = config
        self.seed = seed
        self.values = values or {}
        self._started = datetime.now(UTC)
        self._is_written = False

    def attach(self, engine: Workflow) -> None:
        """Register the handler at an engine."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine: Workflow) -> None:
        """Write both files, once and in the main process."""
        if self._is_written or not is_main_process():
            return
        self._is_written = True
        FolderLock(self.folder.path).acquire()
        # what a trainer of medkd chose by itself: its precision and memory format
        self.folder.write_environment({**self._environment(), **getattr(engine, "settings", {})})
        if self.config is not None:
            self.folder.write_config({**self.config, **self.values})

    def _environment(self) -> dict[str, Any]:
        invocation = current_invocation()
        return {
            "command": command_words(),
            "seed": self.seed,
            "started": self._started.isoformat(timespec="seconds"),
            "versions": {"python": platform.python_version(), **_versions()},
            "machine": {"platform": platform.platform(), "threads": torch.get_num_threads(), **_accelerator()},
            "processes": processes(),
            **(invocation.facts if invocation is not None else {}),
        }


def _versions() -> dict[str, str]:
    return {name: metadata.version(name) for name in _PACKAGES}


def _accelerator() -> dict[str, str]:
    return {"cuda": torch.cuda.get_device_name()} if torch.cuda.is_available() else {}
