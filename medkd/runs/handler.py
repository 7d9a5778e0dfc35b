"""What made a run: its configuration, versions, seed and command."""

from __future__ import annotations

import json
import platform
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
import yaml
from ignite.engine import Events
from monai.engines import Workflow

import medkd
from medkd.parallel.group import is_main_process, processes

from .files import write_atomically
from .lock import claim

__all__ = ["RunRecord"]

_PACKAGES = ("torch", "monai", "numpy", "pytorch-ignite", "nibabel", "blosc2")


class RunRecord:
    """Writes ``config.yaml`` and ``environment.json`` after the engine's first step: a run that cannot take it leaves nothing.

    Args:
        output_dir: the run's folder.
        config: the merged configuration, from `medkd.cli.options.merged_config`; None writes no config.
        seed: of the run.
        prefix: in front of both names, such as "evaluate_".
        values: ids of the configuration that are written as values: they may be expressions there, which nobody can evaluate
            where the data set is not at hand.
    """

    def __init__(
        self,
        output_dir: str | Path,
        config: dict[str, Any] | None,
        seed: int,
        prefix: str = "",
        values: dict[str, Any] | None = None,
    ) -> None:
        self.output_dir = Path(output_dir)
        self.config = config
        self.seed = seed
        self.prefix = prefix
        self.values = values or {}
        self._begun, self._written = datetime.now(UTC), False

    def attach(self, engine: Workflow) -> None:
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine: Workflow) -> None:
        if self._written or not is_main_process():
            return
        self._written = True
        claim(self.output_dir)
        environment = {
            "command": sys.argv,
            "seed": self.seed,
            "started": self._begun.isoformat(timespec="seconds"),
            "versions": {"medkd": medkd.__version__, "python": platform.python_version(), **_versions()},
            "machine": {
                "platform": platform.platform(),
                "threads": torch.get_num_threads(),
                **_accelerator(),
            },
            "processes": processes(),
        }
        self._write("environment.json", json.dumps(environment, indent=2))
        if self.config is not None:
            self._write("config.yaml", yaml.safe_dump({**self.config, **self.values}, sort_keys=False, width=120))

    def _write(self, name: str, text: str) -> None:
        write_atomically(self.output_dir / f"{self.prefix}{name}", lambda path: path.write_text(text))


def _versions() -> dict[str, str]:
    return {name: metadata.version(name) for name in _PACKAGES}


def _accelerator() -> dict[str, str]:
    return {"cuda": torch.cuda.get_device_name()} if torch.cuda.is_available() else {}
