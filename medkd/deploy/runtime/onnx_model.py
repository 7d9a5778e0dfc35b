"""A network in an ONNX file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from medkd.runs.checksums import check_appended

from .arrays import NUMPY_ARRAYS
from .runtimes import RUNTIMES, Session, installed_runtimes
from .spec import KEY, ModelSpec

__all__ = ["OnnxModel", "check_file", "check_installed"]


class OnnxModel:
    """A network from images ``(N, C, *spatial)`` to logits ``(N, K, *spatial)``, float32.

    Args:
        path: file that `medkd export` wrote.
        threads: of one image's computation; None: OMP_NUM_THREADS, else as many as there are cores.
        device: "cpu" or "cuda"; None: a GPU if ONNX Runtime finds one. OpenVINO is for the CPU.
        runtime: "onnxruntime" or "openvino"; None: the first of them that is installed.
        precision: "float32", or "bf16" with OpenVINO. Of an int8 file, it is that of the layers which are not int8.

    Attributes:
        path: of the file.
        description: what its images must be, and what its classes are.
        metadata: texts in the file by their names.
        runtime: the one that runs it.
        precision: in which it computes.
        arrays: numpy's operations.

    Raises:
        FileNotFoundError: if there is no such file.
        PermissionError: if the file must not be read.
        ValueError: if the runtime is not installed, cannot read the file or does not know the device or the precision, or if
            the file has no description.
    """

    arrays = NUMPY_ARRAYS

    def __init__(
        self,
        path: str | Path,
        threads: int | None = None,
        device: str | None = None,
        runtime: str | None = None,
        precision: str = "float32",
    ) -> None:
        check_file(path)
        self.path, self.precision = path, precision
        self.runtime = runtime or check_installed(path)[0]
        self._session = _open(path, threads, device, self.runtime, precision)
        self.metadata = self._session.metadata
        text = self.metadata.get(KEY)
        if text is None:
            raise ValueError(f"--model {path}: found no description of its input, expected a file that medkd exported")
        try:
            self.description = ModelSpec.from_json(text)
        except (ValueError, TypeError, AttributeError) as error:
            raise ValueError(f"--model {path}: {error}") from error

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Return the logits of images."""
        try:
            return self._session.run(np.ascontiguousarray(images, dtype=np.float32))
        except Exception as error:  # the runtimes' own classes have no other common base
            title = RUNTIMES[self.runtime].title
            raise ValueError(f"--model {self.path}: {title} stopped ({_reason(error)})") from error


def check_file(path: str | Path) -> None:
    """Check that there is a file, which may be read, and whose checksum is right.

    Raises:
        FileNotFoundError: if there is no such file.
        PermissionError: if the file must not be read.
        ValueError: if it is damaged.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"--model {path}: no such file")
    open(path, "rb").close()  # the runtimes call a file without read permission a broken one
    try:
        check_appended(Path(path))
    except ValueError as error:
        raise ValueError(f"--model {path}: {error}: export it again") from None


def check_installed(path: str | Path) -> list[str]:
    """Return the names of the runtimes that are installed.

    Raises:
        ValueError: if there is none.
    """
    installed = installed_runtimes()
    if not installed:
        raise ValueError(f"--model {path}: needs ONNX Runtime or OpenVINO: pip install onnxruntime, or openvino")
    return installed


def _open(path: str | Path, threads: int | None, device: str | None, name: str, precision: str) -> Session:
    if name not in RUNTIMES:
        raise ValueError(f"--runtime: found {name}, expected {' or '.join(RUNTIMES)}")
    runtime = RUNTIMES[name]
    if precision not in runtime.precisions:
        raise ValueError(
            f"--precision {precision}: {runtime.title} has no {precision} on a CPU: --runtime openvino has"
        )
    if device == "cuda" and name == "openvino":
        raise ValueError("--device cuda: has no effect with --runtime openvino, which is for the CPU")
    try:
        return runtime.open(Path(path), threads, device, precision)
    except ImportError as error:
        found = f" ({_reason(error)})" if name in installed_runtimes() else ""
        raise ValueError(f"--runtime {name}: needs {runtime.title}: pip install {name}{found}") from error
    except Exception as error:  # the runtimes' own classes have no other common base
        if str(error).startswith("--"):
            raise
        raise ValueError(f"--model {path}: not a readable ONNX file ({_reason(error)})") from error


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:120]
