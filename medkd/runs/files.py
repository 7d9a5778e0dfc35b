"""Files that are either whole or not there: written beside their place, then moved."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["save_atomically", "write_atomically"]


def write_atomically(path: str | Path, write: Callable[[Path], Any]) -> None:
    """Calls ``write`` with a temporary path in the same folder and moves the result to ``path``.

    Folders that had to be made for it are removed again when it fails.
    """
    path = Path(path)
    made = [folder for folder in path.parents if not folder.exists()]  # the innermost first
    path.parent.mkdir(parents=True, exist_ok=True)
    # the name's end decides the format for many writers, so it stays
    temporary = path.with_name(f".partial-{os.getpid()}-{path.name}")
    try:
        write(temporary)
        os.replace(temporary, path)
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from None  # a full disk is told without the file
    finally:
        temporary.unlink(missing_ok=True)
        if not path.exists():
            _remove_empty(made)


def save_atomically(state: Any, path: str | Path) -> None:
    """`torch.save`, whole or not at all.

    Raises:
        OSError: when it cannot be written.
    """
    import torch

    try:
        write_atomically(path, lambda temporary: torch.save(state, temporary))
    except RuntimeError as error:  # all that PyTorch says of a full disk
        reason = str(error).splitlines()[0][:120]
        raise OSError(f"{path}: cannot be written, is the disk full? ({reason})") from error


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:  # somebody put something there meanwhile
            return
