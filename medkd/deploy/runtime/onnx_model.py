"""A network in an ONNX file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from medkd.runs.checksums import check_appended

from .spec import KEY, ModelSpec

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

__all__ = ["OnnxModel"]


class OnnxModel:
    """A network from images ``(N, C, *spatial)`` to logits ``(N, K, *spatial)``, float32.

    Args:
        path: file that `medkd export` wrote.
        threads: of one image's computation; None: OMP_NUM_THREADS, else as many as there are cores.
        device: "cpu" or "cuda"; None: a GPU if ONNX Runtime finds one.

    Attributes:
        path: of the file.
        description: what its images must be, and what its classes are.

    Raises:
        FileNotFoundError: if there is no such file.
        PermissionError: if the file must not be read.
        ValueError: if ONNX Runtime is not installed, cannot read the file or does not know the device, or if the file has no
            description.
    """

    def __init__(self, path: str | Path, threads: int | None = None, device: str | None = None) -> None:
        if not Path(path).is_file():
            raise FileNotFoundError(f"--model {path}: no such file")
        self.path = path
        open(path, "rb").close()  # ONNX Runtime calls a file without read permission a broken one
        _check(Path(path))
        self._session = _session(path, threads, device)
        self._input = self._session.get_inputs()[0].name
        text = self._session.get_modelmeta().custom_metadata_map.get(KEY)
        if text is None:
            raise ValueError(f"--model {path}: found no description of its input, expected a file that medkd exported")
        try:
            self.description = ModelSpec.from_json(text)
        except (ValueError, TypeError, AttributeError) as error:
            raise ValueError(f"--model {path}: {error}") from error

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Return the logits of images."""
        try:
            return self._session.run(None, {self._input: np.ascontiguousarray(images, dtype=np.float32)})[0]
        except Exception as error:  # ONNX Runtime's own classes have no other common base
            raise ValueError(f"--model {self.path}: ONNX Runtime stopped ({_reason(error)})") from error


def _check(path: Path) -> None:
    try:
        check_appended(path)
    except ValueError as error:
        raise ValueError(f"--model {path}: {error}: export it again") from None


def _session(path: str | Path, threads: int | None, device: str | None) -> InferenceSession:
    try:
        import onnxruntime
    except ImportError as error:
        raise ValueError(f"--model {path}: needs ONNX Runtime: pip install onnxruntime") from error
    onnxruntime.set_default_logger_severity(4)  # the exception holds all that would be logged
    options = onnxruntime.SessionOptions()
    default_threads = os.environ.get("OMP_NUM_THREADS", "")
    options.intra_op_num_threads = threads or (int(default_threads) if default_threads.isdecimal() else 0)
    gpu = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    if device == "cuda" and not gpu:
        raise ValueError("--device cuda: ONNX Runtime finds no CUDA device here: write --device cpu")
    providers = ["CPUExecutionProvider"]
    if gpu and device != "cpu":
        providers.insert(0, "CUDAExecutionProvider")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # ONNX Runtime's own classes have no other common base
        raise ValueError(f"--model {path}: not a readable ONNX file ({_reason(error)})") from error


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:120]
