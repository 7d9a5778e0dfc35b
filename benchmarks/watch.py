"""Time and memory of one inference in this process: the network, the parts around it, the largest resident set.

It needs Python alone, so that the peers of `inference.py` use it in environments of their own. Linux only.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PARTS = ("reading", "resampling", "writing")


class Watch:
    """Wrappers that measure the loop over all files, the network in it, and the parts around the network."""

    def __init__(self) -> None:
        self.network = 0.0
        self.parts = dict.fromkeys(PARTS, 0.0)
        self.measured: dict[str, Any] = {}

    def run(self, infer: Callable[..., Any]) -> Callable[..., Any]:
        """Return the loop with measurements. Its clock starts when libraries and model are loaded, before a file is read."""

        def watched(*args: Any, **kwargs: Any) -> None:
            self.measured["startup"] = time.process_time()
            Path("/proc/self/clear_refs").write_text("5")  # reset the largest resident set
            before, start, cpu = _resident("VmRSS"), time.perf_counter(), time.process_time()
            infer(*args, **kwargs)
            self.measured["seconds"] = time.perf_counter() - start
            self.measured["cpu"] = time.process_time() - cpu
            largest = _resident("VmHWM")
            self.measured |= {"above": largest - before, "largest": largest}

        return watched

    def call(self, forward: Callable[..., Any]) -> Callable[..., Any]:
        """Return a network's forward, whose elapsed time is that of the network."""

        def watched(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            result = forward(*args, **kwargs)
            self.network += time.perf_counter() - start
            return result

        return watched

    def part(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function whose CPU time, of the thread that calls it, is that of a part."""

        def watched(*args: Any, **kwargs: Any) -> Any:
            start = time.thread_time()
            try:
                return function(*args, **kwargs)
            finally:
                self.parts[name] += time.thread_time() - start

        return watched

    def write(self, report: str | Path, **more: Any) -> None:
        """Write all that was measured as JSON."""
        content = {**self.measured, "network": self.network, "parts": self.parts, **more}
        Path(report).write_text(json.dumps(content))


def _resident(name: str) -> int:
    lines = Path(f"/proc/{os.getpid()}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) * 1024
