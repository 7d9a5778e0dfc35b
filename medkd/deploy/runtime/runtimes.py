"""The runtimes of ONNX files: ONNX Runtime and OpenVINO, either alone or both."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

# Before ONNX Runtime is imported: on Linux and Windows it reports sessions to its maker by default, from version 1.29 on.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__all__ = ["PRECISIONS", "RUNTIMES", "Runtime", "Session", "installed_runtimes", "runtime_title"]

PRECISIONS = ("float32", "bf16")


class Session(Protocol):
    """A network in memory.

    Attributes:
        metadata: texts in the file by their names.
    """

    metadata: Mapping[str, str]

    def run(self, images: np.ndarray) -> np.ndarray:
        """Return the logits ``(N, K, *spatial)`` of images ``(N, C, *spatial)``, contiguous float32."""


class Runtime(NamedTuple):
    """A package that runs ONNX files."""

    title: str
    """Its name for people. The package has the runtime's name in `RUNTIMES`."""
    precisions: tuple[str, ...]
    """Those that it computes in on a CPU."""
    open: Callable[[Path, int | None, str | None, str], Session]
    """Read a file; arguments: the file, threads, device and precision, see `OnnxModel`.

    Raises an error of the file without its name, and ValueError for a device or a precision that there is not."""


def _open_onnxruntime(path: Path, threads: int | None, device: str | None, precision: str) -> Session:
    from .onnxruntime_session import OnnxRuntimeSession

    return OnnxRuntimeSession(path, threads, device)


def _open_openvino(path: Path, threads: int | None, device: str | None, precision: str) -> Session:
    from .openvino_session import OpenVinoSession

    return OpenVinoSession(path, threads, precision)


# In this order they are taken where nobody chooses. Both keep what an int8 file computes in integers.
RUNTIMES = {
    "onnxruntime": Runtime("ONNX Runtime", ("float32",), _open_onnxruntime),
    "openvino": Runtime("OpenVINO", PRECISIONS, _open_openvino),
}


def installed_runtimes() -> list[str]:
    """Return the names of the runtimes whose packages are installed; nothing is imported."""
    return [name for name in RUNTIMES if _is_installed(name)]


def runtime_title(name: str) -> str:
    """Return the name of a runtime for people, with the version of its package."""
    try:
        return f"{RUNTIMES[name].title} {version(name)}"
    except PackageNotFoundError:  # onnxruntime-gpu and other builds have packages of other names
        return RUNTIMES[name].title


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ValueError:  # of a module without a specification
        return False
