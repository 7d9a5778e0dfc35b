"""`medkd train`: train a network on labels."""

from __future__ import annotations

from ..bundle_verbs import run_command
from ..verb import MODE, OVERLAY, ROLE, Command, Verb

__all__ = ["VERB"]

_REQUIRED = ("dataset_dir", "output_dir")


def _run(command: Command) -> None:
    run_command(command, _REQUIRED)


VERB = Verb(
    "train",
    "Train a student on labels; with --role, train the teacher or an assistant of PLC-KD.",
    _run,
    (ROLE, MODE, OVERLAY),
    task="required",
    required=_REQUIRED,
    options="config",
)
