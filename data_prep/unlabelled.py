"""Images without labels that are added to a prepared data set of any task."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from medkd.data.datalist import FILE_NAME, read_datalist
from medkd.io.paths import PathLike
from medkd.runs.lock import FolderLock, clean_partial

from . import cvc_endoscene, isic2018
from ._cases import require_source
from ._options import Options
from ._stored_form import FOLDER
from ._unlabelled import Naming, collect_unlabelled, own_name
from ._unlabelled_store import list_unlabelled

__all__ = ["prepare"]

# Data sets whose file names tell patients, or what is no image.
NAMINGS: dict[str, Naming] = {"cvc_endoscene": cvc_endoscene.name_frame, "isic2018": isic2018.name_image}


def prepare(
    target: PathLike,
    unlabelled: PathLike,
    task: str | None = None,
    *,
    split: PathLike = "",
    resample_channels: bool = False,
    skip_bad: bool = False,
    workers: int | None = None,
) -> dict[str, Any]:
    """Add images without labels to a prepared data set, stored as its own images are.

    The data list is replaced last. After a fault the data set is what it was.

    Args:
        target: folder of the prepared data set.
        unlabelled: folder of images; label maps beside them are not read.
        task: name of the task that the data set must have been prepared for; None: any.
        split: a table of patients (CSV) with the columns ``patient`` and ``case``; ``""``: each image is its own patient.
        resample_channels: resample channels on another grid than the first onto it, in place of refusing them.
        skip_bad: leave refused images out (recorded in ``datalist.json``) instead of stopping.
        workers: number of processes. None: all cores, and at most one for every 8 images.

    Returns:
        ``{"dataset_dir", "unlabelled": number of all images without labels, "added": of those added now, "refused"}``.

    Raises:
        FileNotFoundError: no such folder, no prepared data set.
        ValueError: see `collect_unlabelled`; an image that is one of validation or test.
    """
    folder, source = Path(target).resolve(), require_source(unlabelled, "unlabelled")
    options = Options(split, 0, 2, 0, False, skip_bad, workers, unlabelled)
    datalist = read_datalist(target)
    if source.resolve().is_relative_to(folder):
        raise ValueError(f"--unlabelled {unlabelled}: lies in --dataset_dir {target}, expected a folder outside of it")
    name = str(datalist.get("name"))
    if task not in (None, name):
        raise ValueError(f"--dataset_dir {target}: found a data set that was prepared for {name}, expected {task}")
    naming = NAMINGS.get(name, own_name)
    before = (folder / FILE_NAME).read_bytes()
    staging = folder.with_name(f".{folder.name}.partial-{os.getpid()}")
    clean_partial(folder.parent, f".{folder.name}.partial-*")
    try:
        with FolderLock(staging):
            cases = collect_unlabelled(source, folder, datalist, staging, options, naming, resample_channels)
            if (folder / FILE_NAME).read_bytes() != before:
                raise ValueError(f"--dataset_dir {target}: its {FILE_NAME} was changed meanwhile: nothing was added")
            with _put_back(folder), _moved(staging / FOLDER, folder / FOLDER):
                list_unlabelled(folder, datalist, cases)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    count = len(read_datalist(folder)["unlabelled"])
    return {"dataset_dir": str(target), "unlabelled": count, "added": len(cases.entries), "refused": cases.refused}


@contextmanager
def _moved(source: Path, target: Path) -> Iterator[None]:
    """Move the files of a folder into another one; after an error in the block they are removed from there."""
    is_new = not target.exists()
    target.mkdir(exist_ok=True)
    moved = []
    try:
        for path in sorted(source.iterdir()):
            os.replace(path, target / path.name)  # a file of this name is in no data list: a killed process left it
            moved.append(target / path.name)
        yield
    except BaseException:
        for path in moved:
            path.unlink(missing_ok=True)
        if is_new:
            target.rmdir()
        raise


@contextmanager
def _put_back(folder: Path) -> Iterator[None]:
    """After an error in the block, write the reports as they were."""
    reports = {path: path.read_bytes() for path in (folder / "report.json", folder / "report.md") if path.is_file()}
    try:
        yield
    except BaseException:
        for path, content in reports.items():
            path.write_bytes(content)
        raise
