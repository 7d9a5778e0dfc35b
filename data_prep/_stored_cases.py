"""Cases whose files are written, in several processes."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ._cases import CaseFiles
from ._each_case import each_case

__all__ = ["StoreCase", "StoredCase", "store_cases"]

DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class StoredCase(NamedTuple):
    """What is known of a case when its files are written.

    Attributes:
        entry: its entry of the data list.
        digest: checksum of its image as it was read, see `image_digest`.
        notes: what its files left open, and how they were read.
        measures: for the report.
    """

    entry: dict[str, Any]
    digest: str
    notes: Sequence[str]
    measures: Any


# receives case, patient, files and the folder to write to
StoreCase = Callable[[str, str, CaseFiles, Path], StoredCase]


def store_cases(
    store: StoreCase,
    folder: Path,
    files: Mapping[str, CaseFiles],
    patients: Mapping[str, str],
    workers: int | None,
    title: str,
) -> dict[str, Any]:
    """Store cases in several processes, see `each_case`.

    Args:
        store: see `StoreCase`.
        folder: to write to.
        files: of each case.
        patients: of each case.
        workers: see `each_case`.
        title: of the progress bar.

    Returns:
        Case -> its `StoredCase`, or the error for which it cannot be stored.

    Raises:
        OSError: when the disk that is written to is full or fails: no case is to blame, so none is left out.
    """
    function = partial(_store_case, store, folder, patients)
    return each_case(function, files, workers, title, partial(_is_of_disk, folder))


def _store_case(
    store: StoreCase,
    folder: Path,
    patients: Mapping[str, str],
    case: str,
    files: CaseFiles,
) -> StoredCase:
    return store(case, patients[case], files, folder)


def _is_of_disk(folder: Path, error: OSError) -> bool:
    """Return whether an error is of the disk that is written to, not of a case."""
    return error.errno in DISK_FULL or str(folder) in str(error)
