"""The YAML file of an experiment: where it is, and how it is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from medkd.configs.yaml_text import read_mapping
from medkd.runs.errors import UsageError, did_you_mean

from .bundles import Bundles
from .external_teacher import absolute_paths

__all__ = ["load_plan", "plan_file", "plans"]


def plans(bundles: Bundles) -> list[str]:
    """Return the names of the experiments that come with medkd, sorted."""
    return sorted(path.stem for path in (bundles.folder / "experiments").glob("*.yaml") if "rows" in read_mapping(path))


_METRICS = ("dice", "hd95")  # of a plan that names none


def plan_file(name: str, bundles: Bundles) -> Path:
    """Return the file of an experiment.

    Args:
        name: of an experiment that comes with medkd, or a path that ends in ``.yaml`` or ``.yml``.
        bundles: where the experiments of medkd are.

    Raises:
        FileNotFoundError: for a path that does not exist.
        ValueError: for an unknown name.
    """
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise FileNotFoundError(f"experiment {name}: no such file")
        return path
    names = plans(bundles)
    if name not in names:
        hint = did_you_mean(name, names, count=1) or f"expected one of {', '.join(names)}, or a YAML file"
        raise UsageError(f"unknown experiment {name!r}: {hint}")
    return bundles.folder / "experiments" / f"{name}.yaml"


def load_plan(file: Path) -> dict[str, Any]:
    """Read a plan. Overlays and external teachers are named relative to its folder; their paths become absolute.

    A plan without ``metrics`` gets Dice and HD95.

    Raises:
        ValueError: for a file that is not YAML, that holds no names and values, or that names a missing overlay or teacher.
    """
    content = {"metrics": list(_METRICS), **read_mapping(file)}
    tasks = content.get("tasks")
    owners = {"plan": content, **{f"task {name}": settings for name, settings in _mapping(tasks).items()}}
    for owner, part in owners.items():
        if teacher := _mapping(_mapping(part).get("teacher")):
            part["teacher"] = absolute_paths(teacher, file.parent, f"{file}: {owner}")
    for name, settings in _mapping(tasks).items():
        if isinstance(settings, dict) and isinstance(settings.get("overlay"), str):
            overlay = file.parent.absolute() / settings["overlay"]
            if not overlay.is_file():
                raise ValueError(f"{file}: task {name}: overlay {overlay}: no such file")
            settings["overlay"] = str(overlay)
    return content


def _mapping(value: Any) -> dict[Any, Any]:
    """Return a dictionary; an empty one in the place of any other value, which `check_plan` refuses."""
    return value if isinstance(value, dict) else {}
