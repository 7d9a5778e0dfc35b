"""``metrics.csv`` and ``summary.json`` of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Sized
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from ignite.engine import Events
from monai.data import MetaTensor
from monai.engines import SupervisedEvaluator
from torch import Tensor

from medkd.metrics import case_metrics, expected_calibration_error, metric_names, summarise
from medkd.metrics.calibration import reliability
from medkd.metrics.case import RAW
from medkd.parallel.group import barrier, gather_in_order, is_main_process
from medkd.runs.folder import RunFolder

__all__ = ["CaseTable"]

_FIRST_COLUMNS = ["case", "class", "dice", "iou", "rvd", "hd95"]
_PRINTED = ("dice", "iou", "rvd", "abs_rvd", "hd95", "nsd", "ece", "lesion_sensitivity", "lesion_precision")
# what does not depend on the labels of the prediction
_OF_TRUTH = ("class", "empty_truth", "volume_truth", "lesions_truth", "nsd_tolerance")


class CaseTable:
    """Write one row for each case and class into ``metrics.csv``, and means over cases into ``summary.json``.

    Both are written at the end of the evaluation. The evaluator's output is decollated: ``pred`` and ``label`` are integer
    labels (1, *spatial) of whole cases, with the label's affine (mm). A case without ground truth of a class has a row and
    is counted, see `case_metrics`. Of several processes, which evaluate their `medkd.parallel.shard_indices`, the main
    process writes the rows of all, in the order of the data.

    Where several cases are of one patient, by "patient" of the items, it is a further column, and means over patients stand
    beside those over cases, see `summarise`.

    Where components were removed, ``pred_raw`` of the output are the labels before. Their metrics are further columns, which
    end in "_raw", and "removed_voxels" is the number of voxels, or pixels. ECE is computed from ``calibration`` of the output,
    see `CalibrationBinsd`, and the bins over all cases are written into ``calibration.json``.

    Args:
        output_dir: the folder of both files.
        classes: label value -> name, foreground only.
        protocol: see `medkd.metrics.PROTOCOLS`.
        metrics: further metrics, see `medkd.metrics.metric_names`.
        nsd_mm: tolerance of "nsd" in mm, in pixels for images.
        is_agreement: whether the label maps are a teacher's: the metrics are then named as agreement with it.
    """

    def __init__(
        self,
        output_dir: str | Path,
        classes: Mapping[int, str],
        protocol: str = "whole",
        metrics: str | Sequence[str] = (),
        nsd_mm: float = 2.0,
        is_agreement: bool = False,
    ) -> None:
        self.folder = RunFolder(output_dir)
        self.classes = dict(classes)
        self.protocol = protocol
        self.metrics = metric_names(metrics)
        self.nsd_mm = nsd_mm
        self.is_agreement = is_agreement
        self.cases: list[list[dict[str, Any]]] = []
        self.unit = "voxels"
        self.bins: list[np.ndarray] = []  # of each case (K - 1, 3, bins)

    def attach(self, evaluator: SupervisedEvaluator) -> None:
        """Register the handler at an evaluator."""
        evaluator.add_event_handler(Events.STARTED, self._start)
        evaluator.add_event_handler(Events.ITERATION_COMPLETED, self)
        evaluator.add_event_handler(Events.COMPLETED, self._write)

    def _start(self, evaluator: SupervisedEvaluator) -> None:
        self.cases.clear()
        self.bins.clear()

    def __call__(self, evaluator: SupervisedEvaluator) -> None:
        """Compute the metrics of the cases of a batch."""
        for item, output in zip(evaluator.state.batch, evaluator.state.output, strict=True):
            rows = self._rows(output["pred"], output["label"])
            if (raw := output.get("pred_raw")) is not None:
                removed = _removed(output["pred"], raw, self.classes)
                before = self._rows(raw, output["label"])
                rows = [
                    {**row, **_raw(r), "removed_voxels": n} for row, r, n in zip(rows, before, removed, strict=True)
                ]
            if "ece" in self.metrics:
                self.bins.append(output["calibration"])
                errors = map(expected_calibration_error, self.bins[-1])
                rows = [{**row, "ece": error} for row, error in zip(rows, errors, strict=True)]
            names = {"protocol": self.protocol, "patient": str(item.get("patient", item["case"]))}
            self.cases.append([{"case": item["case"], **row, **names} for row in rows])

    def _rows(self, prediction: Tensor, label: Tensor) -> list[dict[str, Any]]:
        spacing, volume = _voxel(label)
        self.unit = "voxels" if label.ndim == 4 else "pixels"
        labels = _without_meta_data(prediction), _without_meta_data(label)
        return case_metrics(*labels, self.classes, spacing, self.protocol, volume, self.metrics, self.nsd_mm)

    def _write(self, evaluator: SupervisedEvaluator) -> None:
        total = _number_of_cases(evaluator, self.cases)
        cases = gather_in_order(self.cases, total)
        bins = gather_in_order(self.bins, total) if "ece" in self.metrics else []
        if is_main_process():
            if len(bins):
                classes = zip(self.classes.values(), np.stack([*bins], axis=1), strict=True)
                self.folder.write_calibration({name: reliability(of_class) for name, of_class in classes})
            self._write_rows([row for rows in cases for row in rows])
        barrier()  # overlays read the table

    def _write_rows(self, rows: list[dict[str, Any]]) -> None:
        if not _has_patients(rows):  # each case is a patient, or patients are unknown
            rows = [{name: value for name, value in row.items() if name != "patient"} for row in rows]
        table = pd.DataFrame(rows)
        table = table[[*_FIRST_COLUMNS, *(column for column in table if column not in _FIRST_COLUMNS)]]
        summary = summarise(rows)
        self.folder.write_metrics(table, self.is_agreement)
        self.folder.write_summary(summary, self.is_agreement)
        for name, metrics in summary.items():
            of_class = [row for row in rows if row["class"] == name]
            self._print_class(name, metrics, of_class)

    def _print_class(
        self, name: str, metrics: Mapping[str, Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]
    ) -> None:
        kind = "pictures" if self.unit == "pixels" else "cases"
        over = f" over {len(rows)} {kind}" if "patient" in rows[0] else ""
        title = f"{name} [{self.protocol}]{', agreement with the teacher' if self.is_agreement else ''}"
        note = _note(metrics, "the teacher's label" if self.is_agreement else "ground truth")
        print(f"{title}{over}: {_values(metrics)}; {note}")
        if "patient" in rows[0]:
            count = len({row["patient"] for row in rows})
            values = _values(metrics, "mean_over_patients", "std_over_patients", "patients")
            print(f"{title} over {count} patient(s), each the mean of its {kind}: {values}")
        if "removed_voxels" in metrics:
            print(_line_of_removed(name, metrics, [row["removed_voxels"] for row in rows], self.unit))


def _has_patients(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether several cases are of one patient."""
    return len({row["patient"] for row in rows}) < len({row["case"] for row in rows})


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


