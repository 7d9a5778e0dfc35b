"""`medkd export`: write a student as a TorchScript or ONNX file."""

from __future__ import annotations

from medkd.configs.bundles import config_files
from medkd.configs.merge import merge_files
from medkd.configs.option import Option
from medkd.startup import import_monai

from ..bundle_verbs import check_required_ids, checked_options
from ..verb import MODE, OVERLAY, Command, Verb

__all__ = ["VERB"]

_REQUIRED = ("model", "dataset_dir", "output_dir", "format")


def _run(command: Command) -> None:
    settings = command.settings
    check_required_ids(command, _REQUIRED)
    options, mode = checked_options(command)
    import_monai()
    from medkd.deploy.export import apply_overrides, check_format, export
    from medkd.runs.lock import release_locks

    check_format(settings["format"])
    config = merge_files([*config_files("export", command.task, mode=mode), *settings["overlay"]])
    try:
        export(command.task, settings["format"], apply_overrides(config, options), settings["calibration_windows"])
    finally:
        release_locks()


_FORMAT = Option("format", "text", "Format of the file: torchscript, onnx or onnx-int8.", metavar="FORMAT")
_WINDOWS = Option(
    "calibration_windows", "count", "Number of windows of training images that calibrate int8.", default=32
)
VERB = Verb(
    "export",
    "Export a student (--model PATH) to TorchScript or ONNX (--format FORMAT), and measure the exported file.",
    _run,
    (_FORMAT, _WINDOWS, MODE, OVERLAY),
    task="recorded",
    required=_REQUIRED,
    options="config",
    notes="The task may be omitted if the record of the model names it.",
)
