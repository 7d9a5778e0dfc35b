"""`medkd train`: a network learns from labels."""

from __future__ import annotations

from ..bundle_verbs import run_command
from ..verb import MODE, OVERLAY, ROLE, Command, Verb

__all__ = ["VERB"]

_REQUIRED = ("dataset_dir", "output_dir")


def _run(command: Command) -> None:
    run_command(command, _REQUIRED)


VERB = Verb(
    "train",
    "Train a student on labels, or with --role the teacher or one of PLC-KD's assistants.",
    _run,
    (ROLE, MODE, OVERLAY),
    task="required",
    required=_REQUIRED,
    options="config",
)
