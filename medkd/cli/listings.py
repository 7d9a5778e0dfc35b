"""The verbs that print a table: a network's layers, the methods, and runs over several seeds."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from .commands import config_files

__all__ = ["report", "report_experiment", "show_layers", "show_methods"]


def show_layers(
    task: str, role: str, depth: int | None, overlays: Collection[str], arguments: list[str], mode: str
) -> None:
    """Prints the sub-modules of a bundle's network with what they give for its image size, the default taps marked."""
    import torch
    from monai.bundle import ConfigParser
    from tabulate import tabulate

    from medkd.networks import input_spec, layers

    from .options import check_options, merged_config, parse_command

    files = [*map(str, config_files("train", task, mode=mode)), *overlays]
    words, options = parse_command(arguments)
    config = merged_config({"config_file": files})
    check_options(words, options, config)
    parser = ConfigParser(config)
    parser.update(options)
    network = parser.get_parsed_content("teacher_def" if role == "teacher" else "network_def")
    _, channels = input_spec(network)
    found = layers(network, torch.zeros(1, channels, *parser.get_parsed_content("image_size")))
    known = network.default_taps() if hasattr(network, "default_taps") else {}
    taps = {name: f"{place}.{i}" for place, of in known.items() for i, name in enumerate(of)}
    shown = [layer for layer in found if depth is None or layer.name.count(".") < depth or layer.name in taps]
    table = [(layer.name, layer.kind, layer.shape or "no single tensor", taps.get(layer.name, "")) for layer in shown]
    print(tabulate(table, headers=("sub-module", "class", "output", "default tap")))


def show_methods(as_markdown: bool) -> None:
    """Prints the table of methods, for a terminal or for README."""
    from tabulate import tabulate

    from medkd.methods.table import markdown, rows

    print(markdown() if as_markdown else tabulate(rows(), headers="keys", disable_numparse=True))


def report(runs: str, baseline: str | None, output_dir: str, html: bool = False) -> None:
    """Prints and writes the table of runs, unfinished ones included; with ``html`` the page as well."""
    from medkd.experiments import write_and_print
    from medkd.reports.tables import experiment_of_runs

    from .options import parse_command

    folders = parse_command(["--runs", runs])[1]["runs"]
    if not isinstance(folders, dict) or not folders:
        raise ValueError(f"--runs: found {runs!r}, expected titles and folders: \"{{'kd': ['KD_0', 'KD_1']}}\"")
    if (Path(output_dir) / "table.csv").exists():
        raise FileExistsError(f"output_dir {output_dir} already holds results (table.csv): choose another folder")
    for title, of in folders.items():
        for folder in [of] if isinstance(of, str) else of:
            if not Path(folder).is_dir():
                raise FileNotFoundError(f"run {title}: {folder}: no such folder")
    write_and_print(experiment_of_runs(folders, baseline), Path(output_dir), html)


def report_experiment(folder: str, baseline: str | None, output_dir: str, html: bool = False) -> None:
    """Writes and prints the table of an experiment, finished or not; with ``html`` its page as well."""
    if baseline is not None:
        raise ValueError(f"--baseline: found {baseline!r}, but that of an experiment stands in its plan")
    from medkd.experiments import read_plan, report

    report(read_plan(Path(folder)), Path(output_dir), html)
