"""Train what is missing of PLC-KD's team before its student."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from medkd.configs.ids import is_expression
from medkd.methods import load_preset
from medkd.runs.folder import RunFolder
from medkd.runs.record import check_model
from medkd.startup import import_monai

from .checks import check_options, is_known
from .method_check import method_of

__all__ = ["MEMBERS", "STUDENT_OPTIONS", "split_member_options", "team_first"]

MEMBERS = ("teacher", "false_pixel_assistant", "boundary_assistant")
# Options of the student alone, which do not pass to the team.
STUDENT_OPTIONS = ("method", "method_args", "output_dir", "resume", "learning_rate")


def split_member_options(
    options: dict[str, Any], config: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Split the options of a distillation into those of the student, and those of one member of its team alone.

    Args:
        options: ``teacher::max_epochs`` and the like are of one member.
        config: merged configuration of the student's run, which may name the method.

    Returns:
        The student's options; member -> options. A method without a team has no member.

    Raises:
        ValueError: for an unknown method.
    """
    method, _ = method_of(options, config)
    if ("method" not in options and is_expression(method)) or "team" not in load_preset(method):
        return options, {}
    members = {
        role: {name.removeprefix(f"{role}::"): value for name, value in options.items() if name.startswith(f"{role}::")}
        for role in MEMBERS
    }
    prefixes = tuple(f"{role}::" for role in MEMBERS)
    return {name: value for name, value in options.items() if not name.startswith(prefixes)}, members


def team_first(
    models: Path,
    options: dict[str, Any],
    config_of: Callable[[str], dict[str, Any]],
    train: Callable[[str, dict[str, Any]], None],
) -> dict[str, Any]:
    """Train the missing members of a method's team, and return the student's options with the paths of all members.

    A member that an option names, that lies in the bundle's ``models`` or was trained into ``<output_dir>/team`` before is
    used as it is. Any other is trained there, with those options of the distillation that it has too. Everything is checked
    before the first training begins. Other methods' options are returned as they are.

    Args:
        models: folder of the bundle, ``teacher.pt`` and so on in it.
        options: of ``medkd distill``. Those of one member alone have its name before them: ``teacher::max_epochs``.
        config_of: from a role, "student" among them, to the configuration of its run.
        train: trains a role with options, among them its ``output_dir``.

    Raises:
        FileNotFoundError: for a member that an option names and that does not exist.
        ValueError: for unknown options, options of a member that exists already and was not trained with them, and a
            teacher without the map that the method's similarity correction reads.
    """
    config = config_of("student")
    student, members = split_member_options(options, config)
    if not members or "output_dir" not in student:
        return options
    check_options(student, config)
    import_monai()
    from medkd.plckd.members import check_member, check_team_embedding, team_members

    method, arguments = method_of(student, config)
    paths: dict[str, Any] = {}
    missing = {}
    for role in team_members(method, arguments):
        folder, packed = Path(str(student["output_dir"])) / "team" / role, models / f"{role}.pt"
        if role in student or packed.is_file():
            paths[role] = student.get(role, str(packed))
            check_member(role, paths[role])
        else:
            paths[role] = str(folder)
            if not RunFolder(folder).metrics.is_file():  # written when training and test are over
                missing[role] = _training(role, config_of(role), student, members[role], paths["teacher"], folder)
                continue
        check_model(paths[role], **members[role])
    check_team_embedding(method, arguments, paths["teacher"])
    if missing and student.get("training_cases") == 0:
        role = next(iter(missing))
        raise ValueError(f"--training_cases 0: found no {role}, expected --{role} PATH: it is trained on labels")
    for role, training in missing.items():
        if os.environ.get("RANK", "0") == "0":
            print(f"medkd: {role} is missing: it is trained first", flush=True)
        train(role, training)
    return {**student, **paths}


def _training(
    role: str, config: dict[str, Any], student: dict[str, Any], member: dict[str, Any], teacher: Any, folder: Path
) -> dict[str, Any]:
    """Return the options of a member's training."""
    not_shared = (*STUDENT_OPTIONS, *MEMBERS)
    shared = {
        name: value
        for name, value in student.items()
        if name.split("::")[0] not in not_shared and is_known(name, config)
    }
    training = {**shared, **member, "output_dir": str(folder)}
    check_options(training, config)
    if role != "teacher":
        training["teacher"] = teacher
    if RunFolder(folder).has_begun:
        training["resume"] = True
    return training
