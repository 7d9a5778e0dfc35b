"""Files that are complete or absent: they are written beside their place, then moved."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["check_no_link_loop", "naming", "save_atomically", "write_atomically"]


def check_no_link_loop(option: str, path: str | Path) -> None:
    """Check that no symbolic link on a path leads to itself.

    Args:
        option: that names the path, for the message.
        path: need not exist.

    Raises:
        ValueError: for such a link.
    """
    try:
        os.stat(path)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ValueError(
                f"--{option} {path}: found a symbolic link that leads to itself, expected a folder"
            ) from None


@contextmanager
def naming(path: str | Path) -> Iterator[None]:
    """Name a file or folder in errors of its file system that name none, such as that of a full disk."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from None


def write_atomically(path: str | Path, write: Callable[[Path], Any]) -> None:
    """Write a file completely or not at all.

    Missing folders are created, and removed again if the write fails.

    Args:
        path: the file.
        write: called with a temporary path in the same folder, which is then moved to ``path``.

    Raises:
        OSError: if it cannot be written.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     write_atomically(f"{folder}/new/a.txt", lambda path: path.write_text("text"))
        ...     Path(folder, "new/a.txt").read_text()
        'text'
    """
    path = Path(path)
    created = [folder for folder in path.parents if not folder.exists()]  # the innermost first
    path.parent.mkdir(parents=True, exist_ok=True)
    # The end of the name decides the format for many writers, so it stays. `FolderLock` removes what a kill leaves.
    temporary = path.with_name(f".partial-{os.getpid()}-{path.name}")
    try:
        with naming(path):
            write(temporary)
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
        if not path.exists():
            _remove_empty(created)


def save_atomically(state: Any, path: str | Path) -> None:
    """Save an object by `torch.save`, completely or not at all.

    Args:
        state: tensors, numbers, texts, and containers of them.
        path: the file.

    Raises:
        OSError: if it cannot be written.
    """
    import torch

    def write(temporary: Path) -> None:
        # PyTorch stores the name of a file, which has the number of this process, but not that of an open file
        with temporary.open("wb") as file:
            torch.save(state, file)

    try:
        write_atomically(path, write)
    except RuntimeError as error:  # PyTorch's error of a full disk
        reason = str(error).splitlines()[0][:120]
        raise OSError(f"{path}: cannot be written, is the disk full? ({reason})") from error


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:  # another process has put something there
            return
