"""The folder that a preparation writes: checked before, and complete or absent afterwards."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from medkd.runs.files import check_no_link_loop, naming
from medkd.runs.lock import FolderLock, clean_partial

from ._contact_sheet import PAGES

__all__ = ["check_target", "complete_or_absent"]

# All that preparation writes and all that is computed from it: --overwrite may delete these and nothing else.
REPLACEABLE = {"datalist.json", "split.json", "report.md", "report.json", "soft_labels", ".DS_Store", *PAGES}
REPLACEABLE |= {"imagesTr", "labelsTr", "images", "labels", "imagesUnlabelled"}


def check_target(source: Path, target: Path, overwrite: bool) -> None:
    """Raise ValueError when the target must not be written."""
    check_no_link_loop("dataset_dir", target)
    if target.is_symlink() and not target.exists():
        raise ValueError(f"--dataset_dir {target}: found a link that leads nowhere, expected a folder to write")
    source, target = source.resolve(), target.resolve()
    if source.is_relative_to(target):
        raise ValueError(f"--dataset_dir {target}: holds the source {source}, which must stay as it is")
    if target.exists() and not target.is_dir():
        raise ValueError(f"--dataset_dir {target}: is a file, expected a folder to write")
    if target.is_dir() and any(target.iterdir()):
        if not (target / "datalist.json").is_file():
            raise ValueError(
                f"--dataset_dir {target}: not empty and no prepared data set (no datalist.json); left alone"
            )
        if not overwrite:
            raise ValueError(
                f"--dataset_dir {target}: holds a prepared data set already: rename it, name another folder, or give "
                "--overwrite True to replace it"
            )
        if foreign := sorted({path.name for path in target.iterdir()} - REPLACEABLE):
            raise ValueError(
                f"--dataset_dir {target}: holds {', '.join(foreign)}, expected a prepared data set alone: "
                "--overwrite True would delete it; move it elsewhere"
            )


@contextmanager
def complete_or_absent(source: Path, target: Path, overwrite: bool) -> Iterator[Path]:
    """Yield a temporary folder beside ``target`` that is renamed to ``target`` only when the block succeeds."""
    check_target(source, target, overwrite)
    target = target.resolve()
    new_parents = [folder for folder in target.parents if not folder.exists()]  # the innermost first
    target.parent.mkdir(parents=True, exist_ok=True)
    partial, replaced = (target.with_name(f".{target.name}.{word}-{os.getpid()}") for word in ("partial", "replaced"))
    clean_partial(target.parent, f".{target.name}.partial-*")
    partial.mkdir()
    lock = FolderLock(partial)
    try:
        lock.acquire()
        with naming(target):
            yield partial
        check_target(source, target, overwrite)  # again: another process may have written there meanwhile
        if target.exists():
            os.replace(target, replaced)
        try:
            lock.move(target)
        except OSError:
            if replaced.exists():
                os.replace(replaced, target)  # the earlier data set is put back
            raise
        shutil.rmtree(replaced, ignore_errors=True)
    finally:
        lock.release()
        shutil.rmtree(partial, ignore_errors=True)
        if not target.exists():
            with suppress(OSError):  # a folder that is not empty; the error that led here is the one to report
                for folder in new_parents:
                    folder.rmdir()
