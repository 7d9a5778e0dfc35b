"""Quantise an ONNX file to eight-bit integers: static quantisation by ONNX Runtime."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from medkd.deploy.runtime import ModelSpec, OnnxModel
from medkd.deploy.runtime.runtimes import installed_runtimes

from .formats import quiet, save_onnx

__all__ = ["write_int8"]

_METHODS = ("MinMax", "Entropy", "Percentile")


def write_int8(
    source: Path, description: ModelSpec, path: Path, training: Sequence[np.ndarray], validation: Sequence[np.ndarray]
) -> dict[str, Any]:
    """Quantise activations, and weights by channel, in the way that changes the predictions of all runtimes least.

    ONNX Runtime has three methods to choose ranges. Each is tried; the best one is tried again with floats in the first and
    the last layer.

    Args:
        source: file that `write_onnx` wrote.
        description: of the network; is written into the new file.
        path: to write.
        training: windows ``(1, C, *size)`` of training images, from which the ranges are taken.
        validation: windows of other images, on which the attempts are compared.

    Returns:
        ``tried``: each attempt with the number of pixels whose label changed, relative to the foreground, and the mean
        difference of the probabilities, in the runtime where they are larger. ``taken``: the attempt that was written.
    """
    expected = [_probabilities(OnnxModel(source, device="cpu"), window) for window in validation]
    with TemporaryDirectory(dir=path.parent, prefix=f".partial-{os.getpid()}-") as name:
        folder = Path(name)
        prepared = folder / "prepared.onnx"
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        attempts: list[dict[str, Any]] = []

        def attempt(method: str, float_nodes: list[str]) -> None:
            file = folder / f"{len(attempts)}.onnx"
            _quantise(prepared, file, method, training, float_nodes)
            save_onnx(onnx.load(file), description, file)
            models = [OnnxModel(file, device="cpu", runtime=runtime) for runtime in installed_runtimes()]
            changes = [_change(expected, [_probabilities(model, window) for window in validation]) for model in models]
            worst: dict[str, Any] = max(changes, key=_order)
            attempts.append({"file": file, "method": method, "floats": float_nodes, **worst})

        for method in _METHODS:
            attempt(method, [])
        attempt(min(attempts, key=_order)["method"], _first_and_last(prepared))
        best = min(attempts, key=_order)
        best["file"].replace(path)
    tried = [{key: value for key, value in one.items() if key != "file"} for one in attempts]
    return {"tried": tried, "taken": {key: best[key] for key in ("method", "floats")}}


class _Windows(CalibrationDataReader):
    """Reader of one window after the other.

    It can read a range of windows, so `quantize_static` keeps the activations of one window at a time.

    Args:
        windows: ``(1, C, *size)``.
        name: of the network's input.
    """

    def __init__(self, windows: Sequence[np.ndarray], name: str) -> None:
        self.windows, self.name = windows, name
        self.set_range(0, len(windows))

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.windows)

    def set_range(self, start_index: int, end_index: int) -> None:
        """Restrict the reader to a range of windows."""
        self.rest = iter(self.windows[start_index:end_index])

    def get_next(self) -> dict[str, np.ndarray] | None:
        """Return the next window by the name of the input, None at the end."""
        window = next(self.rest, None)
        return None if window is None else {self.name: window}


def _quantise(source: Path, path: Path, method: str, windows: Sequence[np.ndarray], float_nodes: list[str]) -> None:
    with quiet():
        quantize_static(
            str(source),
            str(path),
            _Windows(windows, "image"),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod[method],
            nodes_to_exclude=float_nodes,
            extra_options={"CalibStridedMinMax": 1},
        )


def _first_and_last(path: Path) -> list[str]:
    """Return the names of the first and the last convolution."""
    names = [node.name for node in onnx.load(path).graph.node if node.op_type in ("Conv", "ConvTranspose")]
    return [names[0], names[-1]]


def _probabilities(model: OnnxModel, window: np.ndarray) -> np.ndarray:
    logits = model(window)
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def _change(before: Sequence[np.ndarray], after: Sequence[np.ndarray]) -> dict[str, float]:
    changed = foreground = difference = 0.0
    for old_probabilities, new_probabilities in zip(before, after, strict=True):
        old, new = old_probabilities.argmax(axis=1), new_probabilities.argmax(axis=1)
        changed += float((old != new).sum())
        foreground += float((old > 0).sum())
        difference += float(np.abs(old_probabilities - new_probabilities).mean()) / len(before)
    return {"changed_foreground": changed / max(foreground, 1.0), "mean_probability_difference": difference}


def _order(attempt: dict[str, Any]) -> tuple[float, float]:
    return attempt["changed_foreground"], attempt["mean_probability_difference"]
