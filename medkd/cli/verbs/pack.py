"""`medkd pack`: write a student as a MONAI bundle that runs without medkd."""

from __future__ import annotations

from medkd.configs.option import Option
from medkd.startup import import_monai

from ..pack_options import RUNTIME_OPTIONS, BundleDetails, read_pack_options
from ..verb import MODE, OVERLAY, Command, Verb

__all__ = ["VERB"]


def _run(command: Command) -> None:
    settings = dict(command.settings)
    mode, overlays = settings.pop("mode"), settings.pop("overlay")
    details = BundleDetails(**settings)
    details.check()
    read_pack_options(command.task, command.options, mode, overlays)  # a misspelt option must not wait for torch
    import_monai()
    from medkd.deploy.bundle import pack

    print("packed:", *pack(command.task, command.options, mode, overlays, details), sep="\n")
    if not details.inference_only:
        print(
            "note: training with this bundle, in MONAI Label too, needs medkd beside it; --inference_only leaves it out"
        )


_DEFAULTS = BundleDetails()
_DETAILS = (
    Option("version", "text", "Version of the bundle, three numbers.", default=_DEFAULTS.version),
    Option("authors", "text", "Authors of the model.", default=_DEFAULTS.authors),
    Option("copyright", "text", "Copyright of the model.", default=_DEFAULTS.copyright),
    Option("task_name", "text", "What the model does, in words (default: the task and its classes)."),
    Option(
        "inference_only",
        "flag",
        "Leave out the configurations of a training, which needs medkd: MONAI Label offers no trainer then.",
    ),
)
VERB = Verb(
    "pack",
    "Write a trained student (--model PATH) as a MONAI bundle that runs without medkd: a folder (--output_dir) and a zip.",
    _run,
    (*_DETAILS, MODE, OVERLAY),
    task="recorded",
    required=("model",),
    options="config",
    files_of=("infer",),
    hidden=RUNTIME_OPTIONS,
    notes="The task may be omitted if the record of the model names it.",
)
