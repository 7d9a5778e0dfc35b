"""`medkd evaluate`: whole cases, with their metrics."""

from __future__ import annotations

from ..bundle_verbs import run_command
from ..verb import MODE, OVERLAY, ROLE, Command, Verb

__all__ = ["VERB"]

_REQUIRED = ("dataset_dir", "output_dir")


def _run(command: Command) -> None:
    run_command(command, _REQUIRED)


VERB = Verb(
    "evaluate",
    "Evaluate a model (--model PATH) case by case.",
    _run,
    (ROLE, MODE, OVERLAY),
    task="recorded",
    required=_REQUIRED,
    options="config",
    notes="The task may be left out where the model's record names it. The model is used as its record says it was trained.",
)
