"""One run in several processes, one for each GPU: which process has which cases, and which one writes and prints.

Everything here does nothing in a run of one process.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import TracebackType
from typing import Any, TypeVar

import torch
from torch import distributed

from medkd.runs.errors import counted, one_line_errors
from medkd.runs.signals import Terminated, raise_on_sigterm

__all__ = [
    "all_gather_object",
    "barrier",
    "gather_in_order",
    "graceful_shutdown",
    "is_main_process",
    "processes",
    "progress_disabled",
    "rank",
    "shard_indices",
    "start",
    "stop",
]

T = TypeVar("T")

# The longest time that a process waits for another, which may run a whole validation meanwhile.
_TIMEOUT = timedelta(minutes=30)
_LOST = re.compile(r"gloo|nccl|connection (closed|reset|refused)|broken pipe|socket", re.IGNORECASE)
_starts = 0  # how many runs of this process began, as the members of a team do
_printed: distributed.Store | None = None  # the error messages that one of the processes has printed


def start(device: str | torch.device) -> None:
    """Join the processes that torchrun started: by NCCL on GPUs, one for each process, by gloo on CPUs.

    From then on the main process alone prints, and an error that all processes meet is printed once.

    Args:
        device: ``cuda`` or ``cpu``.

    Raises:
        ValueError: for a device with a number, or more processes on this machine than it has GPUs.
    """
    global _printed, _starts
    if "WORLD_SIZE" not in os.environ or distributed.is_initialized():
        return
    device = torch.device(device)
    if device.type == "cuda":
        _select_gpu(device, int(os.environ["LOCAL_RANK"]), torch.cuda.device_count())
    backend = "nccl" if device.type == "cuda" else "gloo"
    store, number, count = next(distributed.rendezvous("env://", timeout=_TIMEOUT))
    _starts += 1
    store = distributed.PrefixStore(f"start_{_starts}", store)  # the keys of an earlier group are still there
    _printed = distributed.PrefixStore("medkd", store)
    distributed.init_process_group(backend, store=store, rank=number, world_size=count, timeout=_TIMEOUT)
    sys.excepthook = _print_once
    if is_main_process():
        print(f"{counted(count, 'process')}, {backend}", flush=True)
    else:
        sys.stdout = open(os.devnull, "w")
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)


def _select_gpu(device: torch.device, local_rank: int, count: int) -> None:
    if device.index is not None:
        raise ValueError(f"--device {device}: found a GPU's number, expected cuda: each process takes another GPU")
    if local_rank >= count:
        raise ValueError(
            f"torchrun: found {count} GPUs for {counted(local_rank + 1, 'process')} or more of this machine, "
            f"expected --nproc_per_node={count}"
        )
    torch.cuda.set_device(local_rank)


def stop() -> None:
    """Wait for all processes, then leave the group."""
    if distributed.is_initialized():
        barrier()
        distributed.destroy_process_group()


def processes() -> int:
    """Return the number of processes."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def rank() -> int:
    """Return the number of this process, from 0 on."""
    return distributed.get_rank() if processes() > 1 else 0


def is_main_process() -> bool:
    """Return whether this is the process that prints and writes."""
    return rank() == 0


def progress_disabled() -> bool | None:
    """Return the ``disable`` of tqdm: the main process alone shows a bar, and on a terminal only."""
    return None if is_main_process() else True


def barrier() -> None:
    """Wait for all other processes, to read what the main process wrote, for example."""
    if processes() > 1:
        distributed.barrier()


def shard_indices(total: int) -> range:
    """Return the indices of this process's cases; all indices if there are fewer cases than processes.

    Example:
        >>> shard_indices(3)
        range(0, 3)
    """
    return range(rank(), total, processes()) if total >= processes() else range(total)


def all_gather_object(value: T) -> list[T]:
    """Return the values of all processes, in the order of their numbers.

    Args:
        value: any small object that can be pickled.
    """
    if processes() == 1:
        return [value]
    values: list[Any] = [None] * processes()
    distributed.all_gather_object(values, value)
    return values


def gather_in_order(shard: list[T], total: int) -> list[T]:
    """Return the results of all processes in the order of the cases.

    Args:
        shard: results of this process, for the cases of `shard_indices`.
        total: number of cases.
    """
    if len(shard) == total:
        return shard
    shards = all_gather_object(shard)
    return [shards[index % len(shards)][index // len(shards)] for index in range(total)]


@contextmanager
def graceful_shutdown(hint: Callable[[], str]) -> Iterator[None]:
    """Raise a one-line error on SIGTERM, or if another process ends, within the context.

    Args:
        hint: returns what to do, which is added to the message.

    Raises:
        Terminated: in a run of one process.
        ConnectionError: in a run of several processes, which all end when one ends.
    """
    if processes() == 1:
        try:
            yield
        except Terminated:
            raise Terminated(hint()) from None
        return
    number = rank()

    def lost(symptom: str) -> ConnectionError:
        return ConnectionError(f"a process of this run ended (process {number} sees: {symptom}): {hint()}")

    # torchrun sends SIGTERM to the others when one process ends.
    with raise_on_sigterm(lambda: lost("SIGTERM")):
        try:
            yield
        except RuntimeError as error:
            if not _LOST.search(str(error)):
                raise
            raise lost(str(error).splitlines()[0]) from error


def _print_once(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print an error in one line, in the first process that meets it; a ``sys.excepthook``."""
    message = None if os.environ.get("MEDKD_TRACEBACK") else one_line_errors(error) or _describe_loss(error)
    if isinstance(error, Terminated):  # before or after the training, outside of `graceful_shutdown`
        message = str(error)
    if message is None:
        sys.__excepthook__(kind, error, trace)
    elif _is_new(re.sub(r"\(process .*\)", "", message)):
        print(f"medkd: error: {message}", file=sys.stderr, flush=True)


def _describe_loss(error: BaseException | None) -> str | None:
    """Return the line for a process that was lost after the training, when cases are gathered."""
    while error is not None:
        if isinstance(error, RuntimeError) and _LOST.search(first := str(error).partition("\n")[0]):
            return f"a process of this run ended (process {rank()} sees: {first})"
        error = error.__cause__ or error.__context__
    return None


def _is_new(message: str) -> bool:
    try:
        return _printed is None or _printed.add(message, 1) == 1
    except RuntimeError:  # the store ended with its process
        return True
