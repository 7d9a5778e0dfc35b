"""`medkd methods`: print the table of methods."""

from __future__ import annotations

from medkd.configs.option import Option

from ..verb import Command, Verb

__all__ = ["VERB"]


def _run(command: Command) -> None:
    from tabulate import tabulate

    from medkd.methods.table import markdown, rows

    print(markdown() if command.settings["markdown"] else tabulate(rows(), headers="keys", disable_numparse=True))


VERB = Verb(
    "methods",
    "Print the distillation methods with their papers, inputs, learnable parts and costs.",
    _run,
    (Option("markdown", "flag", "Print the table in Markdown."),),
)
