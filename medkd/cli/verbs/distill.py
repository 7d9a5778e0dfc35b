"""`medkd distill`: train a student with a teacher."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from medkd.configs.bundles import BUNDLES, config_files
from medkd.configs.merge import merge_files
from medkd.configs.option import Option
from medkd.configs.values import convert_words
from medkd.runs.errors import UsageError

from ..bundle_verbs import check_required_ids
from ..checks import check_options
from ..data_set import check_data_set, check_has_labels
from ..method_check import check_method
from ..search import TUNE_OPTIONS, read_search
from ..team import MEMBERS, STUDENT_OPTIONS, split_member_options, team_first
from ..trained import options_from_record
from ..tune import train_tuned
from ..verb import MODE, OVERLAY, Command, Verb
from ..workflow import compose, run_bundle

__all__ = ["VERB"]

_REQUIRED = ("dataset_dir", "output_dir")


def _run(command: Command) -> None:
    check_required_ids(command, _REQUIRED)
    search = read_search(command.settings, command.options)
    student = _Student(command)
    train_tuned(search, student.checked_options, partial(student.config, "student"), student.train)


@dataclass(frozen=True)
class _Student:
    """The training of a command's student, with the options of the command and others."""

    command: Command

    def config(self, role: str, mode: str) -> dict[str, Any]:
        """Return the merged configuration of a role."""
        settings = self.command.settings
        verb, labels = ("distill", settings["soft_labels"]) if role == "student" else ("train", "online")
        return merge_files([*config_files(verb, self.command.task, role, labels, mode), *settings["overlay"]])

    def checked_options(self, setting: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
        """Return the options of the command and a setting, with those of the teacher's record, and the mode."""
        command = self.command
        given = {**command.options, **setting}
        options, mode = options_from_record("distill", command.task, given, command.settings["mode"])
        config = self.config("student", mode)
        options = convert_words(options, config)
        student, members = split_member_options(options, config)
        check_options(student, config)
        for role, values in members.items():
            check_options(values, self.config(role, mode))
        check_data_set(command.task, student, config)
        check_has_labels(student)
        check_method(student, config, command.settings["soft_labels"])
        return options, mode

    def train(self, setting: Mapping[str, Any], changes: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        """Train the student, after the missing members of its team.

        Args:
            setting: options that are tuned. The team is trained without them, once for all settings.
            changes: options of this run of the student alone.
            facts: for the record of this run.
        """
        options, mode = self.checked_options(setting)
        task, settings = self.command.task, self.command.settings
        _check_has_teacher(task, options, self.config("student", mode))
        overlays, soft_labels = settings["overlay"], settings["soft_labels"]

        def train_member(role: str, training: dict[str, Any]) -> None:
            run_bundle(compose("train", task, training, role=role, overlays=overlays, mode=mode))

        tuned = [name for name in setting if name.split("::")[0] not in (*STUDENT_OPTIONS, *MEMBERS)]
        shared = {name: value for name, value in options.items() if name not in tuned}
        student = team_first(BUNDLES / task / "models", shared, partial(self.config, mode=mode), train_member)
        student |= {name: options[name] for name in tuned} | dict(changes)
        run = compose("distill", task, student, overlays=overlays, soft_labels=soft_labels, mode=mode)
        self._note_method(student)
        run_bundle(run, facts)

    def _note_method(self, options: Mapping[str, Any]) -> None:
        """Print a note where another method than the default is used, because cached soft labels cannot serve that one."""
        default = merge_files(config_files("distill", self.command.task))["method"]
        if self.command.settings["soft_labels"] == "cached" and "method" not in options:
            print(
                f"note: --soft_labels cached keeps the teacher's logits alone: the method is kd, not {default}, which reads "
                "feature maps",
                flush=True,
            )


def _check_has_teacher(task: str, options: Mapping[str, Any], config: Mapping[str, Any]) -> None:
    """Raise UsageError if nothing names a teacher and the bundle's folder ``models`` holds none."""
    _, members = split_member_options(dict(options), dict(config))
    is_named = "teacher" in options or config["teacher"] != merge_files(config_files("distill", task))["teacher"]
    if is_named or members:  # a team is trained first
        return
    default = Path(options.get("bundle_root", BUNDLES / task)) / "models" / "teacher.pt"
    if not default.is_file():
        raise UsageError(
            f"medkd distill {task} needs --teacher PATH, the output folder of a finished training run or an external teacher: "
            f"the default {default} does not exist"
        )


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
    (_SOFT_LABELS, *TUNE_OPTIONS, MODE, OVERLAY),
    task="required",
    required=_REQUIRED,
    options="config",
    notes="Missing members of PLC-KD's team are trained first. An option for one member alone: --teacher::max_epochs 30.",
)
