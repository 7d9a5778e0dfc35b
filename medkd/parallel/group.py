"""One run in several processes, one a GPU: who has which share, who writes, and what is said when one of them ends.

Everything here does nothing in a run of one process.
"""

from __future__ import annotations

import logging
import os
import re
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
from torch import distributed

from medkd.runs.errors import one_line_errors
from medkd.runs.signals import Terminated

__all__ = [
    "barrier",
    "all_gather_object",
    "graceful_shutdown",
    "is_main_process",
    "gather_in_order",
    "progress_disabled",
    "processes",
    "rank",
    "shard_indices",
    "start",
    "stop",
]

# How long a process waits for another: a whole validation by one of them, say.
_TIMEOUT = timedelta(minutes=30)
_LOST = re.compile(r"gloo|nccl|connection (closed|reset|refused)|broken pipe|socket", re.IGNORECASE)
_said: distributed.Store | None = None  # the errors that one of the processes has printed


def start(device: str | torch.device) -> None:
    """Joins the processes that torchrun started: NCCL for GPUs, each process with its own, gloo for CPUs.

    From here on the first process alone prints, and an error that all of them meet is printed once.

    Raises:
        ValueError: for a device with a number, or more processes on this machine than it has GPUs.
    """
    global _said
    if "WORLD_SIZE" not in os.environ or distributed.is_initialized():
        return
    device = torch.device(device)
    if device.type == "cuda":
        _take_gpu(device, int(os.environ["LOCAL_RANK"]), torch.cuda.device_count())
    backend = "nccl" if device.type == "cuda" else "gloo"
    store, own, count = next(distributed.rendezvous("env://", timeout=_TIMEOUT))
    _said = distributed.PrefixStore("medkd", store)
    distributed.init_process_group(backend, store=store, rank=own, world_size=count, timeout=_TIMEOUT)
    sys.excepthook = _print_once
    if is_main_process():
        print(f"{count} processes, {backend}", flush=True)
    else:
        sys.stdout = open(os.devnull, "w")
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)


def _take_gpu(device: torch.device, local: int, count: int) -> None:
    if device.index is not None:
        raise ValueError(f"--device {device}: each process takes a GPU of its own: write --device cuda")
    if local >= count:
        raise ValueError(f"process {local} of this machine finds {count} GPUs: give torchrun --nproc_per_node={count}")
    torch.cuda.set_device(local)


def stop() -> None:
    """Leaves the group, when all have come to the end."""
    if distributed.is_initialized():
        barrier()
        distributed.destroy_process_group()


def processes() -> int:
    """How many there are."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def rank() -> int:
    """This process's number."""
    return distributed.get_rank() if processes() > 1 else 0


def is_main_process() -> bool:
    """Whether this is the process that prints and writes."""
    return rank() == 0


def progress_disabled() -> bool | None:
    """For tqdm's ``disable``: a bar on a terminal, of the first process alone."""
    return None if is_main_process() else True


def barrier() -> None:
    """Waits for all others: what the first one wrote can be read then."""
    if processes() > 1:
        distributed.barrier()


def shard_indices(total: int) -> range:
    """Indices of this process among ``total`` cases; all of them where there are fewer cases than processes."""
    return range(rank(), total, processes()) if total >= processes() else range(total)


def all_gather_object(value: Any) -> list[Any]:
    """The values of all processes, in the order of their numbers. Any small object."""
    if processes() == 1:
        return [value]
    values: list[Any] = [None] * processes()
    distributed.all_gather_object(values, value)
    return values


def gather_in_order(own: list, total: int) -> list:
    """What all processes found for their `share` of ``total`` cases, in the order of the cases."""
    if len(own) == total:
        return own
    parts = all_gather_object(own)
    return [parts[index % len(parts)][index // len(parts)] for index in range(total)]


@contextmanager
def graceful_shutdown(advice: Callable[[], str]) -> Iterator[None]:
    """Within it SIGTERM, or the end of another process, becomes an error in one line, with an advice at its end.

    Raises:
        Terminated: in a run of one process.
        ConnectionError: in one of several, all of which end when one does.
    """
    if processes() == 1:
        try:
            yield
        except Terminated:
            raise Terminated(advice()) from None
        return
    owner, own = os.getpid(), rank()

    def lost(sign: str) -> ConnectionError:
        return ConnectionError(f"a process of this run ended (process {own} sees: {sign}): {advice()}")

    def stopped(number: int, frame: Any) -> None:
        if os.getpid() == owner:
            raise lost("SIGTERM")  # torchrun ends the others so
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a worker of a data loader, which inherited this
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, stopped)
    try:
        yield
    except RuntimeError as error:
        if not _LOST.search(str(error)):
            raise
        raise lost(str(error).splitlines()[0]) from error
    finally:
        signal.signal(signal.SIGTERM, before)


def _print_once(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    """A ``sys.excepthook``: the first process that meets an error prints its line."""
    message = None if os.environ.get("MEDKD_TRACEBACK") else one_line_errors(error) or _loss_in(error)
    if isinstance(error, Terminated):  # before or after the training, where nothing is graceful_shutdown
        message = str(error)
    if message is None:
        sys.__excepthook__(kind, error, trace)
    elif _is_new(re.sub(r"\(process .*\)", "", message)):
        print(f"medkd: error: {message}", file=sys.stderr, flush=True)


def _loss_in(error: BaseException | None) -> str | None:
    """The line for a process that was lost after the training, when cases are gathered."""
    while error is not None:
        if isinstance(error, RuntimeError) and _LOST.search(first := str(error).partition("\n")[0]):
            return f"a process of this run ended (process {rank()} sees: {first})"
        error = error.__cause__ or error.__context__
    return None


def _is_new(message: str) -> bool:
    try:
        return _said is None or _said.add(message, 1) == 1
    except RuntimeError:  # the store ended with its process
        return True
