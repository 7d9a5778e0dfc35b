"""Feed every reader of medkd with mutated files: each input is read, or refused in one line.

    python benchmarks/fuzz.py --minutes 5 [--reader NAME ...] [--jobs 2] [--keep FOLDER]

Inputs that reach new lines of medkd are mutated further. A finding is another exception than those that the command line
tells in one line, more than 10 s of CPU time, more than 1 GiB of memory, the end of the process, an executed content, or a
valid file that is refused. The first input of each finding is kept.
"""

from __future__ import annotations

import argparse
import multiprocessing
import multiprocessing.connection
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from fuzzing.readers import READERS
from fuzzing.worker import CURRENT, digest, work

_SILENCE = 600  # seconds without a message after which a process counts as hanging


@dataclass
class Result:
    """What the inputs of one reader showed.

    Attributes:
        inputs: number of inputs.
        lines: lines of medkd that they reached.
        findings: signature -> description and first input.
    """

    inputs: int = 0
    lines: int = 0
    findings: dict[str, tuple[str, bytes]] = field(default_factory=dict)


def fuzz(name: str, seconds: float, seed: int = 0, inputs: int | None = None) -> Result:
    """Feed one reader, in processes of which one follows the other when it dies.

    Args:
        name: of `READERS`.
        seconds: until the end.
        seed: of the mutations.
        inputs: number of inputs at most.
    """
    result, rest = Result(), seconds
    context = multiprocessing.get_context("spawn")  # this process has threads
    while rest > 0 and (inputs is None or result.inputs < inputs):
        with tempfile.TemporaryDirectory() as folder:
            receiver, sender = context.Pipe(duplex=False)
            left = None if inputs is None else inputs - result.inputs
            arguments = (READERS[name], Path(folder), seed + result.inputs, rest, left, sender)
            process = context.Process(target=work, args=arguments)
            process.start()
            sender.close()
            counted, used, ended = _receive(receiver, result)
            if not ended:
                process.kill()
            process.join()
            result.inputs += max(counted, 1)
            rest -= max(used, seconds / 10)  # a reader that always dies ends too
            if ended and not process.exitcode:
                break
            if process.exitcode:
                last = Path(folder, CURRENT).read_bytes() if Path(folder, CURRENT).exists() else b""
                kind = "hang" if not ended else f"the process ended with {process.exitcode}"
                result.findings.setdefault(kind, ("", last))
    return result


def _receive(receiver: multiprocessing.connection.Connection, result: Result) -> tuple[int, float, bool]:
    """Take the messages of a process; return the number of its inputs, their seconds, and whether it ended by itself."""
    count, used = 0, 0.0
    while receiver.poll(_SILENCE):
        try:
            kind, *content = receiver.recv()
        except EOFError:
            return count, used, True
        if kind == "count":
            count, result.lines, used = content[0], max(result.lines, content[1]), content[2]
        else:
            result.findings.setdefault(content[0], (content[1], content[2]))
    return count, used, False


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 1 if there is a finding."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5, help="for each reader")
    parser.add_argument("--reader", nargs="+", choices=READERS, default=list(READERS), help="default: all")
    parser.add_argument("--jobs", type=int, default=1, help="readers at once")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="default: the time")
    parser.add_argument("--keep", type=Path, help="folder for the first input of each finding")
    options = parser.parse_args(arguments)
    print(f"seed {options.seed}\n\n| reader | inputs | lines | findings |\n|---|---|---|---|", flush=True)
    count = 0
    with ThreadPoolExecutor(options.jobs) as pool:
        jobs = {name: pool.submit(fuzz, name, 60 * options.minutes, options.seed) for name in options.reader}
        for name, job in jobs.items():
            result = job.result()
            count += len(result.findings)
            print(f"| {name} | {result.inputs} | {result.lines} | {len(result.findings)} |", flush=True)
            for signature, (description, content) in result.findings.items():
                print(f"  {name}: {signature}: {description}", file=sys.stderr, flush=True)
                if options.keep:
                    options.keep.mkdir(parents=True, exist_ok=True)
                    (options.keep / f"{name}-{digest(content)}").write_bytes(content)
    return int(count > 0)


if __name__ == "__main__":
    sys.exit(main())
