"""Run an exported file in each runtime and precision of this machine: Dice and speed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from medkd.deploy.runtime import OnnxModel
from medkd.deploy.runtime.machine import cpu_name, thread_count
from medkd.deploy.runtime.measured import Measured, PrecisionChange
from medkd.deploy.runtime.runtimes import RUNTIMES, installed_runtimes, runtime_title
from medkd.deploy.runtime.speed import example_window, measure

from .comparison import compare
from .formats import OnnxNetwork
from .trained_student import TrainedStudent

__all__ = ["measure_onnx", "measured_of"]

_EAGER = "eager torch"
_RESULTS = ("logits", "probabilities", "other_decision", "dice")  # of `compare`, for each runtime


def measure_onnx(trained: TrainedStudent, path: Path, floats: Path, split: str) -> dict[str, Any]:
    """Measure an ONNX file in all runtimes and precisions.

    Args:
        trained: the student that was exported.
        path: of the file.
        floats: the same network in float32: the file itself except for int8.
        split: of the cases for the Dice.

    Returns:
        Results of `compare` for the first runtime in float32. ``speed``: the conditions, and the seconds of eager torch for
        one window. ``runtimes``: an entry for each runtime and precision with its differences, Dice and seconds, or with the
        reason why it could not be used.
    """
    networks, refused = _open_all(path)
    tools = (trained.preprocessing, trained.inferer, trained.postprocessing, trained.description.classes)
    results = compare(trained.network, networks, trained.cases(split), *tools)
    seconds = _seconds(trained.network, networks, None if floats == path else floats)
    entries = []
    for name, network in networks.items():
        runtime, precision = network.model.runtime, network.model.precision
        entry = {
            "runtime": runtime,
            "version": runtime_title(runtime),
            "precision": precision,
            "seconds": seconds[name],
        }
        if floats != path:
            entry["float32_seconds"] = seconds[_floats_in(runtime)]
        entries.append({**entry, **{part: results[name][part] for part in _RESULTS}})
    spec = trained.description
    conditions = {"cpu": cpu_name(), "threads": thread_count(None), "window": [1, spec.channels, *spec.size]}
    return {
        **results[next(iter(networks))],
        "speed": {**conditions, "eager_seconds": seconds[_EAGER]},
        "runtimes": [*entries, *refused],
    }


def measured_of(report: Mapping[str, Any], cases: str) -> Measured:
    """Return what a file says of itself after `measure_onnx`.

    Args:
        report: with the results.
        cases: see `PrecisionChange`.
    """
    entries = [entry for entry in report["runtimes"] if "refused" not in entry]
    changes = {
        entry["precision"]: PrecisionChange(
            cases,
            entry["other_decision"],
            {name: means["change"] for name, means in entry["dice"].items() if means["change"] is not None},
        )
        for entry in entries
        if entry["precision"] != "float32"
    }
    int8_times = {
        entry["runtime"]: entry["seconds"] / entry["float32_seconds"]
        for entry in entries
        if entry["precision"] == "float32" and "float32_seconds" in entry
    }
    return Measured(changes, int8_times)


def _open_all(path: Path) -> tuple[dict[str, OnnxNetwork], list[dict[str, Any]]]:
    """Open a file in each installed runtime and precision.

    Returns:
        A name for people -> network, and entries of the report for those that refuse the file, or the precision on this CPU.
    """
    networks, refused = {}, []
    for runtime in installed_runtimes():
        for precision in RUNTIMES[runtime].precisions:
            try:
                networks[f"{RUNTIMES[runtime].title} {precision}"] = OnnxNetwork(path, runtime, precision)
            except ValueError as error:
                refused.append({"runtime": runtime, "precision": precision, "refused": str(error)})
    if not networks:
        raise ValueError(refused[0]["refused"])
    return networks, refused


def _seconds(original: nn.Module, networks: Mapping[str, OnnxNetwork], floats: Path | None) -> dict[str, float]:
    """Return the seconds of one window, of the original and of each network; of int8, of the floats in each runtime too."""

    def eager(window: np.ndarray) -> None:
        with torch.inference_mode():
            original(torch.from_numpy(window))

    models = {name: network.model for name, network in networks.items()}
    window = example_window(next(iter(models.values())).description)
    if floats is not None:
        runtimes = dict.fromkeys(model.runtime for model in models.values())
        models |= {_floats_in(runtime): OnnxModel(floats, None, "cpu", runtime) for runtime in runtimes}
    return measure({_EAGER: eager, **models}, window, thread_count(None))


def _floats_in(runtime: str) -> str:
    return f"the floats in {runtime}"