def _raw(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of a raw prediction that are not those of the cleaned one."""
    return {f"{name}{RAW}": value for name, value in row.items() if name not in _OF_TRUTH}


def _removed(prediction: Tensor, raw: Tensor, classes: Mapping[int, str]) -> list[int]:
    """Return the number of voxels of each class that became background."""
    return [int((raw == value).sum()) - int((prediction == value).sum()) for value in classes]


def _line_of_removed(name: str, metrics: Mapping[str, Mapping[str, Any]], counts: Sequence[int], unit: str) -> str:
    values = " ".join(
        f"{key} {metrics[key + RAW]['mean']:.4f}" for key in ("dice", "iou", "hd95") if metrics[key + RAW]["n"]
    )
    return (
        f"{name}: components removed: {sum(counts)} {unit} in {sum(map(bool, counts))} of {len(counts)} cases; "
        f"before: {values}"
    )


def _values(
    metrics: Mapping[str, Mapping[str, Any]], mean: str = "mean", deviation: str = "std", number: str = "n"
) -> str:
    """Return the printed metrics that have a value; the names are those of `summarise`."""
    return " ".join(
        f"{key} {metrics[key][mean]:.4f} ± {metrics[key][deviation]:.4f} (n={metrics[key][number]})"
        for key in _PRINTED
        if key in metrics and metrics[key][number]
    )


def _note(metrics: Mapping[str, Mapping[str, Any]], reference: str) -> str:
    missed, empty, alarms = (_count(metrics[key]) for key in ("missed", "empty_truth", "false_alarm"))
    note = f"{missed} missed; without {reference}: {empty} of {metrics['empty_truth']['n']} cases"
    return note + (f", false alarms in {alarms} of these" if empty else "")


def _count(metric: Mapping[str, Any]) -> int:
    """Return how many cases have a property, from the mean of its zeros and ones."""
    return round(metric["mean"] * metric["n"]) if metric["n"] else 0
