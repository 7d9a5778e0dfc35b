"""Whole numbers of eight bits in the place of floats: static quantisation by ONNX Runtime."""

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

from .formats import quiet, save_onnx

__all__ = ["write_int8"]

METHODS = ("MinMax", "Entropy", "Percentile")


def write_int8(
    source: Path, description: ModelSpec, path: Path, calibration: Sequence[np.ndarray], choice: Sequence[np.ndarray]
) -> dict[str, Any]:
    """Quantises an ONNX file (activations, and weights by channel), in the way that changes its answers least.

    Tried are ONNX Runtime's three ways to choose ranges, then, with the best of them, floats in the first and last layer.

    Args:
        source: what `write_onnx` wrote.
        description: goes into the new file.
        path: to write.
        calibration: windows ``(1, C, *size)`` of training images, from which ranges are taken.
        choice: windows of other images, on which the ways are compared.

    Returns:
        What was tried: each way with the share of the foreground that it decided otherwise than the floats did, and the
        mean difference of probabilities; and which was taken.
    """
    floats = [_probabilities(OnnxModel(source, device="cpu"), window) for window in choice]
    with TemporaryDirectory(dir=path.parent, prefix=f".partial-{os.getpid()}-") as name:
        folder = Path(name)
        prepared = folder / "prepared.onnx"
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        tried: list[dict[str, Any]] = []
        ends = _first_and_last(prepared)

        def attempt(method: str, kept: list[str]) -> None:
            file = folder / f"{len(tried)}.onnx"
            _quantise(prepared, file, method, calibration, kept)
            save_onnx(onnx.load(file), description, file)
            model = OnnxModel(file, device="cpu")
            found = [_probabilities(model, window) for window in choice]
            tried.append({"file": file, "method": method, "floats": kept, **_change(floats, found)})

        for method in METHODS:
            attempt(method, [])
        attempt(min(tried, key=_order)["method"], ends)
        best = min(tried, key=_order)
        best["file"].replace(path)
    shown = [{key: value for key, value in one.items() if key != "file"} for one in tried]
    return {"tried": shown, "taken": {key: best[key] for key in ("method", "floats")}}


class _Windows(CalibrationDataReader):
    """One window after the other; `quantize_static` asks for stretches, so that it keeps the activations of one alone."""

    def __init__(self, windows: Sequence[np.ndarray], name: str) -> None:
        self.windows, self.name = windows, name
        self.set_range(0, len(windows))

    def __len__(self) -> int:
        return len(self.windows)

    def set_range(self, start_index: int, end_index: int) -> None:
        self.rest = iter(self.windows[start_index:end_index])

    def get_next(self) -> dict[str, np.ndarray] | None:
        window = next(self.rest, None)
        return None if window is None else {self.name: window}


def _quantise(source: Path, path: Path, method: str, windows: Sequence[np.ndarray], kept: list[str]) -> None:
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
            nodes_to_exclude=kept,
            extra_options={"CalibStridedMinMax": 1},
        )


def _first_and_last(path: Path) -> list[str]:
    """Names of the first and the last convolution."""
    names = [node.name for node in onnx.load(path).graph.node if node.op_type in ("Conv", "ConvTranspose")]
    return [names[0], names[-1]]


def _probabilities(model: OnnxModel, window: np.ndarray) -> np.ndarray:
    logits = model(window)
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def _change(before: Sequence[np.ndarray], after: Sequence[np.ndarray]) -> dict[str, float]:
    changed = foreground = difference = 0.0
    for one, other in zip(before, after, strict=True):
        old, new = one.argmax(axis=1), other.argmax(axis=1)
        changed += float((old != new).sum())
        foreground += float((old > 0).sum())
        difference += float(np.abs(one - other).mean()) / len(before)
    return {"changed_foreground": changed / max(foreground, 1.0), "mean_probability_difference": difference}


def _order(tried: dict[str, Any]) -> tuple[float, float]:
    return tried["changed_foreground"], tried["mean_probability_difference"]
