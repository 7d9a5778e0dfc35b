"""What a model was trained with, read from the record that its run left beside it."""

from __future__ import annotations

import filecmp
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from .renames import rename_config

__all__ = ["check_assistant", "check_model", "check_student", "get_nested", "read_record", "recorded", "run_record"]

_ABSENT = object()
_NO_STUDENTS = ("teacher", "false_pixel_assistant", "boundary_assistant")
_OF_THE_DATA = ("classes", "per_case")  # no option could make them fit


def check_model(model: str | Path | Sequence[str | Path], **values: Any) -> None:
    """Compares what a model was trained with to what it is used with: weights alone cannot tell a window or a target.

    Args:
        model: the output folder of a run, or its ``model.pt``, or several; without our record, ``config.yaml``, beside it
            nothing is compared.
        **values: ids of the configuration, nested ones as ``a::b``, with the values that they have now.

    Raises:
        ValueError: for the first id that differs.
    """
    if not isinstance(model, str | Path):
        for one in model:
            check_model(one, **values)
        return
    trained = read_record(model)
    folder = Path(model) if Path(model).is_dir() else Path(model).parent
    if (folder / "resume.pt").is_file() and not (folder / "metrics.csv").is_file():
        print(f"note: the run of {model} has not ended: its best model so far is used", flush=True)
    for name, value in values.items() if trained else ():
        before = _trained(trained, name)
        if before is not _ABSENT and _plain(before) != _plain(value):
            if name == "mode":
                kinds = {"2d": "slices", "3d": "volumes"}
                about = f"model {model} is a network of {kinds[before]} (it was trained with --mode {before})"
                raise ValueError(f"{about}, this command is of {kinds[value]}")
            if name in _OF_THE_DATA:
                raise ValueError(f"model {model} was trained on data with {name} {before}, this data set has {value}")
            raise ValueError(
                f"model {model} was trained with --{name} {before}, this command has {value}: give --{name} as there"
            )


def check_student(model: str | Path, verb: str) -> None:
    """Raises ValueError for the run of a teacher or an assistant, which that verb does not take."""
    if (method := (read_record(model) or {}).get("method")) in _NO_STUDENTS:
        raise ValueError(f"model {model} is a {method.replace('_', ' ')}: medkd {verb} takes students alone")


def check_assistant(assistant: str | Path, teacher: str | Path | Sequence[str | Path]) -> None:
    """Notes an assistant that was trained for another teacher than the one beside it: it knows that one's errors.

    Compared are the weights that its record names, where they are still there: folders are moved, and copied.
    """
    before = (read_record(assistant) or {}).get("teacher")
    if not isinstance(before, str) or not isinstance(teacher, str | Path):
        return
    first, second = (path / "model.pt" if path.is_dir() else path for path in map(Path, (before, teacher)))
    if first.is_file() and second.is_file() and not filecmp.cmp(first, second, shallow=False):
        print(f"note: {assistant} was trained for the teacher {before}, the teacher here is {teacher}", flush=True)


def recorded(model: str | Path | Sequence[str | Path], name: str, default: Any = _ABSENT) -> Any:
    """The value of an id that a model was trained with; the default where none is recorded, or an expression is.

    Of several models, the first that has it recorded.

    Raises:
        ValueError: without a default.
    """
    models = [model] if isinstance(model, str | Path) else model
    found = (_trained(read_record(one) or {}, name) for one in models)
    value = next((value for value in found if value is not _ABSENT), default)
    if value is _ABSENT:
        raise ValueError(f"model {model}: no config.yaml beside it says its {name}: give the output folder of the run")
    return value


def _trained(config: dict[str, Any], name: str) -> Any:
    """A value of the record: what the run resolved, else the plain id unless that is an expression."""
    for values in (config.get("trained_with") or {}, config):
        value = values[name] if name in values else get_nested(values, name)
        known = value is not None or name in values
        if known and not (isinstance(value, str) and value.startswith(("$", "@", "%"))):
            return value
    return _ABSENT


def read_record(model: str | Path) -> dict[str, Any] | None:
    """The configuration of the run that a model is of; None where no record of ours lies beside it."""
    path = Path(model)
    file = (path if path.is_dir() else path.parent) / "config.yaml"
    if not file.is_file():
        return None
    try:
        content = yaml.safe_load(file.read_text())
    except (yaml.YAMLError, UnicodeDecodeError):
        return None
    # other tools leave files of this name too; a run of ours, old or new, has one of these
    known = isinstance(content, dict) and {"bundle_root", "trained_with"} & content.keys()
    return rename_config(content) if known else None


def run_record(folder: Path) -> dict[str, Any]:
    """The configuration that a run left; empty where it left none.

    Raises:
        ValueError: for a file that is none.
    """
    file = Path(folder) / "config.yaml"
    try:
        found = yaml.safe_load(file.read_text()) if file.is_file() else {}
    except (yaml.YAMLError, UnicodeDecodeError):
        found = None
    if not isinstance(found, dict):
        raise ValueError(f"{file}: not the record of a run, expected names and values")
    return rename_config(found)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def get_nested(config: Any, name: str) -> Any:
    """The value of an id such as ``a::b``; None where there is no such id."""
    for part in name.split("::"):
        config = config.get(part) if isinstance(config, dict) else None
    return config
