"""`medkd infer`: predictions of images that have no labels."""

from __future__ import annotations

from ..bundle_verbs import run_command
from ..verb import MODE, OVERLAY, ROLE, Command, Verb

__all__ = ["VERB"]

_REQUIRED = ("input", "model", "output_dir")


def _run(command: Command) -> None:
    run_command(command, _REQUIRED)


VERB = Verb(
    "infer",
    "Predict for a file or folder (--input PATH) with a model (--model PATH).",
    _run,
    (ROLE, MODE, OVERLAY),
    task="recorded",
    required=_REQUIRED,
    options="config",
    notes="The task may be left out where the model's record names it. A model that `medkd export` wrote as FILE.onnx needs "
    "neither a task nor torch: medkd infer --model FILE.onnx --help.",
)
