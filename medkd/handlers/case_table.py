"""``metrics.csv`` and ``summary.json`` of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sized
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from ignite.engine import Events
from monai.data import MetaTensor
from monai.engines import SupervisedEvaluator
from torch import Tensor

from medkd.metrics import case_metrics, summarise
from medkd.parallel.group import barrier, gather_in_order, is_main_process
from medkd.runs.folder import RunFolder

__all__ = ["CaseTable"]

_FIRST_COLUMNS = ["case", "class", "dice", "iou", "rvd", "hd95"]
_PRINTED = ("dice", "iou", "rvd", "abs_rvd", "hd95")


class CaseTable:
    """Write one row for each case and class into ``metrics.csv``, and means over cases into ``summary.json``.

    Both are written at the end of the evaluation. The evaluator's output is decollated: ``pred`` and ``label`` are integer
    labels (1, *spatial) of whole cases, with the label's affine (mm). A case without ground truth of a class has a row and
    is counted, see `case_metrics`. Of several processes, which evaluate their `medkd.parallel.shard_indices`, the main
    process writes the rows of all, in the order of the data.

    Args:
        output_dir: the folder of both files.
        classes: label value -> name, foreground only.
        protocol: see `medkd.metrics.PROTOCOLS`.
    """

    def __init__(self, output_dir: str | Path, classes: Mapping[int, str], protocol: str = "whole") -> None:
        self.folder = RunFolder(output_dir)
        self.classes = dict(classes)
        self.protocol = protocol
        self.cases: list[list[dict[str, Any]]] = []

    def attach(self, evaluator: SupervisedEvaluator) -> None:
        """Register the handler at an evaluator."""
        evaluator.add_event_handler(Events.STARTED, self._start)
        evaluator.add_event_handler(Events.ITERATION_COMPLETED, self)
        evaluator.add_event_handler(Events.COMPLETED, self._write)

    def _start(self, evaluator: SupervisedEvaluator) -> None:
        self.cases.clear()

    def __call__(self, evaluator: SupervisedEvaluator) -> None:
        """Compute the metrics of the cases of a batch."""
        for item, output in zip(evaluator.state.batch, evaluator.state.output, strict=True):
            label = output["label"]
            spacing, volume = _voxel(label)
            prediction = _without_meta_data(output["pred"])
            rows = case_metrics(
                prediction, _without_meta_data(label), self.classes, spacing, self.protocol, voxel_volume=volume
            )
            self.cases.append([{"case": item["case"], **row, "protocol": self.protocol} for row in rows])

    def _write(self, evaluator: SupervisedEvaluator) -> None:
        cases = gather_in_order(self.cases, _number_of_cases(evaluator, self.cases))
        if is_main_process():
            self._write_rows([row for rows in cases for row in rows])
        barrier()  # overlays read the table

    def _write_rows(self, rows: list[dict[str, Any]]) -> None:
        table = pd.DataFrame(rows)
        table = table[[*_FIRST_COLUMNS, *(column for column in table if column not in _FIRST_COLUMNS)]]
        summary = summarise(rows)
        self.folder.write_metrics(table)
        self.folder.write_summary(summary)
        for name, metrics in summary.items():
            print(_line(name, metrics, self.protocol))


def _number_of_cases(evaluator: SupervisedEvaluator, cases: Sized) -> int:
    return len(getattr(evaluator.data_loader, "dataset", cases))


def _voxel(labels: Tensor) -> tuple[list[float], float]:
    """Return spacings (mm) and volume (mm³) of a voxel; ones for labels without meta data."""
    axes = labels.ndim - 1
    if not isinstance(labels, MetaTensor):
        return [1.0] * axes, 1.0
    # The determinant, not the product of the spacings: the axes of a tilted gantry are sheared.
    return labels.pixdim.tolist()[:axes], abs(float(torch.linalg.det(labels.affine[:axes, :axes])))


def _without_meta_data(labels: Tensor) -> Tensor:
    """Return (*spatial) of (1, *spatial)."""
    return (labels.as_tensor() if isinstance(labels, MetaTensor) else labels)[0]


def _line(name: str, metrics: Mapping[str, Mapping[str, Any]], protocol: str) -> str:
    values = " ".join(
        f"{key} {metrics[key]['mean']:.4f} ± {metrics[key]['std']:.4f} (n={metrics[key]['n']})"
        for key in _PRINTED
        if metrics[key]["n"]
    )
    missed, empty, alarms = (_count(metrics[key]) for key in ("missed", "empty_truth", "false_alarm"))
    note = f"{missed} missed; without ground truth: {empty} of {metrics['empty_truth']['n']} cases"
    note += f", false alarms in {alarms} of these" if empty else ""
    return f"{name} [{protocol}]: {values}; {note}"


def _count(metric: Mapping[str, Any]) -> int:
    """Return how many cases have a property, from the mean of its zeros and ones."""
    return round(metric["mean"] * metric["n"]) if metric["n"] else 0
