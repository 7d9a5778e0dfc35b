"""The YAML file of an experiment: where it is, and whether it says what an experiment needs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from medkd.cli.commands import BUNDLES, tasks
from medkd.methods import load_preset
from medkd.reports.tables import load_published

__all__ = ["ASSISTANTS", "check_plan", "load_plan", "plan_file", "plans", "row_folder"]

ASSISTANTS = ("false_pixel_assistant", "boundary_assistant")
METRICS = ("dice", "iou", "rvd", "abs_rvd", "hd95")
_TASK_NAME = re.compile(r"\w[\w.-]*")
_SEEDS, _NAMES, _OPTIONS = "a list of different whole numbers", "a list of names", "names and values"
# name -> what its value must be
_ROW = {"role": "teacher", "method": "text", "options": _OPTIONS, "seeds": _SEEDS, "soft_labels": "online or cached"}
_KINDS = dict.fromkeys(("options", "teacher", *ASSISTANTS, "distilled"), _OPTIONS)
_TASK = {
    "task": "text",
    "data": "text",
    "mode": "2d or 3d",
    "overlay": "text",
    "seeds": _SEEDS,
    "rows": _NAMES,
    **_KINDS,
}
_PLAN = {
    "title": "text",
    "published": "text",
    "metrics": _NAMES,
    "baseline": "text",
    "seeds": _SEEDS,
    "teacher_seeds": _SEEDS,
}
_PLAN |= {"soft_labels": "online or cached", "tasks": _OPTIONS, "rows": _OPTIONS, **_KINDS}


def plans() -> list[str]:
    """Names of the experiments that come with medkd, sorted."""
    return sorted(path.stem for path in (BUNDLES / "experiments").glob("*.yaml") if "rows" in _read(path))


def plan_file(name: str) -> Path:
    """The file of an experiment of ours, or the user's own.

    Raises:
        ValueError: for a name that is neither.
    """
    own, ours = Path(name), BUNDLES / "experiments" / f"{name}.yaml"
    if own.suffix in (".yaml", ".yml"):
        if not own.is_file():
            raise FileNotFoundError(f"experiment {name}: no such file")
        return own
    if name not in plans():
        near = get_close_matches(name, plans(), n=1)
        hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(plans())}, or a YAML file"
        raise ValueError(f"unknown experiment {name!r}: {hint}")
    return ours


def load_plan(file: Path) -> dict[str, Any]:
    """The content of a plan; overlays lie beside it.

    Raises:
        ValueError: see `check_plan`; also for an overlay that is not there.
    """
    content = _read(file)
    check_plan(content, str(file))
    for name, of in content["tasks"].items():
        if "overlay" in of:
            overlay = file.parent.absolute() / of["overlay"]
            if not overlay.is_file():
                raise ValueError(f"{file}: task {name}: overlay {overlay}: no such file")
            of["overlay"] = str(overlay)
    return content


def check_plan(content: Mapping[str, Any], file: str) -> None:
    """Whether an experiment can be made of it.

    Args:
        content: of the file; without a value ("student:") a task or a row is one without any settings.
        file: what an error names.

    Raises:
        ValueError: for what is missing, names that a plan does not have, values of another kind, an unknown task, method,
            metric or published table, rows that are named and are none, rows that would share a folder, tasks and rows whose
            names cannot be those of folders.
    """
    _check(file, "plan", content, _PLAN, ("title", "metrics", "seeds", "tasks", "rows"))
    for part in ("tasks", "rows"):
        for name, of in content[part].items():
            content[part][name] = of = {} if of is None else of
            _check(file, f"{part.removesuffix('s')} {name}", of, _TASK if part == "tasks" else _ROW)
    for row, spec in content["rows"].items():
        load_preset(spec.get("method", "none"))  # an unknown one is refused with the nearest name
        if spec.get("role") and len(spec) > 1:
            raise ValueError(f"{file}: row {row}: a teacher's settings stand under `teacher:`, not in its row")
    folders: dict[str, str] = dict.fromkeys(("teacher", *ASSISTANTS), "of the team")
    for row, spec in content["rows"].items():
        if not row_folder(row):
            raise ValueError(f"{file}: row {row!r}: a letter or a digit is missing, its folder would have no name")
        if "role" not in spec and (other := folders.setdefault(row_folder(row), row)) != row:
            raise ValueError(f"{file}: rows {other!r} and {row!r} would have one folder")
    for name, of in content["tasks"].items():
        if not _TASK_NAME.fullmatch(name):
            raise ValueError(f"{file}: task {name!r}: expected the name of a folder: letters, digits, ., - and _")
        _among(file, f"task {name}", [of.get("task", name)], tasks())
        _among(file, f"task {name}: rows", of.get("rows", ()), content["rows"])
    _among(file, "metrics", content["metrics"], METRICS)
    _among(file, "baseline", [content["baseline"]] if "baseline" in content else [], content["rows"])
    if "published" in content:
        load_published(content["published"])


def row_folder(row: str) -> str:
    """A row's title as the name of a folder."""
    return "_".join("".join(c if c.isalnum() else " " for c in row).split()).lower()


def _read(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(file.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{file}: not a YAML file: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{file}: holds {type(content).__name__}, expected names and values")
    return content


def _check(file: str, what: str, found: Any, known: Mapping[str, str], needed: tuple[str, ...] = ()) -> None:
    if not isinstance(found, dict):
        raise ValueError(f"{file}: {what}: found {found!r}, expected {_OPTIONS}")
    if missing := [name for name in needed if not found.get(name)]:
        raise ValueError(f"{file}: {what}: no {', '.join(missing)}")
    for name, value in found.items():
        if name not in known:
            near = get_close_matches(str(name), known, n=1)
            raise ValueError(f"{file}: {what}: unknown {name!r}" + (f" (did you mean {near[0]}?)" if near else ""))
        if not _fits(value, known[name]):
            raise ValueError(f"{file}: {what}: {name}: found {value!r}, expected {known[name]}")


def _fits(value: Any, kind: str) -> bool:
    if kind == _SEEDS:
        whole = isinstance(value, list) and all(type(seed) is int and seed >= 0 for seed in value)
        return bool(value) and whole and len(set(value)) == len(value)
    if kind == _NAMES:
        return isinstance(value, list) and all(isinstance(name, str) for name in value)
    if kind == _OPTIONS:
        return isinstance(value, dict) and all(isinstance(name, str) for name in value)
    return isinstance(value, str) and (kind == "text" or value in kind.split(" or "))


def _among(file: str, what: str, found: Iterable[str], known: Iterable[str]) -> None:
    for name in found:
        if name not in known:
            raise ValueError(f"{file}: {what}: found {name!r}, expected one of {', '.join(map(str, known))}")
