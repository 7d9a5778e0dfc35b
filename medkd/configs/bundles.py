"""The bundles of medkd: where they are, their names, and the configuration files that a run merges."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path

__all__ = ["BUNDLES", "all_config_files", "config_files", "tasks"]

_PACKAGE = Path(__file__).parents[1]
# in a wheel the bundles lie inside the package, in a clone beside it; a copy in a packed bundle has none
_INSIDE = _PACKAGE / "bundles"
BUNDLES = _INSIDE if _INSIDE.is_dir() else _PACKAGE.parent / "bundles"
_EXTRA_FILES = {
    "distill": ("distill.yaml",),
    "figures": ("distill.yaml", "team_figures.yaml"),
    "comparison": ("comparison.yaml",),
}


def tasks() -> list[str]:
    """Return the names of the bundles, sorted."""
    return sorted(path.parent.parent.name for path in BUNDLES.glob("*/configs/train.yaml"))


def config_files(
    verb: str, task: str, role: str = "student", soft_labels: str = "online", mode: str = "2d"
) -> list[Path]:
    """Return the configuration files of a run, in the order in which they are merged.

    Args:
        verb: a verb of the command line that runs a bundle; "comparison" for figures of several runs, "figures" for those of
            a team.
        task: name of the bundle.
        role: "student", or who is trained in its place.
        soft_labels: "online" or "cached".
        mode: "2d" or "3d".

    Raises:
        ValueError: for ``mode`` "3d" of a task without volumes.
    """
    configs, overlays = BUNDLES / task / "configs", BUNDLES / "overlays"
    volumes = _volume_overlays(task) if mode == "3d" else []
    if verb == "infer":
        return [configs / "inference.yaml", *volumes[:1]]
    files = [configs / "train.yaml", *volumes]
    if role != "student":
        files.append(overlays / "teacher.yaml")
        if verb == "train" and role != "teacher":
            files.append(overlays / f"{role}.yaml")
    if verb in ("evaluate", "export"):
        files.append(configs / "evaluate.yaml")
    files += [overlays / name for name in _EXTRA_FILES.get(verb, ())]
    if soft_labels == "cached":
        files += [overlays / "cached.yaml", *([overlays / "cached_volumetric.yaml"] if volumes else [])]
    return files


def all_config_files(verb: str, roles: Sequence[str] = ("student",)) -> set[Path]:
    """Return the configuration files of a verb for all tasks and modes.

    Args:
        verb: see `config_files`.
        roles: who may be trained or used.
    """
    files: set[Path] = set()
    for task, role, mode in product(tasks(), roles, ("2d", "3d")):
        try:
            files.update(config_files(verb, task, role, mode=mode))
        except ValueError:  # a task without volumes
            continue
    return files


def _volume_overlays(task: str) -> list[Path]:
    from .merge import merge_files  # PyYAML may be missing where an exported network predicts

    if "mode" not in merge_files([BUNDLES / task / "configs/train.yaml"]):
        raise ValueError(f"--mode 3d: {task} is a task of pictures, it has no volumes")
    return [BUNDLES / "overlays" / name for name in ("volumetric.yaml", "volumetric_train.yaml")]
