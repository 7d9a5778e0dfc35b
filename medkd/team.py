"""PLC-KD's team before the student: what of it is missing is trained first, in order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from medkd.methods import load_preset, team_arguments
from medkd.options import check_model, parse_command

__all__ = ["MEMBERS", "team_first"]

MEMBERS = ("teacher", "false_pixel_assistant", "boundary_assistant")
# Options of the student alone, which do not pass to the team.
_OWN = ("method", "method_args", "output_dir", "resume", "learning_rate", *MEMBERS)


def team_first(models: Path, options: list[str], train: Callable[[str, list[str]], None]) -> list[str]:
    """The options of a distillation with the paths of the team that its method wants; other methods' stay as they are.

    A member that an option names, that lies in the bundle's ``models`` or was trained into ``<output_dir>/team`` before is
    used as it is; any other is trained there.

    Args:
        models: folder of the bundle, ``teacher.pt`` and so on in it.
        options: of ``medkd distill``. Those of one member alone have its name before them: ``--teacher::max_epochs 30``.
        train: trains a role with options, among them its ``--output_dir``.

    Raises:
        ValueError: for options of a member that is there already, when it was not trained with them.
    """
    given = parse_command(options)[1]
    method = str(given.get("method", "kd"))
    arguments = {name.removeprefix("method_args::"): v for name, v in given.items() if name.startswith("method_args::")}
    wanted = team_arguments(method, arguments) if "team" in load_preset(method) else None
    if wanted is None or "output_dir" not in given:
        return options
    shared = {name: value for name, value in given.items() if name.split("::")[0] not in _OWN}
    found: dict[str, object] = {}
    for role in MEMBERS:
        if role != "teacher" and not wanted.get(role.removesuffix("_assistant")):
            continue
        folder, packed = Path(str(given["output_dir"])) / "team" / role, models / f"{role}.pt"
        own = {name.removeprefix(f"{role}::"): given.pop(name) for name in list(given) if name.startswith(f"{role}::")}
        if role in given or packed.is_file():
            found[role] = given.get(role, packed)
            check_model(str(found[role]), **own)
        else:
            found[role] = folder
            if (folder / "metrics.csv").is_file():  # the last thing that a run writes
                check_model(folder, **own)
            else:
                print(f"medkd: {role} is missing: it is trained first", flush=True)
                words = {"teacher": found["teacher"]} if role != "teacher" else {}
                resume = {"resume": True} if (folder / "resume.pt").is_file() else {}
                train(role, _words({**shared, **own, **words, "output_dir": folder, **resume}))
    return _words({**given, **found})


def _words(options: dict[str, object]) -> list[str]:
    return [word for name, value in options.items() for word in (f"--{name}", str(value))]
