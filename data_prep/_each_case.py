"""One function for each case of a source, on several processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import Any, TypeVar

from tqdm import tqdm

from medkd.runs.errors import UsageError

__all__ = ["check_workers", "each_case"]

CASES_OF_A_PROCESS = 8  # fewer take less time than starting another process

Result = TypeVar("Result")
Files = TypeVar("Files")


def _never(error: OSError) -> bool:
    return False


def each_case(
    function: Callable[[str, Files], Result],
    files: Mapping[str, Files],
    workers: int | None,
    title: str,
    stops: Callable[[OSError], bool] = _never,
) -> dict[str, Result | ValueError | OSError]:
    """Return the function's result of each case, or its ValueError or OSError; show a progress bar.

    A process holds one case at a time, so the memory does not grow with their number.

    Args:
        function: receives a case and its files. It and its result are sent to other processes, so both must be picklable.
        files: case -> its files, or what else the function receives.
        workers: number of processes. None: the cores that are free to use, and at most one for every 8 cases.
        title: title of the progress bar.
        stops: whether an error is raised in place of being returned, such as that of a full disk.

    Raises:
        OSError: the first that ``stops``.
        MemoryError: when the system has ended a process, as it does when memory is full.
    """
    if workers is None:
        workers = min(_cores(), len(files) // CASES_OF_A_PROCESS)
    attempt = partial(_attempt, function, stops)
    show = partial(tqdm, desc=title, total=len(files), unit="case", disable=None)
    if workers <= 1:
        return dict(zip(files, show(map(attempt, files.items())), strict=True))
    # Each process receives the function once: it may hold tables of all cases.
    with ProcessPoolExecutor(workers, initializer=_start_process, initargs=(attempt,)) as pool:
        try:
            return dict(zip(files, show(pool.map(_attempt_here, files.items())), strict=True))
        except BrokenProcessPool as error:
            raise MemoryError(f"--workers {workers}: a process was ended, is the memory full? Use fewer") from error
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def check_workers(workers: int | None) -> None:
    """Raise ValueError when ``workers`` is neither None nor a number of processes."""
    if workers is not None and (isinstance(workers, bool) or not isinstance(workers, int) or workers < 1):
        raise UsageError(f"--workers: found {workers!r}, expected the number of processes, at least 1")


def _attempt(
    function: Callable[[str, Files], Result], stops: Callable[[OSError], bool], case: tuple[str, Files]
) -> Result | ValueError | OSError:
    try:
        return function(*case)
    # Errors of other classes than these two may not survive the way from another process.
    except OSError as error:
        plain = OSError(*error.args[:2], error.filename) if len(error.args) > 1 else OSError(str(error))
        if stops(plain):
            raise plain from error
        return plain
    except ValueError as error:
        return ValueError(str(error))


class _Process:
    """What a process was started for."""

    attempt: Callable[[tuple[str, Any]], Any]


def _attempt_here(case: tuple[str, Any]) -> Any:
    return _Process.attempt(case)


def _start_process(attempt: Callable[[tuple[str, Any]], Any]) -> None:
    """Keep the function, and leave signals and the end to the parent process."""
    _Process.attempt = attempt
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # killed: nobody waits for the results


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
