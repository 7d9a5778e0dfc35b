"""Inference case by case: a file that cannot be used is named, and the others go on."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from monai.data import Dataset, list_data_collate
from monai.engines import SupervisedEvaluator
from torch.utils.data import DataLoader
from tqdm import tqdm

from medkd.runs.errors import ALL_BACKGROUND, counted, one_line_errors

from .pipeline import read_ahead

if TYPE_CHECKING:
    from medkd.io.label_format import LabelFormat
    from medkd.io.volume_table import VolumeTable
    from medkd.runs.predicted import PredictedCases

__all__ = ["infer_each"]


def infer_each(
    evaluator: SupervisedEvaluator,
    predicted: PredictedCases | None = None,
    volumes: VolumeTable | None = None,
    label_format: LabelFormat | None = None,
) -> None:
    """Run an evaluator, whose postprocessing writes the predictions, on one case after the other.

    A bar shows the finished cases and the time left. Each case that failed is one line on standard error.

    Args:
        evaluator: its data loader has a data set whose ``data`` are items with "case" and "image" (the path).
        predicted: the cases that an interrupted call has finished, which are skipped; None: there are none.
        volumes: the file of the volumes of the predictions; None: there is none.
        label_format: of the predictions, which checks each image; None: any image will do.

    Raises:
        ValueError: at the end, when any case failed; the predictions of the others are written by then.
    """
    assert isinstance(evaluator.data_loader, DataLoader) and isinstance(evaluator.data_loader.dataset, Dataset)
    dataset = evaluator.data_loader.dataset
    with predicted or nullcontext():
        indices = predicted.remaining(dataset.data) if predicted else list(range(len(dataset)))
        if volumes:
            volumes.begin([dataset.data[index]["case"] for index in indices])
        failed, is_empty = _infer(evaluator, dataset, indices, predicted, volumes, label_format)
    if volumes and len(failed) < len(dataset.data):
        print(volumes.summary([item["case"] for item in dataset.data]), flush=True)
    if is_empty and len(failed) < len(indices):
        print(ALL_BACKGROUND, flush=True)
    if failed and len(failed) == len(dataset.data):
        raise ValueError(
            f"{len(failed)} of {counted(len(failed), 'case')} failed, nothing was written: {', '.join(failed)}"
        )
    if failed:
        raise ValueError(f"{len(failed)} of {len(dataset.data)} cases failed: {', '.join(failed)}")


def _infer(
    evaluator: SupervisedEvaluator,
    dataset: Dataset,
    indices: list[int],
    predicted: PredictedCases | None,
    volumes: VolumeTable | None,
    label_format: LabelFormat | None,
) -> tuple[list[str], bool]:
    """Return the names of the failed cases, and whether all predictions are background."""
    failed, is_empty = [], True
    with read_ahead(partial(_read, dataset, label_format), indices) as samples:
        bar = tqdm(samples, total=len(indices), desc="infer", unit="case", disable=None)
        for index, take in bar:
            item = dataset.data[index]
            first = _first_file(item)
            bar.set_postfix_str(item["case"])
            try:
                sample = take()
            except Exception as error:
                # an engine that failed once does not run again, so files are read outside of it
                message = one_line_errors(error)
                if message is None:
                    raise
                failed.append(item["case"])
                name = "" if first in message else f"{first}: "
                tqdm.write(f"{name}{message}", file=sys.stderr)
                continue
            evaluator.data_loader = [list_data_collate([sample])]
            del sample  # a copy of the scan
            evaluator.state.epoch_length = 1
            evaluator.run()
            is_empty = is_empty and not any(bool(output["pred"].any()) for output in evaluator.state.output)
            removed = _add_volumes(volumes, item["case"], evaluator.state.output[0]) if volumes else ""
            if predicted:
                predicted.add(item["case"], item["image"])
            tqdm.write(f"{first}: done{removed}", file=sys.stdout)
    return failed, is_empty


def _read(dataset: Dataset, label_format: LabelFormat | None, index: int) -> Any:
    """Read and preprocess a case."""
    item = dataset.data[index]
    if reason := item.get("refused"):
        raise ValueError(reason)
    if label_format:
        label_format.check_source(_first_file(item))
    return dataset[index]


def _first_file(item: Mapping[str, Any]) -> str:
    return item["image"] if isinstance(item["image"], str) else item["image"][0]


def _add_volumes(volumes: VolumeTable, case: str, output: Mapping[str, Any]) -> str:
    """Add a case to the file of volumes, and return what was removed of its prediction."""
    labels, raw = output["pred"], output.get("pred_raw")
    arrays = [None if image is None else image.as_tensor()[0].cpu().numpy() for image in (labels, raw)]
    assert arrays[0] is not None
    return volumes.add(case, arrays[0], labels.affine.cpu().numpy(), arrays[1])
