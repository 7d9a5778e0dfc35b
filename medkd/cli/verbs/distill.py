"""`medkd distill`: train a student with a teacher."""

from __future__ import annotations

from typing import Any

from medkd.configs.bundles import BUNDLES, config_files
from medkd.configs.merge import merge_files
from medkd.configs.option import Option
from medkd.configs.values import convert_words

from ..bundle_verbs import check_required_ids
from ..checks import check_options
from ..method_check import check_method
from ..team import split_member_options, team_first
from ..trained import options_from_record
from ..verb import MODE, OVERLAY, Command, Verb
from ..workflow import compose, run_bundle

__all__ = ["VERB"]

_REQUIRED = ("dataset_dir", "output_dir")


def _run(command: Command) -> None:
    check_required_ids(command, _REQUIRED)
    options, mode = options_from_record("distill", command.task, command.options, command.settings["mode"])
    soft_labels, overlays = command.settings["soft_labels"], command.settings["overlay"]

    def config_of(role: str) -> dict[str, Any]:
        verb, labels = ("distill", soft_labels) if role == "student" else ("train", "online")
        return merge_files([*config_files(verb, command.task, role, labels, mode), *overlays])

    def train(role: str, training: dict[str, Any]) -> None:
        run_bundle(compose("train", command.task, training, role=role, overlays=overlays, mode=mode))

    config = config_of("student")
    options = convert_words(options, config)
    student, members = split_member_options(options, config)
    check_options(student, config)
    for role, values in members.items():
        check_options(values, config_of(role))
    check_method(student, config, soft_labels)
    options = team_first(BUNDLES / command.task / "models", options, config_of, train)
    run_bundle(compose("distill", command.task, options, overlays=overlays, soft_labels=soft_labels, mode=mode))


_SOFT_LABELS = Option(
    "soft_labels",
    "text",
    "Compute the teacher's soft labels in every step, or once for each image and cache them.",
    default="online",
    choices=("online", "cached"),
)
VERB = Verb(
    "distill",
    "Train a student with a teacher (--teacher PATH) by a distillation method (--method NAME).",
    _run,
    (_SOFT_LABELS, MODE, OVERLAY),
    task="required",
    required=_REQUIRED,
    options="config",
    notes="Missing members of PLC-KD's team are trained first. An option for one member alone: --teacher::max_epochs 30.",
)
