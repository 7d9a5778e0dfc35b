"""The configuration of a run, read back so that its parts can be built where its data set may no longer be."""

from __future__ import annotations

from pathlib import Path

import torch
from monai.bundle import ConfigParser

from .record import run_record

__all__ = ["load_run_config"]


def load_run_config(folder: str | Path) -> ConfigParser:
    """The record of a run, with what it was trained with (classes, window, ...) as values in the place of expressions.

    A run of a GPU is rebuilt on the CPU where there is none.

    Raises:
        FileNotFoundError: without that record.
        ValueError: for a file that is none.
    """
    if not (config := run_record(Path(folder))):
        raise FileNotFoundError(f"run {folder}: no config.yaml, expected the output folder of a run")
    trained = (config.get("trained_with") or {}).items()
    known = {name: value for name, value in trained if name in config and not str(value).startswith(("$", "@", "%"))}
    # as one expression: the parser would take the numbers that are the names of classes for ids
    config |= {name: f"${value!r}" for name, value in known.items()}
    if "cuda" in str(config.get("device")) and not torch.cuda.is_available():
        config["device"] = "cpu"
    return ConfigParser(config)
