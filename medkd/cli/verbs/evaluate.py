"""`medkd evaluate`: compute the metrics of whole cases."""

from __future__ import annotations

from ..bundle_verbs import run_command
from ..verb import MODE, MODEL_ROLE, OVERLAY, Command, Verb

__all__ = ["VERB"]

_REQUIRED = ("dataset_dir", "output_dir")


def _run(command: Command) -> None:
    run_command(command, _REQUIRED)


VERB = Verb(
    "evaluate",
    "Evaluate a model (--model PATH) on whole cases.",
    _run,
    (MODEL_ROLE, MODE, OVERLAY),
    task="recorded",
    required=_REQUIRED,
    options="config",
    notes="The task may be omitted if the record of the model names it. Missing options are read from that record too.",
)
