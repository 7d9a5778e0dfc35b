"""Case by case inference: a bad file is named and the others go on."""

from __future__ import annotations

import sys

from monai.data import list_data_collate
from monai.engines import SupervisedEvaluator
from tqdm import tqdm

from medkd.runs.errors import one_line_errors

__all__ = ["infer_each"]


def infer_each(evaluator: SupervisedEvaluator) -> None:
    """Runs the evaluator, whose postprocessing writes the predictions, on one case after the other.

    Shows a bar with the cases done and the time left, and on standard error one line for each case that failed.

    Raises:
        ValueError: at the end, when any case failed; the predictions of the others are written by then.
    """
    dataset = evaluator.data_loader.dataset
    failed, is_empty = [], True
    bar = tqdm(range(len(dataset)), desc="infer", unit="case", disable=None)
    for index in bar:
        item = dataset.data[index]
        bar.set_postfix_str(item["case"])
        try:
            sample = dataset[index]
        except Exception as error:
            # an engine that failed once does not run again: what a file can do wrong must happen outside of it
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
        tqdm.write(f"{item['image']}: done", file=sys.stdout)
    if is_empty and len(failed) < len(dataset.data):
        print("note: all is background in every prediction: is it the right model for these images?", flush=True)
    if len(failed) == len(dataset.data):
        raise ValueError(f"all {len(failed)} cases failed, nothing was written: {', '.join(failed)}")
    if failed:
        raise ValueError(f"{len(failed)} of {len(dataset.data)} cases failed: {', '.join(failed)}")
