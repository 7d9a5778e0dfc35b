"""`medkd layers`: print the sub-modules of a network, to choose feature taps."""

from __future__ import annotations

from medkd.configs.bundles import config_files
from medkd.configs.merge import merge_files, set_value
from medkd.configs.option import Option
from medkd.configs.table import data_as_literals
from medkd.startup import import_monai

from ..bundle_verbs import checked_options
from ..verb import MODE, OVERLAY, Command, Verb

__all__ = ["VERB"]


def _run(command: Command) -> None:
    settings = command.settings
    options, mode = checked_options(_without_role(command), "train")
    config = merge_files([*config_files("train", command.task, mode=mode), *settings["overlay"]])
    for name, value in data_as_literals(options).items():
        set_value(config, name, value)
    import_monai()
    import torch
    from monai.bundle import ConfigParser
    from tabulate import tabulate

    from medkd.networks import input_spec, layers

    parser = ConfigParser(config)
    network = parser.get_parsed_content("teacher_def" if settings["role"] == "teacher" else "network_def")
    _, channels = input_spec(network)
    rows = layers(network, torch.zeros(1, channels, *parser.get_parsed_content("image_size")))
    defaults = network.default_taps() if hasattr(network, "default_taps") else {}
    taps = {name: f"{side}.{i}" for side, names in defaults.items() for i, name in enumerate(names)}
    depth = settings["depth"] or None
    rows = [row for row in rows if depth is None or row.name.count(".") < depth or row.name in taps]
    table = [(row.name, row.kind, row.shape or "no single tensor", taps.get(row.name, "")) for row in rows]
    print(tabulate(table, headers=("sub-module", "class", "output", "default tap")))


def _without_role(command: Command) -> Command:
    """Return the command with the student's configuration, which defines both networks."""
    settings = {name: value for name, value in command.settings.items() if name != "role"}
    return Command(command.verb, command.task, settings, command.options)


VERB = Verb(
    "layers",
    "Print the sub-modules of a network with their outputs and default taps, to choose feature taps.",
    _run,
    (
        Option(
            "role", "text", "Network whose sub-modules are printed.", default="student", choices=("student", "teacher")
        ),
        Option("depth", "whole", "Number of levels of sub-modules; 0: all.", default=2),
        MODE,
        OVERLAY,
    ),
    task="required",
    options="config",
    files_of=("train",),
)
