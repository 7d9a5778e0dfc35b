"""The bundles on this machine, as `medkd.experiments` needs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from medkd.experiments import Bundles
from medkd.methods import check_arguments, check_reads_logits

from .commands import BUNDLES, config_files, tasks
from .options import check_options, merged_config

__all__ = ["check_run_options", "installed_bundles"]


def installed_bundles() -> Bundles:
    """Return the bundles with the check of a run's options."""
    return Bundles(BUNDLES, tasks(), check_run_options)


def check_run_options(
    verb: str,
    task: str,
    options: Mapping[str, Any],
    *,
    role: str = "student",
    overlays: Sequence[str] = (),
    soft_labels: str = "online",
    mode: str = "2d",
) -> None:
    """Check the options of a run without starting it, see `medkd.experiments.OptionCheck`."""
    files = config_files(verb, task, role, soft_labels, mode)
    check_options([], dict(options), merged_config({"config_file": [*map(str, files), *overlays]}))
    if verb != "distill":
        return
    prefix = "method_args::"
    arguments = {name.removeprefix(prefix): v for name, v in options.items() if name.startswith(prefix)}
    check_arguments(options["method"], arguments)
    if soft_labels == "cached":
        check_reads_logits(options["method"], arguments)
