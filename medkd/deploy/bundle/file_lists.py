"""Let a packed training take lists of labelled files, which MONAI Label writes over ``train::dataset::data``.

A list is prepared as a data set, with the settings of the model, before the data sets of the training are built. These stand
under another id, and ``train::dataset`` holds nothing but the list.
"""

from __future__ import annotations

import re
from typing import Any

from .references import reachable
from .student import Student

__all__ = ["FIRST_STEPS", "LAST_STEP", "accept_lists", "rename_datasets"]

FIRST_STEPS = (
    # programs also create this workflow to ask for its network, where medkd is not installed
    "$find_spec('medkd') or sys.exit('medkd: error: this training needs medkd in the environment of the program that runs it: "
    "see docs/README.md of the bundle')",
    "$@prepared_lists",
)
LAST_STEP = "$labelled_files.publish(@train::dataset::data, @bundle_root, @output_dir)"

_DATASET = re.compile(r"\b(train|validate)::dataset\b")
_IMPORTS = ["$from importlib.util import find_spec", "$import medkd.data_prep.labelled_files as labelled_files"]
_FOLDER = "$@bundle_root + ('/{}' if @train::dataset::data is None else '/trained_on_lists/{}')"
_VALIDATION = "'training' if @train::dataset::data and not @validate::dataset::data else 'validation'"


def rename_datasets(value: Any) -> Any:
    """Return a configuration whose references to the data sets of training and validation name those of `accept_lists`.

    Example:
        >>> rename_datasets({"train::dataset::data": "@validate::dataset", "path": "@dataset_dir"})
        {'train::samples::data': '@validate::samples', 'path': '@dataset_dir'}
    """
    if isinstance(value, dict):
        return {_rename(key): rename_datasets(item) for key, item in value.items()}
    return [rename_datasets(item) for item in value] if isinstance(value, list) else _rename(value)


def accept_lists(train: dict[str, Any], student: Student) -> dict[str, Any]:
    """Return the configuration of a training that takes lists of labelled files, or a prepared data set.

    Args:
        train: the configuration, with the values of the student's training.
        student: the model.
    """
    steps = {name: train[name] for name in ("run", "finalize")}  # they name the lists
    config = {**rename_datasets(train), **steps}
    for name in ("train", "validate"):
        config[name] = {**config[name], "dataset": {"data": None}, "samples": config[name]["dataset"]}
    config["validate"]["samples"] |= {"data": f"$data.load_datalist(@dataset_dir, {_VALIDATION}, @validate::reference)"}
    config["test"] |= {"part": f"$'test' if @train::dataset::data is None else {_VALIDATION}"}
    config["prepared_lists"] = {
        "_target_": "medkd.data_prep.labelled_files.prepare_lists",
        "training": "@train::dataset::data",
        "validation": "@validate::dataset::data",
        "bundle_root": "@bundle_root",
        "form": train.get("form", "rgb") if "Picture" in student.inference["reader"]["_target_"] else None,
        "classes": "@classes",
        # those of a user's own data stand in its data list, and equal the classes in that of the lists
        "values": "@values" if "values" in train and "dataset_dir" not in reachable(train, "values") else None,
        "per_case": train.get("per_case", False),
        "channels": train.get("channels", ["image"]),
    }
    if student.mode == "2d" and "dataset_dir" in reachable(train, "spacing"):
        # a network of slices has none, and the lists do not tell it
        config["spacing"] = f"$None if @train::dataset::data else {train['spacing'].removeprefix('$')}"
    folders = {"dataset_dir": _FOLDER.format("data", "data"), "output_dir": _FOLDER.format("output", "run")}
    return {**config, "imports": [*_IMPORTS, *config["imports"]], **folders}


def _rename(value: Any) -> Any:
    return _DATASET.sub(r"\1::samples", value) if isinstance(value, str) else value
