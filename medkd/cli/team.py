"""Train what is missing of PLC-KD's team before its student."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from medkd.plckd.members import MEMBERS, check_member, check_team_embedding, team_members
from medkd.runs.folder import RunFolder

from .options import check_model, check_options, is_known, parse_command

__all__ = ["team_first"]

# Options of the student alone, which do not pass to the team.
_STUDENT_OPTIONS = ("method", "method_args", "output_dir", "resume", "learning_rate")


def team_first(
    models: Path,
    options: list[str],
    config_of: Callable[[str], dict[str, Any]],
    train: Callable[[str, list[str]], None],
) -> list[str]:
    """Train the missing members of the team of a method, and return the options with the paths of all members.

    A member that an option names, that lies in the bundle's ``models`` or was trained into ``<output_dir>/team`` before is
    used as it is; any other is trained there, with the options of the distillation that it has too. Everything is checked
    before the first training begins.

    Args:
        models: folder of the bundle, ``teacher.pt`` and so on in it.
        options: of ``medkd distill``. Those of one member alone have its name before them: ``--teacher::max_epochs 30``.
        config_of: from a role, "student" among them, to the configuration of its run.
        train: trains a role with options, among them its ``--output_dir``.

    Raises:
        FileNotFoundError: for a member that an option names and that does not exist.
        ValueError: for unknown options, options of a member that exists already and was not trained with them, and a
            teacher without the map that the method's similarity correction reads.
    """
    words, given = parse_command(options)
    config = config_of("student")
    roles = team_members(*_method(given, config))
    if not roles or "output_dir" not in given:
        return options
    own = {
        role: {k.removeprefix(f"{role}::"): v for k, v in given.items() if k.startswith(f"{role}::")} for role in roles
    }
    given = {name: value for name, value in given.items() if not name.startswith(tuple(f"{role}::" for role in roles))}
    check_options(words, given, config)
    found: dict[str, Any] = {}
    missing = []
    for role in roles:
        folder, packed = Path(str(given["output_dir"])) / "team" / role, models / f"{role}.pt"
        if role in given or packed.is_file():
            found[role] = given.get(role, str(packed))
            check_member(role, found[role])
        else:
            found[role] = str(folder)
            if not RunFolder(folder).metrics.is_file():  # written when training and test are over
                missing.append((role, _run(role, config_of(role), given, own[role], found["teacher"], folder)))
                continue
        check_model(found[role], **own[role])
    check_team_embedding(*_method(given, config), found["teacher"])
    for role, run in missing:
        print(f"medkd: {role} is missing: it is trained first", flush=True)
        train(role, _words(run))
    return _words({**given, **found})


def _method(given: dict[str, Any], config: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the method that options and overlays choose, and its arguments."""
    arguments = dict(given.get("method_args", config["method_args"]))
    arguments |= {k.removeprefix("method_args::"): v for k, v in given.items() if k.startswith("method_args::")}
    return str(given.get("method", config["method"])), arguments


def _run(
    role: str, config: dict[str, Any], given: dict[str, Any], own: dict[str, Any], teacher: Any, folder: Path
) -> dict[str, Any]:
    """Return the options of a member's training."""
    shared = {
        k: v for k, v in given.items() if k.split("::")[0] not in (*_STUDENT_OPTIONS, *MEMBERS) and is_known(k, config)
    }
    run = {**shared, **own, "output_dir": str(folder)}
    check_options([], run, config)
    if role != "teacher":
        run["teacher"] = teacher
    if RunFolder(folder).has_begun:
        run["resume"] = True
    return run


def _words(options: dict[str, Any]) -> list[str]:
    return [word for name, value in options.items() for word in (f"--{name}", str(value))]
