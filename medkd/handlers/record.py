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
from medkd.data.files import write_atomically

__all__ = ["RunRecord"]

_PACKAGES = ("torch", "monai", "numpy", "pytorch-ignite", "nibabel", "blosc2")


class RunRecord:
    """Writes ``config.yaml`` and ``environment.json`` when the engine starts: after data and teacher proved readable.

    Args:
        output_dir: the run's folder.
        config: the merged configuration, from `medkd.options.merged_config`; None writes no config.
        seed: of the run.
        prefix: in front of both names, such as "evaluate_".
        trained_with: what weights alone cannot tell, as values: in the configuration they may be expressions, which nobody
            can evaluate where the data set is not at hand. Replaces the configuration's ``trained_with``.
    """

    def __init__(
        self,
        output_dir: str | Path,
        config: dict[str, Any] | None,
        seed: int,
        prefix: str = "",
        trained_with: dict[str, Any] | None = None,
    ) -> None:
        self.output_dir = Path(output_dir)
        self.config = config
        self.seed = seed
        self.prefix = prefix
        self.trained_with = {} if trained_with is None else {"trained_with": trained_with}

    def attach(self, engine: Workflow) -> None:
        engine.add_event_handler(Events.STARTED, self)

    def __call__(self, engine: Workflow) -> None:
        environment = {
            "command": sys.argv,
            "seed": self.seed,
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "versions": {"medkd": medkd.__version__, "python": platform.python_version(), **_versions()},
            "machine": {"platform": platform.platform(), "threads": torch.get_num_threads(), **_accelerator()},
        }
        self._write("environment.json", json.dumps(environment, indent=2))
        if self.config is not None:
            self._write("config.yaml", yaml.safe_dump({**self.config, **self.trained_with}, sort_keys=False, width=120))

    def _write(self, name: str, text: str) -> None:
        write_atomically(self.output_dir / f"{self.prefix}{name}", lambda path: path.write_text(text))


def _versions() -> dict[str, str]:
    return {name: metadata.version(name) for name in _PACKAGES}


def _accelerator() -> dict[str, str]:
    return {"cuda": torch.cuda.get_device_name()} if torch.cuda.is_available() else {}
