"""docs/README.md of a packed bundle: what it is, how it is used, what it was trained with."""

from __future__ import annotations

import math
from typing import Any

import medkd

from .student import Student

__all__ = ["page"]

_PATHS = (
    "_dir",
    "_root",
    "teacher",
    "assistant",
    "imagenet21k",
    "device",
    "resume",
    "mlflow",
    "run",
    "initialize",
    "imports",
)


_PAGE = """\
# {title}

{description}. {intended_use}.
Packed by medkd {version}; licence: `LICENSE`, that of the data: `docs/data_license.txt`.

## Use

Needs Python 3.11 or later, MONAI {monai}, PyTorch {torch}, and: {packages}.
medkd is not needed, nor any option: all that the model was trained with is in its configuration.
```
python -m monai.bundle run --config_file {name}/configs/inference.json --bundle_root {name} \\
       --input IMAGES --output_dir PREDICTIONS
```
`--input` is {kinds}, or a folder of these; `--save_probabilities True` writes these as well.
The network with its weights, in Python:
```
network = monai.bundle.load("{name}", bundle_dir="THE_FOLDER_AROUND_IT")
```
A configuration of MONAI executes code: run bundles that you trust.

## Training

`configs/train.json` and what lies over it (`distill.json`, `teacher.json`, `evaluate.json`, ...) **need medkd** (this is of
version {version}) and a data set that `medkd prepare {task}` made; so do federated clients (`monai.fl.client.MonaiAlgo`).
```
python -m monai.bundle run --config_file {name}/configs/train.json --bundle_root {name} --dataset_dir DATA --output_dir RUN
python -m monai.bundle run --config_file "['{name}/configs/train.json','{name}/configs/distill.json']" --bundle_root {name} \\
       --teacher TEACHER --dataset_dir DATA --output_dir DISTILLED
```

## What the model was trained with

{training}

## Test metrics

{metrics}

## References

{references}
"""


def page(student: Student, name: str, metadata: dict[str, Any]) -> str:
    """The page of a bundle folder called ``name``."""
    kinds = ("a NIfTI, NRRD or MetaImage file, a folder with a DICOM series", "a .png, .jpg, .bmp or .tif picture")
    pictures = metadata["network_data_format"]["inputs"]["image"]["num_channels"] == 3
    return _PAGE.format(
        title=metadata["name"],
        description=metadata["description"],
        intended_use=metadata["intended_use"],
        version=medkd.__version__,
        monai=metadata["monai_version"],
        torch=metadata["pytorch_version"],
        packages=", ".join(
            f"{package} {version}" for package, version in metadata["required_packages_version"].items()
        ),
        name=name,
        task=student.task,
        kinds=kinds[pictures],
        training="\n".join(_training(student)),
        metrics="\n".join(_metrics(student.summary)),
        references="\n".join(f"- {reference}" for reference in metadata["references"]),
    )


def _training(student: Student) -> list[str]:
    if not student.record:
        return ["No record of the training was there when it was packed. Given then:", "", *_table(student.values)]
    values = {**student.record, **student.values, **student.trained_with}
    shown = {name: value for name, value in sorted(values.items()) if _is_said(name, value)}
    versions = student.environment.get("versions", {})
    about = ", ".join(f"{package} {version}" for package, version in versions.items())
    return [*_table(shown), *(["", f"With {about}; begun {student.environment.get('started')}."] if about else [])]


def _is_said(name: str, value: Any) -> bool:
    """Plain values alone, and no path of the machine of the training."""
    if any(part in name for part in _PATHS) and not name.startswith("teacher_w"):
        return False
    if isinstance(value, dict):
        return name in ("classes", "method_args") and bool(value)
    parts = value if isinstance(value, list) else [value]
    return value is not None and all(
        isinstance(part, int | float) or (isinstance(part, str) and not _names_a_place(part)) for part in parts
    )


def _names_a_place(text: str) -> bool:
    """An expression, or a path: whatever its id is called, it means something on the machine of the training alone."""
    return text.startswith(("$", "@", "%")) or "/" in text or "\\" in text


def _table(values: dict[str, Any]) -> list[str]:
    return ["| option | value |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in values.items())]


def _metrics(summary: dict[str, Any]) -> list[str]:
    if not summary:
        return ["None were there when it was packed."]
    rows = [
        f"| {name} | {metric} | {entry['mean']:.4f} | {entry['std']:.4f} | {entry['n']} |"
        for name, metrics in summary.items()
        for metric, entry in metrics.items()
        if entry["mean"] is not None and not math.isnan(entry["mean"])
    ]
    return [
        "Of whole test cases, by the run itself (n: cases that the metric is defined for).",
        "",
        "| class | metric | mean | std | n |",
        "| --- | --- | --- | --- | --- |",
        *rows,
    ]
