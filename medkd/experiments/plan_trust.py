"""Whether a plan holds code: a stranger's plan is data, unless its user trusts it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from medkd.configs.yaml_text import read_mapping
from medkd.runs.file_kind import file_kind

from .bundles import Bundles
from .external_teacher import external_paths
from .run_options import ASSISTANTS, is_code

__all__ = ["check_trust"]

_SECTIONS = ("options", "teacher", *ASSISTANTS, "distilled")
# arguments of MONAI's workflow: files that it executes, or that decide what it runs
_FILES = ("meta_file", "logging_file", "tracking", "run_id", "init_id", "final_id")
_HINT = "which may be code: --trust_plan executes it"


def check_trust(content: Mapping[str, Any], file: str, bundles: Bundles) -> None:
    """Check that a plan is data: no expression, no class that it names, no file that is executed, as some teachers are.

    Overlays that come with medkd may be code.

    Args:
        content: of the plan, checked by `check_plan`.
        file: name of the plan for the message.
        bundles: the bundles of medkd.

    Raises:
        ValueError: names the row or the task, and the key.
    """
    parts = [("plan", content)]
    for section in ("tasks", "rows"):
        parts += [(f"{section.removesuffix('s')} {name}", part) for name, part in content[section].items()]
    for owner, part in parts:
        for place, name, value in _options(owner, part):
            _check(f"{file}: {place}: {name}", name, value)
        for path in external_paths(part):
            kind = file_kind(path)
            if kind.name in ("bundle", "torchscript"):
                raise ValueError(f"{file}: {owner}: teacher: teacher: found {path}, {kind.description}, {_HINT}")
        if "overlay" in part and not Path(part["overlay"]).resolve().is_relative_to(bundles.folder.resolve()):
            _check_overlay(f"{file}: {owner}: overlay {part['overlay']}", Path(part["overlay"]))


def _options(owner: str, part: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    for section in _SECTIONS:
        for name, value in (part.get(section) or {}).items():
            yield f"{owner}: {section}", str(name), value


def _check(place: str, name: str, value: Any) -> None:
    # each part of an id is a key: network_def::_target_
    if name in _FILES or is_code(value) or is_code(dict.fromkeys(name.split("::"))):
        raise ValueError(f"{place}: found {value!r:.60}, {_HINT}")


def _check_overlay(place: str, file: Path) -> None:
    for name, value in read_mapping(file, place=place).items():
        _check(f"{place}: {name}", str(name).removeprefix("+"), value)
