"""What decides how fast a network runs here: the processor and the number of threads."""

from __future__ import annotations

import os
import platform
from pathlib import Path

__all__ = ["cpu_details", "cpu_name", "default_threads", "thread_count"]

_CPU_FIELDS = ("vendor_id", "cpu family", "model", "model name", "stepping", "flags", "Features")


def cpu_name() -> str:
    """Return the model of the processor, as people know it."""
    return _cpu_fields().get("model name") or platform.processor() or platform.machine()


def cpu_details() -> str:
    """Return all that tells processors apart: a virtual machine may hide units of a processor of the same name."""
    return "; ".join([platform.machine(), cpu_name(), *(f"{name}: {value}" for name, value in _cpu_fields().items())])


def default_threads() -> int:
    """Return OMP_NUM_THREADS, and 0 where it is no number: then a runtime takes as many as there are cores."""
    text = os.environ.get("OMP_NUM_THREADS", "")
    return int(text) if text.isdecimal() else 0


def thread_count(threads: int | None) -> int:
    """Return the number of threads of a computation.

    Args:
        threads: as a user gave it; None: `default_threads`, else one for each core that this process may use.
    """
    affinity = getattr(os, "sched_getaffinity", None)  # Linux
    return threads or default_threads() or (len(affinity(0)) if affinity else os.cpu_count() or 1)


def _cpu_fields() -> dict[str, str]:
    """Return fields of the first processor of /proc/cpuinfo; empty where there is no such file."""
    try:
        block = Path("/proc/cpuinfo").read_text(errors="replace").split("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in block.splitlines())
    fields = {name.strip(): value.strip() for name, _, value in pairs}
    return {name: fields[name] for name in _CPU_FIELDS if name in fields}
