"""One process at a time writes into a folder; what a killed one left half-written there is removed by the next."""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path

__all__ = ["claim", "is_claimed", "release", "remove_leftovers"]

_claimed: dict[tuple[int, int], int] = {}  # device and inode of a folder -> its open descriptor


def claim(folder: str | Path) -> int | None:
    """Keeps a folder, made where it is missing, for this process until `release` or its end.

    What a killed process left half-written in it is removed. The lock is the system's, upon the folder itself: there is no
    file that a killed process could leave behind. A file system without locks is no reason to refuse a run.

    Returns:
        The open descriptor that holds the lock, for a child process that is to hold it too; None on such a file system.

    Raises:
        FileExistsError: while another process has it.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    place = _place(descriptor)
    if place in _claimed:
        os.close(descriptor)
        return _claimed[place]
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise FileExistsError(f"output_dir {folder}: another run is writing into it: choose another folder") from None
    except OSError:
        os.close(descriptor)
        return None
    _claimed[place] = descriptor
    for pattern in (".partial-[0-9]*-*", "*/.partial-[0-9]*-*"):  # a folder in this one may be another command's
        for left in Path(folder).glob(pattern):
            if not _runs(left):
                _remove(left)
    return descriptor


def is_claimed(folder: str | Path) -> bool:
    """Whether another process writes into a folder; False where it cannot be known."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


def release() -> None:
    """Gives back all that was claimed. In a forked child only what it inherited: the lock stays its parent's."""
    while _claimed:
        os.close(_claimed.popitem()[1])


# a data loader's worker outlives its killed trainer by seconds, and must not hold the folder against the resumed run
os.register_at_fork(after_in_child=release)


def remove_leftovers(folder: Path, pattern: str) -> None:
    """Removes the folders of that name that no process holds: each is locked (`claim`) by the one that fills it."""
    for left in folder.glob(pattern):
        try:
            descriptor = os.open(left, os.O_RDONLY)
        except OSError:
            continue  # gone meanwhile, or another user's
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left, ignore_errors=True)
        except OSError:
            pass  # somebody's, or it cannot be known
        finally:
            os.close(descriptor)


def _remove(left: Path) -> None:
    if left.is_dir():
        shutil.rmtree(left, ignore_errors=True)
    else:
        left.unlink(missing_ok=True)


def _runs(left: Path) -> bool:
    """Whether the process whose number is in the name of what is half-written is another one that still runs here."""
    number = left.name.split("-")[1]
    if not number.isdecimal():
        return True  # another tool's
    if int(number) == os.getpid():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        pass  # another user's
    return True


def _place(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino
