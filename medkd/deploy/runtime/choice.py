"""Choose the runtime of a network: the faster one on this machine, measured once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from medkd.runs.errors import rounded

from .machine import thread_count
from .measured import Measured
from .onnx_model import OnnxModel, check_file, check_installed
from .runtimes import RUNTIMES, runtime_title
from .speed import KeptSeconds, example_window, measure

__all__ = ["AUTO", "open_model"]

AUTO = "auto"


def open_model(path: str | Path, threads: int | None, device: str | None, runtime: str, precision: str) -> OnnxModel:
    """Open a network with a runtime, or with the faster one, and say in one line which one and why.

    Args:
        path: file that `medkd export` wrote.
        threads: see `OnnxModel`.
        device: likewise.
        runtime: "onnxruntime", "openvino" or "auto".
        precision: "float32" or "bf16".

    Raises:
        FileNotFoundError: see `OnnxModel`; other errors likewise.
        ValueError: for a precision whose change of Dice `medkd export` did not measure. See also `OnnxModel`.
    """
    request = _Request(path, threads, device, precision)
    model = _open_automatically(request) if runtime == AUTO else request.open(runtime)
    _print_measured(model)
    return model


class _Request(NamedTuple):
    """What a user asks for, but for the runtime."""

    path: str | Path
    threads: int | None
    device: str | None
    precision: str

    def open(self, runtime: str) -> OnnxModel:
        """Open the network with a runtime."""
        return OnnxModel(self.path, self.threads, self.device, runtime, self.precision)


class _Choice(NamedTuple):
    """A runtime, and why it was chosen."""

    runtime: str
    reason: str


def _open_automatically(request: _Request) -> OnnxModel:
    check_file(request.path)
    precision = request.precision
    candidates = [name for name in check_installed(request.path) if precision in RUNTIMES[name].precisions]
    if not candidates:
        raise ValueError(f"--precision {precision}: needs OpenVINO: pip install openvino")
    choice = _without_measurement(candidates, precision, request.device)
    if choice is not None:
        model = request.open(choice.runtime)
    else:
        model, choice = _open_faster(request, candidates)
    print(f"note: runtime: {runtime_title(choice.runtime)}, {choice.reason}", flush=True)
    return model


def _print_measured(model: OnnxModel) -> None:
    """Print what the export measured of the precision of a model, and of int8 where it did not pay.

    Raises:
        ValueError: for another precision than float32 of which it measured nothing.
    """
    try:
        measured = Measured.from_metadata(model.metadata)
    except ValueError as error:
        raise ValueError(f"--model {model.path}: {error}") from None
    precision, title = model.precision, RUNTIMES[model.runtime].title
    if precision in measured.precisions:
        print(f"note: {precision} when exported: {measured.precisions[precision]}", flush=True)
    elif precision != "float32":
        raise ValueError(
            f"--precision {precision}: its change of Dice was not measured: export the student with OpenVINO installed, "
            f"on a CPU with {precision} units"
        )
    if (ratio := measured.int8_times.get(model.runtime, 0)) >= 1:
        print(
            f"note: int8 took {ratio:.2f} times as long as float32 with {title} when exported: --format onnx is faster there",
            flush=True,
        )


def _without_measurement(candidates: list[str], precision: str, device: str | None) -> _Choice | None:
    if "onnxruntime" in candidates and device != "cpu":
        from .onnxruntime_session import finds_gpu

        if device == "cuda" or finds_gpu():
            return _Choice("onnxruntime", "the only one for a GPU")
    if len(candidates) > 1:
        return None
    reason = "the only one that is installed" if precision == "float32" else f"the only one with {precision}"
    return _Choice(candidates[0], reason)


def _open_faster(request: _Request, candidates: list[str]) -> tuple[OnnxModel, _Choice]:
    """Open the runtime that an earlier call measured as the faster one; without such a measurement, measure."""
    kept = KeptSeconds(request.path, request.threads, request.precision, candidates)
    if seconds := kept.read():
        name = _fastest(seconds)
        return request.open(name), _Choice(name, _compared(seconds, f"measured before: {kept.file}"))
    models, refusals = {}, {}
    for name in candidates:
        try:
            models[name] = request.open(name)
        except ValueError as error:
            refusals[name] = error
    if not models:
        raise next(iter(refusals.values()))
    if refusals:  # the other one may be newer, or lack an operation
        (name,) = models
        (refusal,) = refusals.values()
        return models[name], _Choice(name, f"as the other one cannot be used: {refusal}")
    window = example_window(next(iter(models.values())).description)
    seconds = measure(models, window, thread_count(request.threads))
    name = _fastest(seconds)
    return models[name], _Choice(name, _compared(seconds, f"measured now, {kept.write(seconds)}"))


def _fastest(seconds: Mapping[str, float]) -> str:
    return min(seconds, key=lambda name: seconds[name])


def _compared(seconds: Mapping[str, float], source: str) -> str:
    times = ", ".join(f"{RUNTIMES[name].title} {rounded(1000 * value)} ms" for name, value in seconds.items())
    return f"the faster one here for one window: {times} ({source})"
