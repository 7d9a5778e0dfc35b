"""One function for each case of a source, on several processes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import torch
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from ._cases import CaseFiles

__all__ = ["check_workers", "each_case"]

CASES_OF_A_PROCESS = 8  # fewer take less time than starting another process

Result = TypeVar("Result")


def each_case(
    function: Callable[[str, CaseFiles], Result],
    files: Mapping[str, CaseFiles],
    workers: int | None,
    title: str,
) -> Iterator[tuple[str, Result | ValueError | OSError]]:
    """Yield each case, in order, with the function's result, or with its ValueError or OSError; a progress bar shows the rest.

    A process holds one case at a time, so the memory does not grow with their number.

    Args:
        function: receives a case and its files. It and its result are sent to other processes, so both must be picklable.
        files: case -> its files.
        workers: number of processes. None: the cores that are free to use, and at most one for every 8 cases.
        title: title of the progress bar.
    """
    if workers is None:
        workers = min(_cores(), len(files) // CASES_OF_A_PROCESS)
    loader = DataLoader(
        _Cases(function, files),
        batch_size=None,
        collate_fn=_as_it_is,
        num_workers=workers if workers > 1 else 0,
        generator=torch.Generator(),  # the global one stays as it is
    )
    yield from zip(files, tqdm(loader, desc=title, total=len(files), unit="case", disable=None), strict=True)


def check_workers(workers: int | None) -> None:
    """Raise ValueError when ``workers`` is neither None nor a number of processes."""
    if workers is not None and (isinstance(workers, bool) or not isinstance(workers, int) or workers < 1):
        raise ValueError(f"--workers {workers!r}: expected the number of processes, at least 1")


class _Cases(Dataset):
    """The results of a function on the cases of a source."""

    def __init__(self, function: Callable[[str, CaseFiles], Any], files: Mapping[str, CaseFiles]) -> None:
        self.function = function
        self.cases = list(files.items())

    def __len__(self) -> int:
        return len(self.cases)

    def __getitem__(self, index: int) -> Any:
        try:
            return self.function(*self.cases[index])
        # Errors of other classes than these two may not survive the way to another process.
        except OSError as error:
            return OSError(*error.args[:2], error.filename) if len(error.args) > 1 else OSError(str(error))
        except ValueError as error:
            return ValueError(str(error))


def _as_it_is(result: Result) -> Result:
    return result


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
