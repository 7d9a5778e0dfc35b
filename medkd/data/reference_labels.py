"""A teacher's label maps in the place of labels, where a data set has none: metrics are then agreement with the teacher."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn
from tqdm import tqdm

from medkd.io import image_files, one_or_list
from medkd.io.paths import PathLike
from medkd.parallel.group import barrier, is_main_process, progress_disabled
from medkd.runs.files import write_atomically

from .datalist import WITHOUT_LABELS, read_datalist, reference_path
from .dataset_properties import dataset_property
from .volume_store import SUFFIX, read_volume, write_volume

__all__ = ["agreement_metric", "has_labels", "reference_folder", "write_reference_labels"]

FOLDER = "teacher_labels"
SPLITS = ("validation", "test")


def has_labels(dataset_dir: PathLike) -> bool:
    """Return whether the cases of a data set have labels."""
    return not dataset_property(dataset_dir, WITHOUT_LABELS, False)


def reference_folder(model: PathLike) -> str:
    """Return the folder of the teacher's label maps of a run.

    Args:
        model: folder of the run, or a file in it.
    """
    path = Path(model)
    return str((path if path.is_dir() else path.parent) / FOLDER)


def agreement_metric(dataset_dir: PathLike, metric: Mapping[str, Any]) -> dict[str, Any]:
    """Return the key metric of a validation, named as agreement where the data set has no labels.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "datalist.json").write_text('{"without_labels": true}')
        ...     agreement_metric(folder, {"val_mean_dice": None})
        {'val_agreement_dice': None}
    """
    return dict(metric) if has_labels(dataset_dir) else {"val_agreement_dice": next(iter(metric.values()))}


@torch.no_grad()
def write_reference_labels(
    dataset_dir: PathLike,
    output_dir: PathLike,
    teacher: nn.Module,
    inferer: Callable[..., Any],
    preprocessing: Callable[[Any], Any],
    postprocessing: Callable[[Any], Any],
    classes: Mapping[int, str],
    resume: bool = False,
) -> str:
    """Write the teacher's label map of each validation and test case of a data set without labels; else do nothing.

    Of several processes, the main process writes.

    Args:
        dataset_dir: folder of the prepared data set.
        output_dir: folder of the run.
        teacher: returns logits of the task's classes.
        inferer: runs a network over a whole case.
        preprocessing: from an entry of the data list to ``image``.
        postprocessing: from the logits ``pred`` to labels, on the grid of the stored image.
        classes: class of the task -> name.
        resume: keep the label maps that an earlier part of the run wrote.

    Returns:
        Folder of the label maps.
    """
    folder = Path(output_dir) / FOLDER
    if has_labels(dataset_dir):
        return str(folder)
    if is_main_process():
        datalist = read_datalist(dataset_dir)
        entries = [entry for split in SPLITS for entry in datalist.get(split, [])]
        kept = [entry for entry in entries if resume and Path(reference_path(folder, entry)).is_file()]
        predict = partial(_predict, teacher, inferer, preprocessing, postprocessing)
        numbers = {name: int(value) for value, name in datalist["labels"].items()}
        table = np.arange(256, dtype=np.uint8)  # class of the task -> label value of the data set
        table[list(classes)] = [numbers[name] for name in classes.values()]
        teacher.eval()
        for entry in tqdm(entries, "teacher's label maps", unit="case", disable=progress_disabled()):
            if entry not in kept:
                labels = table[predict(Path(dataset_dir), entry)]
                _write(Path(reference_path(folder, entry)), labels, _images(Path(dataset_dir), entry)[0])
        print(f"no labels: the teacher's label maps of {len(entries)} validation and test cases stand in their place")
    barrier()
    return str(folder)


def _images(dataset_dir: Path, entry: Mapping[str, Any]) -> list[str]:
    return [str(dataset_dir / name) for name in image_files(entry["image"])]


def _predict(
    teacher: nn.Module,
    inferer: Callable[..., Any],
    preprocessing: Callable[[Any], Any],
    postprocessing: Callable[[Any], Any],
    dataset_dir: Path,
    entry: Mapping[str, Any],
) -> np.ndarray:
    """Return the classes of a whole case, on the grid of its stored image."""
    device = next((parameter.device for parameter in teacher.parameters()), torch.device("cpu"))
    item = preprocessing({"image": one_or_list(_images(dataset_dir, entry)), "case": entry["case"]})
    item["pred"] = inferer(item["image"][None].to(device), teacher)[0]
    return np.asarray(postprocessing(item)["pred"].cpu())[0].astype(np.uint8)


def _write(path: Path, labels: np.ndarray, image: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == SUFFIX:
        write_volume(path, labels, read_volume(image)[1])
    else:
        write_atomically(path, lambda temporary: Image.fromarray(labels).save(temporary, format="PNG"))
