"""The docs/README.md of a packed bundle: the model, its use and its training."""

from __future__ import annotations

import math
from typing import Any

import medkd
from medkd.runs.escapes import markdown_cell, markdown_text

from .student import Student

__all__ = ["render_page"]

# Options whose names contain one of these describe the machine of the training, not the model.
_OMITTED = (
    *("_dir", "_root", "teacher", "assistant", "imagenet21k", "device", "resume", "mlflow"),
    *("run", "initialize", "imports"),
)

_PAGE = """\
# {title}

{description}. {intended_use}.
Packed by medkd {version}. The licence is in `LICENSE`, that of the data in `docs/data_license.txt`.

## Use

Needs Python 3.11 or later, MONAI {monai}, PyTorch {torch}, and: {packages}.
It does not need medkd. The configuration holds all values of the training, so no further option is needed.
```
python -m monai.bundle run --config_file {name}/configs/inference.json --bundle_root {name} \\
       --input IMAGES --output_dir PREDICTIONS
```
`--input` is {kinds}, or a folder of these. `--save_probabilities True` writes the probabilities too.
The network with its weights, in Python:
```
network = monai.bundle.load("{name}", bundle_dir="THE_FOLDER_AROUND_IT", workflow_type="inference")
```
A configuration of MONAI executes code: run only bundles that you trust.

{use_in_programs}{how_to_train}## Options of the training

{training}

## Test metrics

{metrics}

## References

{references}
"""

_TRAINING = """\
## Training

`configs/train.json` and its overlays (`distill.json`, `teacher.json`, `evaluate.json`, ...) **need medkd** (version
{version}) and a data set that `medkd prepare {task}` wrote. So do federated clients (`monai.fl.client.MonaiAlgo`). A client
that has trained leaves a whole run in `output_dir` when it ends: the weights of its own best validation, their test on its own
test cases, record, environment. The commands of medkd read the folder.
```
python -m monai.bundle run --config_file {name}/configs/train.json --bundle_root {name} --dataset_dir DATA --output_dir RUN
python -m monai.bundle run --config_file "['{name}/configs/train.json','{name}/configs/distill.json']" --bundle_root {name} \\
       --teacher TEACHER --dataset_dir DATA --output_dir DISTILLED
```

"""
_WITHOUT_TRAINING = """\
## Training

This bundle was packed without the configurations of a training (`--inference_only`).

"""
_PROGRAMS = """\
## In other programs

MONAI Label: copy the folder into `model/` of its app `monaibundle`.{label_files}{trainer}
MONAI Deploy: `MonaiBundleInferenceOperator` takes the folder as `bundle_path`, with `image` in and `pred` out.{axes}

"""

_LABEL_FILES = """
It writes a label in the format of the picture. JPEG changes the numbers of classes: send `result_extension` `.png` with a
request for a JPEG picture.
"""

_SEVERAL = """\
both programs hand over one file for a case, so all channels ({names}) are in one 4-D file, or
in MONAI Deploy in one array with the channels last. Files of single channels are refused there."""

_TRAINER = """
Its trainer **needs medkd** in the environment of the server. It goes on from `models/model.pt` with the options of the training
below, on the images that are labelled in the server. A label holds the classes that the model predicts. The folder
`trained_on_lists` of the bundle then holds the data set and the run, measured on the validation images; the model of the best
epoch replaces `models/model.pt`. Without validation images the training images choose that epoch. For a server without a
trainer: `--conf skip_trainers true`, or a bundle that was packed with `--inference_only`.
"""


def render_page(student: Student, name: str, metadata: dict[str, Any], inference_only: bool = False) -> str:
    """Return the text of the page.

    Args:
        student: the model.
        name: of the bundle's folder.
        metadata: what `bundle_metadata` returned.
        inference_only: whether the bundle lacks the configurations of a training.
    """
    is_picture = student.inference["images"]["_target_"].endswith(".find_pictures")
    channels = metadata["network_data_format"]["inputs"]["image"]["channel_def"].values()
    axes = " Volumes of several channels: " + _SEVERAL.format(names=", ".join(channels)) if len(channels) > 1 else ""
    if is_picture:
        axes = f" Pictures have the axes columns, rows{', channels' if len(channels) > 1 else ''}, as MONAI reads them."
    scans, pictures = (
        "a NIfTI, NRRD or MetaImage file, a folder with a DICOM series",
        "a .png, .jpg, .bmp or .tif picture",
    )
    programs = _PROGRAMS.format(
        label_files=_LABEL_FILES.rstrip("\n") if is_picture else "",
        trainer="" if inference_only else _TRAINER,
        axes=axes,
    )
    how_to_train = _WITHOUT_TRAINING if inference_only else _TRAINING
    return _PAGE.format(
        use_in_programs=programs,
        how_to_train=how_to_train.format(name=name, task=student.task, version=medkd.__version__),
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
        kinds=pictures if is_picture else scans,
        training="\n".join(_training_lines(student)),
        metrics="\n".join(_metrics_lines(student.summary)),
        references="\n".join(f"- {reference}" for reference in metadata["references"]),
    )


def _training_lines(student: Student) -> list[str]:
    if not student.record:
        return ["There was no record of the training. Options of `medkd pack`:", "", *_table(student.values)]
    options = {**student.record, **student.values, **student.trained_with}
    lines = _table({name: value for name, value in sorted(options.items()) if _is_public(name, value)})
    versions = student.environment.get("versions", {})
    packages = ", ".join(f"{package} {version}" for package, version in versions.items())
    if packages:
        lines += ["", markdown_text(f"Trained with {packages}. Started: {student.environment.get('started')}.")]
    return lines


def _is_public(name: str, value: Any) -> bool:
    """Return whether an option is a plain value that does not name a path of the training's machine."""
    if any(omitted in name for omitted in _OMITTED) and not name.startswith("teacher_w"):
        return False
    if isinstance(value, dict):
        return name in ("classes", "method_args") and bool(value)
    items = value if isinstance(value, list) else [value]
    return value is not None and all(
        isinstance(item, int | float) or (isinstance(item, str) and not _is_path_or_expression(item)) for item in items
    )


def _is_path_or_expression(text: str) -> bool:
    """Return whether a text depends on the machine of the training."""
    return text.startswith(("$", "@", "%")) or "/" in text or "\\" in text


def _table(values: dict[str, Any]) -> list[str]:
    return [
        "| option | value |",
        "| --- | --- |",
        *(f"| {markdown_cell(name)} | {markdown_cell(value)} |" for name, value in values.items()),
    ]


def _metrics_lines(summary: dict[str, Any]) -> list[str]:
    if not summary:
        return ["The run had no test metrics when the model was packed."]
    rows = [
        f"| {markdown_cell(name)} | {markdown_cell(metric)} | {entry['mean']:.4f} | {entry['std']:.4f} | {entry['n']} |"
        for name, metrics in summary.items()
        for metric, entry in metrics.items()
        if entry["mean"] is not None and not math.isnan(entry["mean"])
    ]
    return [
        "Measured by the run on whole test cases (n: cases for which the metric is defined).",
        "",
        "| class | metric | mean | std | n |",
        "| --- | --- | --- | --- | --- |",
        *rows,
    ]
