"""A network in OpenVINO, on the CPU."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .machine import default_threads

if TYPE_CHECKING:
    import openvino

__all__ = ["OpenVinoSession", "computes_bf16"]

_PRECISIONS = {"float32": "f32", "bf16": "bf16"}


def computes_bf16() -> bool:
    """Return whether the CPU has units for bfloat16, without which OpenVINO computes in float32."""
    return "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


class OpenVinoSession:
    """An ONNX file in OpenVINO, see `medkd.deploy.runtime.runtimes.Session`.

    Batch and edges stay free: a network of fixed edges was not faster.

    Args:
        path: of the file.
        threads: see `medkd.deploy.runtime.OnnxModel`.
        precision: "float32" or "bf16".

    Raises:
        ValueError: for bf16 on a CPU without units for it.
    """

    def __init__(self, path: Path, threads: int | None, precision: str) -> None:
        if precision == "bf16" and not computes_bf16():
            raise ValueError("--precision bf16: found a CPU without bf16 units: write --precision float32")
        model = _read_onnx(path)
        settings: dict[str, Any] = {
            # by itself, OpenVINO takes bf16 where the CPU has it
            "INFERENCE_PRECISION_HINT": _PRECISIONS[precision],
            "PERFORMANCE_HINT": "LATENCY",
            # threads bound to cores wait for each other where another process has the same cores
            "ENABLE_CPU_PINNING": False,
        }
        if count := threads or default_threads():
            settings["INFERENCE_NUM_THREADS"] = count
        self._request = _core().compile_model(model, "CPU", settings).create_infer_request()
        # an ONNX file's own properties
        self.metadata: Mapping[str, str] = (
            _texts(model.get_rt_info()["framework"]) if model.has_rt_info(["framework"]) else {}
        )

    def run(self, images: np.ndarray) -> np.ndarray:
        """Return the logits of images."""
        return self._request.infer([images], share_inputs=True)[0]


@cache
def _core() -> openvino.Core:
    """Return OpenVINO, which stays until the process ends.

    Its CPU plugin registers a stack for signal handlers, frees it when the last plugin goes, and leaves it registered: the next
    signal would end the process.
    """
    from openvino import Core

    return Core()


def _read_onnx(path: Path) -> openvino.Model:
    """Read an ONNX file. OpenVINO's own choice also tries readers of other formats, which print what they do not understand."""
    from openvino.frontend import FrontEndManager

    frontend = FrontEndManager().load_by_framework("onnx")
    return frontend.convert(frontend.load(str(path)))


def _texts(properties: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value.astype(str)) for name, value in properties.items()}
