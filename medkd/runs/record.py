"""What a model was trained with, from the record that its run left beside it."""

from __future__ import annotations

import filecmp
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from medkd.configs.ids import get_nested, is_expression
from medkd.configs.plain import is_plain

from .folder import RunFolder
from .plain_record import plain_options

__all__ = ["check_assistant", "check_model", "check_student", "recorded"]

_ABSENT = object()
_NOT_STUDENTS = ("teacher", "false_pixel_assistant", "boundary_assistant")
_DATA_IDS = ("classes", "channels", "per_case", "form")  # of the data set: no option could make them fit
_KINDS = {"2d": "slices", "3d": "volumes"}


def check_model(model: str | Path | Sequence[str | Path], **values: Any) -> None:
    """Compare what a model was trained with to what it is used with: weights alone do not show a window or a target.

    Args:
        model: the output folder of a run, or its ``model.pt``, or several of these. Without a record nothing is compared.
        **values: ids of the configuration, nested ones as ``a::b``, with their values in this command.

    Raises:
        ValueError: for the first id that differs.
    """
    if not isinstance(model, str | Path):
        for path in model:
            check_model(path, **values)
        return
    folder = RunFolder.of_model(model)
    if folder.resume.is_file() and not folder.metrics.is_file():
        print(f"note: the run of {model} has not ended: its best model so far is used", flush=True)
    content = folder.read_content()
    if content is None:
        return
    config = plain_options(content, folder.config)
    for name, value in values.items():
        trained = _trained_value(config, name)
        if trained is _ABSENT and "::" in name and is_plain(part := get_nested(content, name)) and part is not None:
            trained = part  # no option, but a value that the run's configuration states
        if trained is not _ABSENT and _as_list(trained) != _as_list(value):
            raise ValueError(_mismatch(model, name, trained, value))


def _mismatch(model: str | Path, name: str, trained: Any, value: Any) -> str:
    if name == "mode":
        network = f"model {model} is a network of {_KINDS[trained]} (it was trained with --mode {trained})"
        return f"{network}, this command is of {_KINDS[value]}"
    if name in _DATA_IDS:
        return f"model {model} was trained on data with {name} {trained}, this data set has {value}"
    return f"model {model} was trained with --{name} {trained}, this command has {value}: give --{name} as there"


def check_student(model: str | Path, verb: str) -> None:
    """Check that a model is not of a teacher or an assistant, which the verb does not take.

    Raises:
        ValueError: for the run of a teacher or an assistant.
    """
    method = (RunFolder.of_model(model).read_config() or {}).get("method")
    if method in _NOT_STUDENTS:
        raise ValueError(f"model {model} is a {method.replace('_', ' ')}: medkd {verb} takes students alone")


def check_assistant(assistant: str | Path, teacher: str | Path | Sequence[str | Path]) -> None:
    """Print a note if an assistant was trained for another teacher than the one beside it: it learned that one's errors.

    The weights are compared, if those that the assistant's record names are still there: folders are moved and copied.
    """
    trained = (RunFolder.of_model(assistant).read_config() or {}).get("teacher")
    if not isinstance(trained, str) or not isinstance(teacher, str | Path):
        return
    first, second = (RunFolder(path).model if path.is_dir() else path for path in map(Path, (trained, teacher)))
    if first.is_file() and second.is_file() and not filecmp.cmp(first, second, shallow=False):
        print(f"note: {assistant} was trained for the teacher {trained}, the teacher here is {teacher}", flush=True)


def recorded(model: str | Path | Sequence[str | Path], name: str, default: Any = _ABSENT) -> Any:
    """Return the value of an id that a model was trained with.

    Args:
        model: the output folder of a run, or its ``model.pt``. Of several, the first with a recorded value counts.
        name: the id, a nested one as ``a::b``.
        default: returned if no value is recorded, or an expression only.

    Raises:
        ValueError: if no value is recorded and there is no default.
    """
    models = [model] if isinstance(model, str | Path) else model
    values = (_trained_value(RunFolder.of_model(path).read_config() or {}, name) for path in models)
    value = next((value for value in values if value is not _ABSENT), default)
    if value is _ABSENT:
        raise ValueError(f"model {model}: no config.yaml beside it says its {name}: give the output folder of the run")
    return value


def _trained_value(config: dict[str, Any], name: str) -> Any:
    """Return what the run resolved, else the plain id; `_ABSENT` if there is neither, or an expression only."""
    for values in (config.get("trained_with") or {}, config):
        value = values[name] if name in values else get_nested(values, name)
        if (value is not None or name in values) and not is_expression(value):
            return value
    return _ABSENT


def _as_list(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
