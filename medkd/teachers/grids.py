"""The spacing and the windows of each teacher, which may be others than those of the student."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import nn

from medkd.networks import check_size
from medkd.runs.record import recorded

from .adapter import TeacherAdapter
from .ensemble import Ensemble
from .geometry import Grid
from .load import PathOrPaths, entry_per_teacher

__all__ = ["teacher_grids"]


def teacher_grids(
    teacher: PathOrPaths,
    network: nn.Module,
    student_spacing: Sequence[float] | None,
    student_patch: Sequence[int],
    spacing: Sequence[Any] | None = None,
    patch_size: Sequence[Any] | None = None,
) -> list[Grid]:
    """Return spacing and patch of each teacher: of the options, else as its files state them, else those of the student.

    Args:
        teacher: one path, or several.
        network: what `load_teacher` returned for them.
        student_spacing: mm per voxel of slices, rows, columns of the student; None: the volumes' own.
        student_patch: voxels of a patch of the student.
        spacing: ``--teacher_spacing``: mm per voxel of the teacher; for several teachers also a list with one entry each.
        patch_size: ``--teacher_patch_size``: voxels of the teacher's windows; likewise.

    Returns:
        One grid for each teacher. A spacing of None is that of each volume.

    Raises:
        ValueError: for an option that is not three positive numbers, or windows that a teacher does not take.
    """
    paths = [teacher] if isinstance(teacher, str | Path) else list(teacher)
    members = list(network.members) if isinstance(network, Ensemble) else [network]
    spacings = entry_per_teacher("spacing", spacing, len(paths))
    patches = entry_per_teacher("patch_size", patch_size, len(paths))
    grids: list[Grid] = []
    for path, member, mm, size in zip(paths, members, spacings, patches, strict=True):
        stated = member.grid if isinstance(member, TeacherAdapter) else _recorded_grid(path)
        mm = stated.spacing if mm is None else _three("spacing", mm)
        size = stated.patch_size if size is None else _three("patch_size", size)
        if mm is None and isinstance(member, TeacherAdapter):
            print(f"note: {member.source}: its spacing is not known, it sees that of the student (--teacher_spacing)")
        grid = Grid(
            student_spacing if mm is None else mm, tuple(student_patch) if size is None else tuple(map(int, size))
        )
        check_size(member, grid.patch_size or ())
        print(f"teacher {path}: windows of {_describe(grid)}", flush=True)
        grids.append(grid)
    return grids


def _recorded_grid(path: str | Path) -> Grid:
    """Return the grid that a run was trained at, as far as its record tells it."""
    spacing, size = (recorded(path, name, ...) for name in ("spacing", "patch_size"))
    spacing = None if spacing is ... else (None,) * 3 if spacing is None else tuple(spacing)
    return Grid(spacing, tuple(size) if isinstance(size, list | tuple) else None)


def _three(name: str, values: Any) -> tuple[Any, ...]:
    is_list = isinstance(values, list | tuple) and len(values) == 3
    kind = int if name == "patch_size" else int | float
    if not is_list or not all(isinstance(n, kind) and not isinstance(n, bool) and n > 0 for n in values):
        raise ValueError(f"--teacher_{name}: found {values!r}, expected three positive numbers: slices, rows, columns")
    return tuple(values)


def _describe(grid: Grid) -> str:
    size = " x ".join(map(str, grid.patch_size or ()))
    if grid.spacing is None or not any(grid.spacing):
        return f"{size} voxels at each volume's own spacing"
    return f"{size} voxels of {' x '.join('own' if mm is None else f'{mm:g}' for mm in grid.spacing)} mm"
