"""A network in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime

from .machine import default_threads

__all__ = ["OnnxRuntimeSession", "finds_gpu"]


def finds_gpu() -> bool:
    """Return whether ONNX Runtime can use a GPU here."""
    return "CUDAExecutionProvider" in onnxruntime.get_available_providers()


class OnnxRuntimeSession:
    """An ONNX file in ONNX Runtime, see `medkd.deploy.runtime.runtimes.Session`.

    Args:
        path: of the file.
        threads: see `medkd.deploy.runtime.OnnxModel`.
        device: likewise.

    Raises:
        ValueError: for a device that there is not.
    """

    def __init__(self, path: Path, threads: int | None, device: str | None) -> None:
        onnxruntime.disable_telemetry_events()  # where another program imported it first, see runtimes.py
        onnxruntime.set_default_logger_severity(4)  # the exception holds all that would be logged
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or default_threads()
        if device == "cuda" and not finds_gpu():
            raise ValueError("--device cuda: ONNX Runtime finds no CUDA device here: write --device cpu")
        providers = ["CPUExecutionProvider"]
        if device != "cpu" and finds_gpu():
            providers.insert(0, "CUDAExecutionProvider")
        self._session = onnxruntime.InferenceSession(str(path), options, providers=providers)
        self._input = self._session.get_inputs()[0].name
        self.metadata: Mapping[str, str] = self._session.get_modelmeta().custom_metadata_map

    def run(self, images: np.ndarray) -> np.ndarray:
        """Return the logits of images."""
        return self._session.run(None, {self._input: images})[0]
