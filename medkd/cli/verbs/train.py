"""`medkd train`: train a network on labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..bundle_verbs import check_required_ids, checked_options, compose_command, configuration
from ..search import TUNE_OPTIONS, read_search
from ..tune import train_tuned
from ..verb import MODE, OVERLAY, ROLE, Command, Verb
from ..workflow import run_bundle

__all__ = ["VERB"]

_REQUIRED = ("dataset_dir", "output_dir")


def _run(command: Command) -> None:
    check_required_ids(command, _REQUIRED)
    search = read_search(command.settings, command.options)

    def check(setting: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
        return checked_options(replace(command, options={**command.options, **setting}))

    def train(setting: Mapping[str, Any], changes: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        options, mode = check(setting)
        run_bundle(compose_command(command, {**options, **changes}, mode), facts)

    train_tuned(search, check, lambda mode: configuration(command, None, mode), train)


VERB = Verb(
    "train",
    "Train a student on labels; with --role, train the teacher or an assistant of PLC-KD.",
    _run,
    (ROLE, *TUNE_OPTIONS, MODE, OVERLAY),
    task="required",
    required=_REQUIRED,
    options="config",
)
