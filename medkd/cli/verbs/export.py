"""`medkd export`: a student as a file for other programs."""

from __future__ import annotations

from ..bundle_verbs import checked_options
from ..bundles import config_files
from ..checks import check_required
from ..config import merge_files
from ..option import Option
from ..verb import MODE, OVERLAY, Command, Verb

__all__ = ["VERB"]

_REQUIRED = ("model", "dataset_dir", "output_dir")


def _run(command: Command) -> None:
    settings = command.settings
    given = {**command.options, **({} if settings["format"] is None else {"format": settings["format"]})}
    check_required(str(command), given, (*_REQUIRED, "format"))
    options, mode = checked_options(command)
    from medkd.deploy.export import apply_overrides, check_format, export  # imports torch
    from medkd.runs.lock import release_locks

    check_format(settings["format"])
    config = merge_files([*config_files("export", command.task, mode=mode), *settings["overlay"]])
    try:
        export(command.task, settings["format"], apply_overrides(config, options), settings["calibration_windows"])
    finally:
        release_locks()


_FORMAT = Option("format", "text", "One of torchscript, onnx and onnx-int8; required.", metavar="FORMAT")
_WINDOWS = Option("calibration_windows", "count", "Windows of training images, for the ranges of int8.", default=32)
VERB = Verb(
    "export",
    "Write a student for other programs (--model PATH --format FORMAT), and measure it.",
    _run,
    (_FORMAT, _WINDOWS, MODE, OVERLAY),
    task="recorded",
    required=_REQUIRED,
    options="config",
    notes="The task may be left out where the model's record names it.",
)
