"""Fill missing options from the training record of a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from medkd.configs.bundles import tasks
from medkd.runs.file_kind import file_kind
from medkd.runs.record import recorded

from .verb import ROLES

__all__ = ["check_path", "options_from_record", "role_of_model", "task_of_model"]

# A model is used with these as it was trained; the rest of its record is about its training.
MODEL_OPTIONS = (
    *("mode", "target", "window", "image_size", "spacing", "overlap"),
    *("student_architecture", "teacher_architecture", "student_width", "teacher_width", "teacher_layers"),
)
TEACHER_OPTIONS = ("teacher_architecture", "teacher_width", "teacher_layers")


def options_from_record(verb: str, task: str, options: dict[str, Any], mode: str | None) -> tuple[dict[str, Any], str]:
    """Fill missing options, and the mode, from the record of the command's model or teacher.

    Args:
        verb: of the command.
        task: name of the bundle.
        options: ids of the configuration and their values.
        mode: "2d" or "3d"; None for that of the record.

    Returns:
        The options with those of the record after them, and the mode ("2d" without a record).

    Raises:
        FileNotFoundError: for a model that does not exist.
        ValueError: for a model of another task.
    """
    option, names = _model_option(verb, options)
    models = _paths(options.get(option))
    for path in models:
        name = option if option in ("teacher", "model") else "model"
        check_path(path, name)
        _check_task(path, name, task)
    values = {name: recorded(models, name, ...) for name in names} if models else {}
    record = {name: "$None" if value is None else value for name, value in values.items() if value is not ...}
    mode = mode or str(record.get("mode", "2d"))
    if mode == "2d":
        record = {name: value for name, value in record.items() if name not in ("spacing", "overlap")}
    elif "image_size" in record:
        record["patch_size"] = record.pop("image_size")
    record.pop("mode", None)
    return {**options, **{name: value for name, value in record.items() if name not in options}}, mode


def role_of_model(verb: str, options: dict[str, Any], role: str | None) -> str:
    """Return the role of the model of a command.

    Args:
        verb: of the command.
        options: ids of the configuration and their values.
        role: as the command has it; None: that of the record, "student" if there is none.

    Raises:
        ValueError: for another role than that of the record.
    """
    option, _ = _model_option(verb, options)
    models = _paths(options.get(option))
    method = recorded(models, "method", None) if models else None
    if method is None:
        return role or ROLES[0]
    trained = method if method in ROLES else ROLES[0]
    if role not in (None, trained):
        raise ValueError(
            f"--role {role}: found the run of a {trained.replace('_', ' ')} in --{option} {models[0]}: leave --role out"
        )
    return trained


def task_of_model(path: Any) -> str | None:
    """Return the task that a model, or the first of several, was trained for; None if no record tells it."""
    for model in _paths(path)[:1]:
        task = Path(str(recorded(model, "bundle_root", ""))).name
        return task if task in tasks() else None
    return None


def _model_option(verb: str, options: dict[str, Any]) -> tuple[str, tuple[str, ...]]:
    # only an assistant's training has a teacher
    if verb in ("distill", "figures") or (verb == "train" and "teacher" in options):
        return "teacher", TEACHER_OPTIONS
    if verb == "evaluate" and "model" not in options:
        return "output_dir", MODEL_OPTIONS
    return "model", MODEL_OPTIONS if verb in ("evaluate", "export", "infer") else ()


def _paths(value: Any) -> list[str]:
    """Return the paths of an option; a value that is no path is refused by name later, where kinds are checked."""
    paths = [value] if isinstance(value, str) else value
    are_paths = isinstance(paths, list | tuple) and all(isinstance(path, str) and path for path in paths)
    return list(paths) if are_paths else []


def check_path(path: str, option: str) -> None:
    """Check that a path may hold a model, by its first bytes: nothing heavy is imported for one that does not.

    Args:
        path: of a file or folder.
        option: "model" or "teacher", which may be a bundle or TorchScript too.

    Raises:
        FileNotFoundError: for a path that does not exist.
        ValueError: for a file of another kind.
    """
    if not Path(path).exists():
        raise FileNotFoundError(f"--{option} {path}: no such file or folder")
    kind = file_kind(path)
    if kind.name in ("other", "onnx") or (option != "teacher" and kind.name in ("torchscript", "bundle")):
        expected = "the folder of a run or its model.pt"
        if option == "teacher":
            expected = "a run, a MONAI bundle, a TorchScript file or an nnU-Net folder"
        raise ValueError(f"--{option} {path}: found {kind.description}, expected {expected}: {kind.advice}")


def _check_task(path: str, option: str, task: str) -> None:
    trained = Path(str(recorded(path, "bundle_root", ""))).name
    if trained != task and trained in tasks():
        raise ValueError(f"--{option} {path}: found a model of the task {trained}, expected one of {task}")
