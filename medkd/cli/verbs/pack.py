"""`medkd pack`: write a student as a MONAI bundle that runs without medkd."""

from __future__ import annotations

from ..pack_options import RUNTIME_OPTIONS, read_pack_options
from ..verb import MODE, OVERLAY, Command, Verb

__all__ = ["VERB"]


def _run(command: Command) -> None:
    mode, overlays = command.settings["mode"], command.settings["overlay"]
    read_pack_options(command.task, command.options, mode, overlays)  # a misspelt option must not wait for torch
    from medkd.deploy.bundle import pack

    print("packed:", *pack(command.task, command.options, mode, overlays), sep="\n")


VERB = Verb(
    "pack",
    "Write a trained student (--model PATH) as a MONAI bundle that runs without medkd: a folder (--output_dir) and a zip.",
    _run,
    (MODE, OVERLAY),
    task="recorded",
    required=("model",),
    options="config",
    files_of=("infer",),
    hidden=RUNTIME_OPTIONS,
    notes="The task may be omitted if the record of the model names it.",
)
