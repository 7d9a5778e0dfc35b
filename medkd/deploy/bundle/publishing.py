"""Put a packed folder and its zip in their places: both, or neither after the next attempt."""

from __future__ import annotations

import hashlib
import os
import zipfile
from pathlib import Path

from medkd.runs.lock import FolderLock, clean_partial

__all__ = ["clean_interrupted", "partial_prefix", "publish"]

# The smallest date that a zip can hold: equal contents give equal bytes.
_DATE = (1980, 1, 1, 0, 0, 0)
_CHECKSUM = "zip.sha256"  # of the zip that is about to be moved to its place


def partial_prefix(folder: Path) -> str:
    """Return how the names of the folders begin in which a bundle is written before it is published."""
    return f".{folder.name}.partial-"


def publish(temporary: Path, folder: Path, archive: Path) -> None:
    """Zip ``temporary/<name of folder>``, and move the zip and then the folder to their places.

    A process that is killed in between leaves the zip and ``temporary``, with the checksum of the zip in it. By these,
    `clean_interrupted` knows the zip.
    """
    written = temporary / folder.name
    _write_zip(written, temporary / "bundle.zip")
    (temporary / _CHECKSUM).write_text(_checksum(temporary / "bundle.zip"), encoding="utf-8")
    os.replace(temporary / "bundle.zip", archive)
    try:
        os.rename(written, folder)
    except BaseException:
        archive.unlink()
        raise


def clean_interrupted(folder: Path, archive: Path) -> None:
    """Remove what killed processes left while they packed: their folders, and a zip that has no folder yet."""
    pattern = f"{partial_prefix(folder)}*"
    for temporary in folder.parent.glob(pattern):
        checksum = temporary / _CHECKSUM
        is_dead = checksum.is_file() and not FolderLock(temporary).is_locked()
        if is_dead and (temporary / folder.name).is_dir() and archive.is_file():
            if checksum.read_text(encoding="utf-8") == _checksum(archive):
                archive.unlink()
    clean_partial(folder.parent, pattern)


def _write_zip(folder: Path, path: Path) -> None:
    """Write a zip whose paths begin with the name of the folder."""
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                entry = zipfile.ZipInfo(file.relative_to(folder.parent).as_posix(), _DATE)
                entry.external_attr = 0o644 << 16
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, file.read_bytes())


def _checksum(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
