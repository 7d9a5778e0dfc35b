"""How fast a network is on this machine: seconds for one window, kept for later calls."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from medkd.runs.files import write_atomically

from .cache import cache_folder
from .machine import cpu_details, cpu_name, thread_count
from .runtimes import runtime_title
from .spec import ModelSpec

__all__ = ["KeptSeconds", "example_window", "measure"]

_ROUNDS = 3
_MOST_SECONDS = 10.0  # no round begins later than this after the first one


def example_window(description: ModelSpec) -> np.ndarray:
    """Return one window ``(1, C, *size)`` as a network takes it."""
    shape = (1, description.channels, *description.size)
    return np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)


def measure(networks: Mapping[str, Callable[[np.ndarray], Any]], window: np.ndarray, threads: int) -> dict[str, float]:
    """Return the seconds that one window takes each network: the least of a few rounds, the networks in turn.

    Args:
        networks: name -> function of a window.
        window: ``(1, C, *size)``.
        threads: of each network. One thread is measured in CPU time, to which other programs on the machine add nothing.
    """
    clock = time.process_time if threads == 1 else time.perf_counter
    for network in networks.values():  # the first call prepares memory and kernels
        network(window)
    rounds: list[dict[str, float]] = []
    begin = clock()
    while not rounds or (len(rounds) < _ROUNDS and clock() - begin < _MOST_SECONDS):
        rounds.append({name: _time(network, window, clock) for name, network in networks.items()})
    return {name: min(one[name] for one in rounds) for name in networks}


def _time(network: Callable[[np.ndarray], Any], window: np.ndarray, clock: Callable[[], float]) -> float:
    begin = clock()
    network(window)
    return clock() - begin


class KeptSeconds:
    """The seconds of one window that an earlier call measured under equal conditions, in a file of the user's caches.

    Args:
        path: file of the network.
        threads: see `OnnxModel`.
        precision: likewise.
        runtimes: names of those that were compared.

    Attributes:
        file: None if this user has no folder for caches.
    """

    def __init__(self, path: str | Path, threads: int | None, precision: str, runtimes: Sequence[str]) -> None:
        self._conditions: dict[str, Any] = {
            "file": hashlib.sha256(Path(path).read_bytes()).hexdigest(),
            "cpu": cpu_details(),
            "threads": thread_count(threads),
            "precision": precision,
            "runtimes": {name: runtime_title(name) for name in runtimes},
        }
        folder, key = cache_folder(), hashlib.sha256(json.dumps(self._conditions).encode()).hexdigest()
        self.file = folder / "runtimes" / f"{key[:32]}.json" if folder else None

    def read(self) -> dict[str, float]:
        """Return runtime -> seconds; empty without a file that was written completely."""
        try:
            content = json.loads(self.file.read_text(encoding="utf-8")) if self.file else None
        except (OSError, ValueError, RecursionError):
            return {}
        seconds = content.get("seconds") if isinstance(content, dict) else None
        if not isinstance(seconds, dict) or seconds.keys() != self._conditions["runtimes"].keys():
            return {}
        return seconds if all(isinstance(value, float) for value in seconds.values()) else {}

    def write(self, seconds: Mapping[str, float]) -> str:
        """Write runtime -> seconds, and return where they are kept, or why they are not."""
        if self.file is None:
            return "not kept: no home folder"
        text = json.dumps({"cpu": cpu_name(), "conditions": self._conditions, "seconds": seconds}, indent=2)
        try:
            write_atomically(self.file, lambda path: path.write_text(text, encoding="utf-8"))
        except OSError as error:
            return f"not kept: {self.file.parent}: {error.strerror or error}"
        return f"kept in {self.file}"
