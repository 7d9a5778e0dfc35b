"""Run one `medkd infer` in this process and record its time and memory: `watched_infer.py REPORT.json infer ...`.

The clock starts when libraries, configuration and model are loaded, before the first file is read. The time of the network is
that of its forward, measured by hooks, or that of the calls of the ONNX Runtime session. Memory is the largest resident set
from then on (VmHWM: Linux only) above the resident set at that moment. It is for the CPU: no GPU is synchronised.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from medkd.cli.main import main as medkd
from medkd.deploy.runtime import OnnxModel, command_line, names_onnx


class Watch:
    """Wrappers that measure the loop over all files, and the network in it."""

    def __init__(self) -> None:
        self.network = self.network_cpu = 0.0
        self.measured: dict[str, float] = {}

    def run(self, infer: Callable[..., Any]) -> Callable[..., Any]:
        """Return the loop with measurements."""

        def watched(*args: Any, **kwargs: Any) -> None:
            process = psutil.Process()
            self.measured["startup"] = time.time() - process.create_time()
            Path("/proc/self/clear_refs").write_text("5")  # reset the largest resident set
            before, start, cpu = process.memory_info().rss, time.perf_counter(), time.process_time()
            infer(*args, **kwargs)
            self.measured["seconds"] = time.perf_counter() - start
            self.measured["cpu"] = time.process_time() - cpu
            self.measured["above"] = _largest() - before
            self.measured["model"] = before

        return watched

    def start(self, *_: Any) -> None:
        """Begin a forward."""
        self._start, self._cpu = time.perf_counter(), time.process_time()

    def stop(self, *_: Any) -> None:
        """End a forward."""
        self.network += time.perf_counter() - self._start
        self.network_cpu += time.process_time() - self._cpu

    def call(self, forward: Callable[..., Any]) -> Callable[..., Any]:
        """Return a forward with measurements."""

        def watched(*args: Any, **kwargs: Any) -> Any:
            self.start()
            result = forward(*args, **kwargs)
            self.stop()
            return result

        return watched


def _largest() -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def watch_torch(watch: Watch) -> None:
    """Replace the functions of medkd by measured ones."""
    from medkd import inferers, networks

    load = networks.load_weights

    def load_watched(*args: Any, **kwargs: Any) -> Any:
        network = load(*args, **kwargs)
        network.register_forward_pre_hook(watch.start)
        network.register_forward_hook(watch.stop)
        return network

    networks.load_weights, inferers.infer_each = load_watched, watch.run(inferers.infer_each)


def main() -> int:
    """Run the command and write the report; return the exit code."""
    report, *arguments = sys.argv[1:]
    watch = Watch()
    if names_onnx(arguments):
        command_line.infer, OnnxModel.__call__ = watch.run(command_line.infer), watch.call(OnnxModel.__call__)
    else:
        watch_torch(watch)
    code = medkd(arguments)
    if not code:
        measured = {**watch.measured, "network": watch.network, "network_cpu": watch.network_cpu}
        Path(report).write_text(json.dumps({**measured, "torch": "torch" in sys.modules}))
    return code


if __name__ == "__main__":
    sys.exit(main())
