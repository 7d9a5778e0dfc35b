"""The student that is packed: its weights, and the values that they mean something with."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from monai.bundle import ConfigParser
from torch import nn

from medkd.cli.pack_options import RECORDED, read_pack_options
from medkd.networks import load_weights, weights_file
from medkd.runs.folder import RunFolder
from medkd.runs.record import check_model, check_student

from .expressions import reachable

__all__ = ["Student", "read_student"]


class Student(NamedTuple):
    """What `read_student` found."""

    model: Path  # as it was given
    task: str
    mode: str
    overlays: tuple[str, ...]
    network: nn.Module  # with its weights
    inference: dict[
        str, Any
    ]  # configuration of inference, with the values of the training in the places of its defaults
    values: dict[str, Any]  # the ids of these, alone
    trained_with: dict[str, Any]  # what weights alone cannot tell
    record: dict[str, Any]  # configuration of the training; empty where it is not known
    summary: dict[str, Any]  # test metrics; likewise
    environment: dict[str, Any]  # versions and seed of the training; likewise


def read_student(task: str, options: dict[str, Any], mode: str | None, overlays: Sequence[str] = ()) -> Student:
    """Reads ``--model`` (a run's folder or its model.pt) and the record beside it; the other options say what it lacks.

    Raises:
        FileNotFoundError: no such model.
        ValueError: not a student of this task, weights of another network, options unknown or missing.
    """
    options, mode, config = read_pack_options(task, options, mode, overlays)
    model = Path(options.pop("model"))
    file = weights_file(model)
    folder = RunFolder.of_model(model)
    record = folder.read_config() or {}
    check_student(model, "pack")
    needed = reachable(config, "initialize", "run", "network_def") | {"imports"}
    config = {name: value for name, value in config.items() if name in needed}  # no teacher, nothing of the other mode
    options = {name: value for name, value in options.items() if name.split("::")[0] in config and name != "output_dir"}
    if not record:
        _require_all(model, mode, config, options)
    config, values = _with_values(config, options, str(model))
    trained_with = _resolved(config, "trained_with")
    check_model(model, **trained_with)
    network = load_weights(_resolved(config, "network_def"), file).eval()
    summary, environment = folder.read_summary() or {}, folder.read_environment() or {}
    return Student(
        model, task, mode, tuple(overlays), network, config, values, trained_with, record, summary, environment
    )


def _require_all(model: Path, mode: str, config: dict[str, Any], values: dict[str, Any]) -> None:
    """Without a record nobody may guess: a default would be a wrong window, silently."""
    # in 3-D the size has the name patch_size
    told = {"image_size", "patch_size", "student_width", *config["trained_with"]} - {"mode"}
    told -= {"image_size"} if mode == "3d" else set()
    missing = [name for name in config if name in told and name not in values]
    if missing:
        names = " ".join(f"--{name}" for name in missing)
        raise ValueError(f"model {model}: no config.yaml beside it says what it was trained with: give {names}")


def _with_values(config: dict[str, Any], options: dict[str, Any], model: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The configuration with the options in their places, and what it would have read off the record as values."""
    parser = ConfigParser({**config, "model": model})
    for name, value in options.items():
        parser[name] = value
    computed = [name for name, value in parser.config.items() if value == "$None" or str(value).startswith(RECORDED)]
    values = options | {name: _resolved(parser.config, name) for name in computed}
    return {**parser.config, **values, "model": config["model"]}, values


def _resolved(config: dict[str, Any], name: str) -> Any:
    return ConfigParser(copy.deepcopy(config)).get_parsed_content(name)  # resolving writes into it
