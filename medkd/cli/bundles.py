"""The bundles of medkd: which configuration files a run of them merges."""

from __future__ import annotations

from pathlib import Path

from .config import merge_files
from .task_names import BUNDLES, tasks

__all__ = ["BUNDLES", "config_files", "tasks"]

_EXTRA_FILES = {
    "distill": ("distill.yaml",),
    "figures": ("distill.yaml", "team_figures.yaml"),
    "comparison": ("comparison.yaml",),
}


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
        ValueError: for ``mode`` "3d" of a task without volumes, or with cached soft labels.
    """
    configs, overlays = BUNDLES / task / "configs", BUNDLES / "overlays"
    volumes = _volume_overlays(task, soft_labels) if mode == "3d" else []
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
    return [*files, overlays / "cached.yaml"] if soft_labels == "cached" else files


def _volume_overlays(task: str, soft_labels: str) -> list[Path]:
    if "mode" not in merge_files([BUNDLES / task / "configs/train.yaml"]):
        raise ValueError(f"--mode 3d: {task} is a task of pictures, it has no volumes")
    if soft_labels == "cached":
        raise ValueError(
            "--soft_labels cached keeps whole slices and pictures: with --mode 3d use --soft_labels online"
        )
    return [BUNDLES / "overlays" / name for name in ("volumetric.yaml", "volumetric_train.yaml")]
