"""Work beside the network: while one thread predicts, others read the next case, resample, and write the case before.

The results are those of the same calls in turn, in the same order. numpy, zlib and the networks' runtimes release Python's
lock, so the threads run at the same time. This module needs Python alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Semaphore
from types import TracebackType
from typing import Any, TypeVar

from medkd.io.notes import hold_notes, print_note

__all__ = ["OneBeside", "consume_beside", "read_ahead"]

Item = TypeVar("Item")
Result = TypeVar("Result")

_END: Any = object()


def consume_beside(items: Iterable[Item], consume: Callable[[Iterator[Item]], Result], waiting: int = 1) -> Result:
    """Iterate over items in this thread, and consume them in another one.

    Args:
        items: produced in this thread.
        consume: called in the other thread with an iterator of the items.
        waiting: how many items may be unconsumed before the next one has to wait: more need more memory.

    Returns:
        The result of ``consume``.

    Example:
        >>> consume_beside(range(4), sum)
        6
    """
    handed: SimpleQueue[Item] = SimpleQueue()
    free = Semaphore(waiting)

    def received() -> Iterator[Item]:
        while (item := handed.get()) is not _END:
            yield item
            del item  # its memory is free while this waits for the next one
            free.release()

    with ThreadPoolExecutor(1) as pool:
        outcome = pool.submit(consume, received())
        outcome.add_done_callback(lambda _: free.release())  # who has failed takes no more
        try:
            for item in items:
                free.acquire()
                if outcome.done():
                    break
                handed.put(item)
                del item
        finally:
            handed.put(_END)  # also after Ctrl-C: a thread that waits for ever would hold up the end of the process
        return outcome.result()


@contextmanager
def read_ahead(
    read: Callable[[Item], Result], items: Iterable[Item]
) -> Iterator[Iterator[tuple[Item, Callable[[], Result]]]]:
    """Read the next item in another thread while the caller works on the one before.

    Args:
        read: called with each item, in order. Its notes (`medkd.io.notes`) are held back.
        items: what is read.

    Yields:
        An iterator over each item and a function to call once: it waits, prints the notes of reading, and returns what was
        read or raises the error of reading. Nothing else holds what was read.

    Example:
        >>> with read_ahead(str.upper, ["a", "b"]) as reading:
        ...     [(item, take()) for item, take in reading]
        [('a', 'A'), ('b', 'B')]
    """
    pool = ThreadPoolExecutor(1)

    def reading() -> Iterator[tuple[Item, Callable[[], Result]]]:
        waiting: deque[tuple[Item, Callable[[], Result]]] = deque()
        for item in items:
            waiting.append((item, _taker(pool.submit(_read_quietly, read, item))))
            if len(waiting) > 1:
                yield waiting.popleft()
        while waiting:
            yield waiting.popleft()

    try:
        yield reading()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class OneBeside:
    """Run one call at a time in another thread; an error is raised by the next `start`, `wait` or the end of the context.

    When the context ends by an error, the call that runs is finished first: what is half written would be lost.

    Example:
        >>> with OneBeside() as beside:
        ...     beside.start(print, "written")
        written
    """

    def __enter__(self) -> OneBeside:
        self._pool = ThreadPoolExecutor(1)
        self._running: Future[Any] | None = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True)
        if kind is None:
            self.wait()

    def start(self, call: Callable[..., Any], *args: Any) -> None:
        """Wait for the call before, then begin this one."""
        self.wait()
        self._running = self._pool.submit(call, *args)

    def wait(self) -> None:
        """Wait for the call that runs, if there is one, and raise its error."""
        running, self._running = self._running, None
        if running is not None:
            running.result()


def _read_quietly(read: Callable[[Item], Result], item: Item) -> tuple[list[str], Result | None, BaseException | None]:
    """Return the notes of reading, and the result or the error."""
    with hold_notes() as notes:
        try:
            return notes, read(item), None
        except BaseException as error:
            return notes, None, error


def _taker(future: Future[tuple[list[str], Any, BaseException | None]]) -> Callable[[], Any]:
    futures = [future]  # emptied by the call, so that this function does not keep a scan in memory

    def take() -> Any:
        notes, result, error = futures.pop().result()
        for note in notes:
            print_note(note)
        if error is not None:
            raise error
        return result

    return take
