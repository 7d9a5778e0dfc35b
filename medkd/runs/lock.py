"""A lock upon a folder: one process at a time writes there, and half-written files of dead processes are removed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import TracebackType

__all__ = ["FolderLock", "clean_partial", "release_locks"]

# POSIX systems lock the folder itself, so no file stays behind and a folder that cannot be written is locked too.
# Windows cannot open a folder: there a file in the folder is locked.
LOCKS_FOLDER = os.name != "nt"
LOCK_FILE = ".medkd.lock"
# Half-written files are named .partial-PID-NAME, see `write_atomically`. A sub-folder may be another command's.
_PARTIAL_FILES = (".partial-[0-9]*-*", "*/.partial-[0-9]*-*")

_descriptors: dict[Path, int] = {}  # resolved path of a locked folder -> open descriptor that holds the lock


class FolderLock:
    """Keep a folder for this process, until `release` or the end of the process.

    The operating system holds the lock, so a killed process cannot leave one behind. All locks of a process upon the same
    folder are one: a second `acquire` does nothing, and the first `release` ends it.

    A file system without locks is no reason to refuse a run: `acquire` does nothing there.

    Args:
        folder: `acquire` creates it if it is missing.
        wait: whether `acquire` waits for another process to release the folder, instead of raising an error.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder, FolderLock(folder) as lock:
        ...     len(lock.descriptors)
        1
    """

    def __init__(self, folder: str | Path, wait: bool = False) -> None:
        self.folder = Path(folder)
        self.wait = wait
        self._acquired = False

    def __enter__(self) -> FolderLock:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._acquired:  # not what this process held before
            self.release()

    def acquire(self) -> None:
        """Lock the folder, and remove the half-written files that dead processes left in it.

        Raises:
            FileExistsError: while another process has it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._path in _descriptors:
            return
        try:
            descriptor = _lock(self.folder, self.wait)
        except BlockingIOError:
            raise FileExistsError(
                f"--output_dir {self.folder}: another run is writing into it: choose another folder"
            ) from None
        except OSError:  # a file system without locks
            return
        _descriptors[self._path] = descriptor
        self._acquired = True
        for pattern in _PARTIAL_FILES:
            for file in self.folder.glob(pattern):
                if not _is_written(file):
                    _remove(file)

    def release(self) -> None:
        """Unlock the folder. In a forked child this only closes what the child inherited: the parent keeps the lock."""
        _release(self._path)

    def move(self, target: Path) -> None:
        """Rename the folder and unlock it. No other process can take it for a dead one's in between.

        Args:
            target: the new path, which must not exist.
        """
        if not LOCKS_FOLDER:  # Windows renames no folder with an open file in it
            self.release()
        path = self._path
        os.replace(self.folder, target)
        _release(path)

    @property
    def descriptors(self) -> tuple[int, ...]:
        """The open descriptor that holds the lock, for ``pass_fds`` of a child process that is to hold it too.

        Empty without a lock, and on Windows, where no child can inherit one.
        """
        return (_descriptors[self._path],) if LOCKS_FOLDER and self._path in _descriptors else ()

    def is_locked(self) -> bool:
        """Return whether another process has the folder; False if that cannot be found out."""
        if self._path in _descriptors or not (self.folder if LOCKS_FOLDER else self.folder / LOCK_FILE).exists():
            return False
        try:
            os.close(_lock(self.folder))
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False

    @property
    def _path(self) -> Path:
        return self.folder.resolve()


def release_locks() -> None:
    """Release all locks of this process, at the end of a command."""
    while _descriptors:
        _release(next(iter(_descriptors)))


def clean_partial(folder: Path, pattern: str) -> None:
    """Remove the sub-folders that a dead process was filling: those that no process has locked.

    Args:
        folder: where to look.
        pattern: names of the sub-folders. Whoever fills such a folder holds its `FolderLock`.
    """
    for partial in folder.glob(pattern):
        try:
            descriptor = _lock(partial)
        except OSError:  # another process has it, or it is gone, or that cannot be found out
            continue
        os.close(descriptor)
        shutil.rmtree(partial, ignore_errors=True)


def _lock(folder: Path, wait: bool = False) -> int:
    """Return the open descriptor that holds the lock.

    Raises:
        BlockingIOError: while another process has it.
        OSError: if the file system has no locks, or the folder cannot be opened.
    """
    from filelock import lock_descriptor  # most commands of this package lock nothing

    if LOCKS_FOLDER:
        descriptor = os.open(folder, os.O_RDONLY)
    else:
        descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT)
    try:
        if not lock_descriptor(descriptor, blocking=wait):
            raise BlockingIOError(f"{folder}: locked by another process")
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _release(path: Path) -> None:
    # Closing is enough: unlocking would take the lock from a process that inherited the descriptor.
    descriptor = _descriptors.pop(path, None)
    if descriptor is None:
        return
    os.close(descriptor)
    if not LOCKS_FOLDER:
        try:
            (path / LOCK_FILE).unlink(missing_ok=True)
        except OSError:  # another process has locked it meanwhile
            pass


def _close_inherited() -> None:
    while _descriptors:
        os.close(_descriptors.popitem()[1])


# A data loader's worker outlives its killed trainer by seconds. It must not hold the folder against the resumed run.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_inherited)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _is_written(file: Path) -> bool:
    """Return whether another living process is writing a half-written file, which has the process's number in its name."""
    number = file.name.split("-")[1]
    if not number.isdecimal() or os.name == "nt":  # another tool's; on Windows os.kill would end the process
        return True
    if int(number) == os.getpid():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # another user's process
        pass
    return True
