"""Inference case by case: a file that cannot be used is named, and the others go on."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING

from monai.data import Dataset, list_data_collate
from monai.engines import SupervisedEvaluator
from torch.utils.data import DataLoader
from tqdm import tqdm

from medkd.runs.errors import one_line_errors

if TYPE_CHECKING:
    from medkd.runs.predicted import PredictedCases

__all__ = ["infer_each"]


def infer_each(evaluator: SupervisedEvaluator, predicted: PredictedCases | None = None) -> None:
    """Run an evaluator, whose postprocessing writes the predictions, on one case after the other.

    A bar shows the finished cases and the time left. Each case that failed is one line on standard error.

    Args:
        evaluator: its data loader has a data set whose ``data`` are items with "case" and "image" (the path).
        predicted: the cases that an interrupted call has finished, which are skipped; None: there are none.

    Raises:
        ValueError: at the end, when any case failed; the predictions of the others are written by then.
    """
    assert isinstance(evaluator.data_loader, DataLoader) and isinstance(evaluator.data_loader.dataset, Dataset)
    dataset = evaluator.data_loader.dataset
    with predicted or nullcontext():
        indices = predicted.remaining(dataset.data) if predicted else list(range(len(dataset)))
        failed, is_empty = _infer(evaluator, dataset, indices, predicted)
    if is_empty and len(failed) < len(indices):
        print("note: all is background in every prediction: is it the right model for these images?", flush=True)
    if failed and len(failed) == len(dataset.data):
        raise ValueError(f"all {len(failed)} cases failed, nothing was written: {', '.join(failed)}")
    if failed:
        raise ValueError(f"{len(failed)} of {len(dataset.data)} cases failed: {', '.join(failed)}")


def _infer(
    evaluator: SupervisedEvaluator, dataset: Dataset, indices: list[int], predicted: PredictedCases | None
) -> tuple[list[str], bool]:
    """Return the names of the failed cases, and whether all predictions are background."""
    failed, is_empty = [], True
    bar = tqdm(indices, desc="infer", unit="case", disable=None)
    for index in bar:
        item = dataset.data[index]
        bar.set_postfix_str(item["case"])
        try:
            sample = dataset[index]
        except Exception as error:
            # an engine that failed once does not run again, so files are read outside of it
            message = one_line_errors(error)
            if message is None:
                raise
            failed.append(item["case"])
            name = "" if item["image"] in message else f"{item['image']}: "
            tqdm.write(f"{name}{message}", file=sys.stderr)
            continue
        evaluator.data_loader = [list_data_collate([sample])]
        del sample  # a copy of the scan
        evaluator.state.epoch_length = 1
        evaluator.run()
        is_empty = is_empty and not any(bool(output["pred"].any()) for output in evaluator.state.output)
        if predicted:
            predicted.add(item["case"], item["image"])
        tqdm.write(f"{item['image']}: done", file=sys.stdout)
    return failed, is_empty
