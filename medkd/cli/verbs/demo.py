"""`medkd demo`: run the whole pipeline on synthetic data."""

from __future__ import annotations

from pathlib import Path

from medkd.configs.option import Option
from medkd.startup import import_monai

from ..verb import Command, Verb

__all__ = ["VERB"]


def _run(command: Command) -> None:
    import_monai()
    from ..demo import demo

    demo(Path(command.settings["output_dir"]), command.settings["seed"])


VERB = Verb(
    "demo",
    "Run the whole pipeline on synthetic data, up to a report page, in under five minutes.",
    _run,
    (
        Option("output_dir", "path", "Output folder; it must not exist.", default="medkd_demo"),
        Option("seed", "whole", "Seed of the phantoms and of every run.", default=0),
    ),
)
