"""A child process that never outlives this one, however this one ends.

A watcher, which is this file run as a script, reads from a pipe whose other end this process alone holds. The operating
system closes that end with the process, after a SIGKILL too. The watcher then ends the child's process group.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

__all__ = ["supervised"]

# Signals to the group, and for how many seconds the watcher waits for its end. Python ends in order after the first one.
_SIGNALS = ((signal.SIGINT, 60.0), (signal.SIGKILL, 10.0))
_POLL = 0.05  # seconds


@contextmanager
def supervised(command: Sequence[str], pass_fds: Sequence[int] = ()) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command in its own session, and end it and its descendants at the end of the context or of this process.

    At the end of the context all processes of the group have ended.

    Args:
        command: program and arguments.
        pass_fds: file descriptors that the command inherits.

    Example:
        >>> with supervised([sys.executable, "-c", "import time; time.sleep(100)"]) as process:
        ...     pass
        >>> process.poll() is None
        False
    """
    watcher = subprocess.Popen(
        [sys.executable, "-I", __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert watcher.stdin is not None
    process = None
    # a background process of a script ignores Ctrl-C, and its children would inherit that
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        # in a new session: Ctrl-C of the terminal reaches this process alone
        process = subprocess.Popen(command, start_new_session=True, pass_fds=pass_fds)
        signal.signal(signal.SIGINT, before)
        watcher.stdin.write(f"{process.pid}\n".encode())
        watcher.stdin.flush()
        yield process
    finally:
        signal.signal(signal.SIGINT, before)
        watcher.stdin.close()
        while watcher.poll() is None:
            if process is not None:
                process.poll()  # a dead process that nobody has waited for still belongs to its group
            time.sleep(_POLL)


def _watch() -> None:
    """Read the number of the group, wait for the end of the pipe, then end the group."""
    line = sys.stdin.readline()
    sys.stdin.read()
    if not line.strip():
        return  # the command never started
    for number, seconds in _SIGNALS:
        limit = time.monotonic() + seconds
        try:
            os.killpg(int(line), number)
            while time.monotonic() < limit:
                os.killpg(int(line), 0)
                time.sleep(_POLL)
        except ProcessLookupError:
            return


if __name__ == "__main__":
    _watch()
