"""metrics.csv and summary.json of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from ignite.engine import Events
from monai.data import MetaTensor
from monai.engines import SupervisedEvaluator

from medkd.metrics import case_metrics, summarise
from medkd.parallel.group import barrier, gather_in_order, is_main_process
from medkd.runs.folder import RunFolder

__all__ = ["CaseTable"]


class CaseTable:
    """One row a case and class into ``metrics.csv``, means over cases into ``summary.json``, both written at the end.

    Expects decollated output: ``pred`` and ``label`` as integer labels (1, *spatial), whole cases, with the label's affine
    (mm). A case without ground truth of a class is a row of its own kind and is counted, see `case_metrics`. Of several
    processes, each evaluating its `medkd.parallel.group.share`, the first writes the rows of all, in the order of the data.

    Args:
        output_dir: where both files go.
        classes: label value -> name, foreground only.
        protocol: see `medkd.metrics.PROTOCOLS`.
    """

    def __init__(self, output_dir: str | Path, classes: Mapping[int, str], protocol: str = "whole") -> None:
        self.folder = RunFolder(output_dir)
        self.classes = dict(classes)
        self.protocol = protocol
        self.cases: list[list[dict[str, Any]]] = []

    def attach(self, evaluator: SupervisedEvaluator) -> None:
        evaluator.add_event_handler(Events.STARTED, self._start)
        evaluator.add_event_handler(Events.ITERATION_COMPLETED, self)
        evaluator.add_event_handler(Events.COMPLETED, self._write)

    def _start(self, evaluator: SupervisedEvaluator) -> None:
        self.cases.clear()

    def __call__(self, evaluator: SupervisedEvaluator) -> None:
        for item, output in zip(evaluator.state.batch, evaluator.state.output, strict=True):
            truth = output["label"]
            spacing, volume = _voxel(truth)
            rows = case_metrics(_plain(output["pred"]), _plain(truth), self.classes, spacing, self.protocol, volume)
            self.cases.append([{"case": item["case"], **row, "protocol": self.protocol} for row in rows])

    def _write(self, evaluator: SupervisedEvaluator) -> None:
        cases = gather_in_order(self.cases, _number_of_cases(evaluator, self.cases))
        if is_main_process():
            self._write_rows([row for rows in cases for row in rows])
        barrier()  # overlays read the table

    def _write_rows(self, rows: list[dict[str, Any]]) -> None:
        table = pd.DataFrame(rows)
        first = ["case", "class", "dice", "iou", "rvd", "hd95"]
        table = table[[*first, *(column for column in table if column not in first)]]
        summary = summarise(rows)
        self.folder.write_metrics(table)
        self.folder.write_summary(summary)
        for name, metrics in summary.items():
            print(_line(name, metrics, self.protocol))


def _number_of_cases(evaluator: SupervisedEvaluator, own: list) -> int:
    return len(getattr(evaluator.data_loader, "dataset", own))


def _voxel(labels: Any) -> tuple[list[float], float]:
    """Spacings (mm) and volume (mm³) of a voxel; ones without meta data."""
    axes = labels.ndim - 1
    if not isinstance(labels, MetaTensor):
        return [1.0] * axes, 1.0
    return labels.pixdim.tolist()[:axes], abs(float(torch.linalg.det(labels.affine[:axes, :axes])))


def _plain(labels: Any) -> Any:
    """(1, *spatial) to (*spatial), without meta data."""
    return (labels.as_tensor() if isinstance(labels, MetaTensor) else labels)[0]


def _line(name: str, metrics: dict, protocol: str) -> str:
    shown = " ".join(
        f"{key} {metrics[key]['mean']:.4f} ± {metrics[key]['std']:.4f} (n={metrics[key]['n']})"
        for key in ("dice", "iou", "rvd", "abs_rvd", "hd95")
        if metrics[key]["n"]
    )
    missed, empty, alarms = (_count(metrics[key]) for key in ("missed", "empty_truth", "false_alarm"))
    note = f"{missed} missed; without ground truth: {empty} of {metrics['empty_truth']['n']} cases"
    note += f", false alarms in {alarms} of these" if empty else ""
    return f"{name} [{protocol}]: {shown}; {note}"


def _count(metric: dict) -> int:
    """How many cases have the property, from the mean of its zeros and ones."""
    return round(metric["mean"] * metric["n"]) if metric["n"] else 0
