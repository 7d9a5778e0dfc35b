"""One reader, fed with mutated files in a process of its own."""

from __future__ import annotations

import hashlib
import os
import random
import resource
import signal
import sys
import time
import traceback
import warnings
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import Any

from medkd.runs.errors import one_line_errors

from .mutations import CANARY, mutate
from .readers import Reader, seed_files

__all__ = ["CURRENT", "Fuzzer", "digest", "work"]

CURRENT = "current"  # the input that is being read, for the parent process to keep when this one dies
_CPU_SECONDS = 10  # of one input
_MEMORY = 3 * 2**30  # bytes beyond what the process has after the valid files
_GROWTH = 2**20  # KiB that one input may add to the largest size of the process
_ROOT = str(Path(__file__).parents[2])
_EVENTS = ("os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "socket.connect", "webbrowser.open")


class _Hang(BaseException):
    """One input took too long."""


class Fuzzer:
    """The state of a worker: the folder, the corpus, and the lines of medkd that any input reached."""

    def __init__(self, reader: Reader, folder: Path, seed: int) -> None:
        self.reader, self.folder, self.draw = reader, folder, random.Random(seed)
        self.files, self.corpus = seed_files(reader)
        self.lines: set[tuple[str, int]] = set()
        self.events: list[str] = []
        for name, content in self.files.items():
            path = folder / "files" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def read(self, content: bytes) -> tuple[str, str] | None:
        """Read one input; return the signature and the description of a finding, or None."""
        (self.folder / CURRENT).write_bytes(content)
        (self.folder / "files" / self.reader.target).write_bytes(content)
        before, known = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, len(self.lines)
        finding = self._call()
        growth = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        if growth > _GROWTH:
            finding = finding or ("memory", f"the process grew by {growth >> 10} MiB")
        if self.events:
            finding = ("execution", self.events.pop())
        if (self.folder / CANARY).exists():
            (self.folder / CANARY).unlink()
            finding = ("execution", "the content of the file was executed")
        if len(self.lines) > known and len(content) < 10**6:
            self.corpus.append(content)
        return finding

    def _call(self) -> tuple[str, str] | None:
        traced = sys.gettrace()
        signal.signal(signal.SIGPROF, _hang)
        signal.setitimer(signal.ITIMER_PROF, _CPU_SECONDS)
        sys.settrace(self._trace)
        try:
            self.reader.read(self.folder / "files")
        except _Hang as error:
            return _describe(error)
        except MemoryError as error:
            return _describe(error)
        except Exception as error:
            if (message := one_line_errors(error)) is None:
                return _describe(error)
            if "\n" in message:
                return f"lines {message[:40]}", message
        except BaseException as error:
            return _describe(error)
        finally:
            sys.settrace(traced)
            signal.setitimer(signal.ITIMER_PROF, 0)
        return None

    def _trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        if not frame.f_code.co_filename.startswith(_ROOT) or "/benchmarks/" in frame.f_code.co_filename:
            return None
        self.lines.add((frame.f_code.co_filename, frame.f_lineno))
        return self._trace

    def next(self) -> bytes:
        """Return a mutated copy of a valid file, or of an input that reached new lines."""
        start = self.draw.choice(self.corpus[-50:] if self.draw.random() < 0.5 else self.corpus)
        return mutate(start, self.reader.kind, self.draw, self.draw.choice(self.corpus))

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Note events that no reader has a reason for."""
        if event in _EVENTS:
            self.events.append(f"{event} {arguments}"[:200])
        elif event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
            path = os.path.abspath(os.fspath(arguments[0])) if isinstance(arguments[0], str | os.PathLike) else ""
            if path and not path.startswith((str(self.folder), "/dev/", "/tmp/")):
                self.events.append(f"open {path} for writing")


def _describe(error: BaseException) -> tuple[str, str]:
    """Return the type and the innermost place in medkd of an error, and its message."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if frame.filename.startswith(_ROOT) and "/benchmarks/" not in frame.filename]
    place = f"{Path(ours[-1].filename).relative_to(_ROOT)}:{ours[-1].lineno}" if ours else "?"
    return f"{type(error).__name__} at {place}", " ".join(str(error).split())[:200]


def _hang(number: int, frame: FrameType | None) -> None:
    raise _Hang(f"more than {_CPU_SECONDS} s")


def _limit_memory() -> None:
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + _MEMORY, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def work(reader: Reader, folder: Path, seed: int, seconds: float, inputs: int | None, results: Connection) -> None:
    """Read mutated files, and send findings and, at the end, the number of inputs and of reached lines.

    Args:
        reader: of `READERS`.
        folder: an empty folder.
        seed: of the mutations.
        seconds: until the end.
        inputs: number of inputs at most.
        results: gets ("seed" | "finding", signature, description, input), ("count", number, lines, seconds).
    """
    os.chdir(folder)
    null = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):  # C++ prints too
        os.dup2(null, stream)
    signal.signal(signal.SIGPROF, _hang)
    warnings.simplefilter("ignore")
    fuzzer, count, found = Fuzzer(reader, folder, seed), 0, set()
    for content in list(fuzzer.corpus):  # imports what the reader needs
        fuzzer.read(content)
    for content in list(fuzzer.corpus):
        if finding := fuzzer.read(content):
            results.send(("finding", f"a valid file: {finding[0]}", finding[1], content))
    fuzzer.events.clear()
    sys.addaudithook(fuzzer.audit)
    _limit_memory()
    start = time.monotonic()
    while time.monotonic() < start + seconds and (inputs is None or count < inputs):
        content = fuzzer.next()
        count += 1
        finding = fuzzer.read(content)
        if finding and finding[0] not in found:
            found.add(finding[0])
            results.send(("finding", *finding, content))
        if count % 20 == 0 or finding:
            results.send(("count", count, len(fuzzer.lines), time.monotonic() - start))
    results.send(("count", count, len(fuzzer.lines), time.monotonic() - start))
    results.close()
    os._exit(0)


def digest(content: bytes) -> str:
    """Return a short name for an input."""
    return hashlib.sha256(content).hexdigest()[:12]
