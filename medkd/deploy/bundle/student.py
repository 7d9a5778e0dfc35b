"""Read a student and the values of its training."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from monai.bundle import ConfigParser
from torch import nn

from medkd.cli.pack_options import RECORDED, read_pack_options
from medkd.configs.plain import as_literal
from medkd.configs.table import data_as_literals
from medkd.networks import load_weights, weights_file
from medkd.runs.folder import RunFolder
from medkd.runs.record import check_model, check_student

from .references import reachable

__all__ = ["Student", "read_student"]


class Student(NamedTuple):
    """A trained student and its record.

    Attributes:
        model: the run's folder or its model.pt, as the option has it.
        task: name of the bundle.
        mode: "2d" or "3d".
        overlays: the user's files over the task's configuration.
        network: with its weights.
        inference: configuration of inference, in which the values of the training replace the defaults.
        values: only the ids that they replace.
        trained_with: the options that weights do not show.
        record: configuration of the training; empty if there is none.
        summary: test metrics; empty if there are none.
        environment: versions and start of the training; empty if they are not known.
    """

    model: Path
    task: str
    mode: str
    overlays: tuple[str, ...]
    network: nn.Module
    inference: dict[str, Any]
    values: dict[str, Any]
    trained_with: dict[str, Any]
    record: dict[str, Any]
    summary: dict[str, Any]
    environment: dict[str, Any]


def read_student(task: str, options: dict[str, Any], mode: str | None, overlays: Sequence[str] = ()) -> Student:
    """Read a model and the record beside it.

    Args:
        task: name of the bundle.
        options: ids and their values: ``model`` (a run's folder or its model.pt), and what the record lacks.
        mode: "2d" or "3d"; None: as the model was trained.
        overlays: the user's files over the task's configuration.

    Raises:
        FileNotFoundError: if the model does not exist.
        ValueError: if it is not a student of this task, has weights of another network, or if options are unknown or missing.
    """
    options, mode, config = read_pack_options(task, options, mode, overlays)
    model = Path(options.pop("model"))
    file = weights_file(model)
    folder = RunFolder.of_model(model)
    record = folder.read_config() or {}
    check_student(model, "pack")
    needed = reachable(config, "initialize", "run", "network_def") | {"imports"}
    # without the teacher and the other mode
    config = {name: value for name, value in config.items() if name in needed}
    options = {name: value for name, value in options.items() if name.split("::")[0] in config and name != "output_dir"}
    if not record:
        _require_all(model, mode, config, options)
    config, values = _apply_options(config, options, str(model))
    trained_with = _resolve(config, "trained_with")
    check_model(model, **trained_with)
    network = load_weights(_resolve(config, "network_def"), file).eval()
    summary = folder.require_summary() if folder.summary.exists() else {}
    environment = folder.read_environment() or {}
    return Student(
        model, task, mode, tuple(overlays), network, config, values, trained_with, record, summary, environment
    )


def _require_all(model: Path, mode: str, config: dict[str, Any], values: dict[str, Any]) -> None:
    """Refuse a model without a record whose options are incomplete: a default window could be silently incorrect.

    Raises:
        ValueError: names the missing options.
    """
    # the weights show how many channels there are
    required = {"image_size", "patch_size", "student_width", *config["trained_with"]} - {"mode", "channels"}
    if mode == "3d":  # where patch_size is the size
        required.discard("image_size")
    missing = [name for name in config if name in required and name not in values]
    if missing:
        names = " ".join(f"--{name}" for name in missing)
        raise ValueError(f"--model {model}: no config.yaml beside it says what it was trained with: give {names}")


def _apply_options(
    config: dict[str, Any], options: dict[str, Any], model: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the configuration with the options, and the values of these and of all ids that read the record."""
    parser = ConfigParser({**config, "model": as_literal(model)})
    for name, value in data_as_literals(options).items():
        parser[name] = value
    merged = parser.config
    assert isinstance(merged, dict)
    computed = [name for name, value in merged.items() if value == "$None" or str(value).startswith(RECORDED)]
    values = options | {name: _resolve(merged, name) for name in computed}
    literals = data_as_literals(values) | {name: _resolve(merged, name) for name in ("classes", "num_classes")}
    return {**merged, **literals, "model": config["model"]}, values


def _resolve(config: dict[str, Any], name: str) -> Any:
    return ConfigParser(copy.deepcopy(config)).get_parsed_content(name)  # which changes the configuration
