"""Runs one `medkd infer` in this process and notes its time and memory: `watched_infer.py REPORT.json infer ...`

The clock starts when libraries, configuration and model are loaded and the first file is about to be read. Time in the
network is that of its forward, by hooks (of ONNX Runtime, by its session's calls); memory is the largest resident set from
then on (VmHWM, hence Linux) above the resident set at that moment. On the CPU: nothing waits for a GPU here.
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
    """Wraps what runs over all files, and the network in it."""

    def __init__(self) -> None:
        self.network = self.network_cpu = 0.0
        self.found: dict[str, float] = {}

    def run(self, infer: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*args, **kwargs):
            process = psutil.Process()
            self.found["startup"] = time.time() - process.create_time()
            Path("/proc/self/clear_refs").write_text("5")  # the largest resident set counts from here
            before, start, cpu = process.memory_info().rss, time.perf_counter(), time.process_time()
            infer(*args, **kwargs)
            self.found["seconds"] = time.perf_counter() - start
            self.found["cpu"] = time.process_time() - cpu
            self.found["above"] = _largest() - before
            self.found["model"] = before

        return watched

    def open(self, *_) -> None:
        self._start, self._cpu = time.perf_counter(), time.process_time()

    def close(self, *_) -> None:
        self.network += time.perf_counter() - self._start
        self.network_cpu += time.process_time() - self._cpu

    def call(self, forward: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*args, **kwargs):
            self.open()
            result = forward(*args, **kwargs)
            self.close()
            return result

        return watched


def _largest() -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def watch_torch(watch: Watch) -> None:
    from medkd import inferers, networks

    load = networks.load_weights

    def loaded(*args, **kwargs):
        network = load(*args, **kwargs)
        network.register_forward_pre_hook(watch.open)
        network.register_forward_hook(watch.close)
        return network

    networks.load_weights, inferers.infer_each = loaded, watch.run(inferers.infer_each)


def main() -> int:
    report, *arguments = sys.argv[1:]
    watch = Watch()
    if names_onnx(arguments):
        command_line.infer, OnnxModel.__call__ = watch.run(command_line.infer), watch.call(OnnxModel.__call__)
    else:
        watch_torch(watch)
    code = medkd(arguments)
    if not code:
        found = {**watch.found, "network": watch.network, "network_cpu": watch.network_cpu}
        Path(report).write_text(json.dumps({**found, "torch": "torch" in sys.modules}))
    return code


if __name__ == "__main__":
    sys.exit(main())
