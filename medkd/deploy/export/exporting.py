"""Write a student in another format, measure the file against the original, and report both: `medkd export`."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from medkd.runs.errors import UsageError, did_you_mean
from medkd.runs.files import write_atomically
from medkd.runs.lock import FolderLock

from .calibration import sample_windows
from .comparison import compare
from .formats import save_onnx, write_onnx, write_torchscript
from .measuring import measure_onnx, measured_of
from .reporting import print_report, warnings_of
from .trained_student import TrainedStudent

__all__ = ["FORMATS", "check_format", "check_packages", "export"]

FORMATS = {"torchscript": "student.ts", "onnx": "student.onnx", "onnx-int8": "student_int8.onnx"}
_PACKAGES = {"onnx": ("onnx", "onnxscript", "onnxruntime"), "onnx-int8": ("onnx", "onnxscript", "onnxruntime")}
# names in the report where the label maps are a teacher's
_AGREEMENT = {"dice": "agreement_dice", "dice_by_case": "agreement_dice_by_case"}


def check_format(form: str) -> None:
    """Check that a format exists and that its packages are installed.

    Raises:
        ValueError: names the formats, or the missing packages.
    """
    if form not in FORMATS:
        hint = did_you_mean(form, FORMATS, count=1, cutoff=0.4)
        raise UsageError(f"--format {form}: expected {', '.join(FORMATS)}" + (f" ({hint})" if hint else ""))
    check_packages(f"--format {form}", _PACKAGES.get(form, ()))


def check_packages(option: str, names: Sequence[str]) -> None:
    """Check that packages are installed.

    Args:
        option: that needs them, as it is typed.
        names: of the packages.

    Raises:
        ValueError: names the missing ones.
    """
    if missing := [name for name in names if find_spec(name) is None]:
        extras = "export,openvino" if "openvino" in missing else "export"
        raise ValueError(f'{option} needs {", ".join(missing)}: pip install -e ".[{extras}]" in the clone of medkd')


def export(task: str, form: str, config: dict[str, Any], calibration_windows: int = 32) -> Path:
    """Write a student in a format, and beside it ``<file>.json`` with the results of the comparison.

    Args:
        task: name of the bundle.
        form: one of `FORMATS`.
        config: the configuration of `medkd evaluate`, with all options applied.
        calibration_windows: training windows from which int8 takes its ranges.

    Returns:
        The file.

    Raises:
        FileExistsError: if the file exists, or if another process writes into its folder.
        FileNotFoundError: see `TrainedStudent`.
        ValueError: see `check_format` and `TrainedStudent`.
    """
    check_format(form)
    if calibration_windows < 1:
        raise UsageError(f"--calibration_windows: found {calibration_windows}, expected a whole number from 1 on")
    path = Path(config["output_dir"]) / FORMATS[form]
    report_path = path.with_name(f"{path.name}.json")
    for file in (path, report_path):
        if file.exists():
            raise FileExistsError(
                f"--output_dir {config['output_dir']}: {file.name} is there already: choose another folder"
            )
    trained = TrainedStudent(task, config)
    trained.description = dataclasses.replace(trained.description, format=form)
    split = trained.value("part")
    trained.cases(split)  # a fault of the data set is told before anything is written
    if form == "onnx-int8" and split != "test":
        raise UsageError(f"--part: found {split}, expected test: int8 is calibrated on the other splits")
    report = _describe(trained, form, split)
    if path.parent.is_dir():
        FolderLock(path.parent).acquire()  # removes what a killed export left there

    def write(temporary: Path) -> None:
        if form == "torchscript":
            report.update(_write_torchscript(trained, temporary, split))
        else:
            report.update(_write_onnx(trained, form, temporary, split, calibration_windows))

    write_atomically(path, write)
    report["megabytes"] = round(path.stat().st_size / 1e6, 3)
    report["warnings"] = warnings_of(report, trained.is_agreement)
    text = json.dumps(_with_agreement(report) if trained.is_agreement else report, indent=2)
    try:
        write_atomically(report_path, lambda file: file.write_text(text))
    except BaseException:
        path.unlink()  # both files or neither
        raise
    print_report(path, report, trained.is_agreement)
    return path


def _describe(trained: TrainedStudent, form: str, split: str) -> dict[str, Any]:
    spec = trained.description
    sizes = "any" if spec.multiple == 1 else f"multiples of {spec.multiple}"
    return {
        "task": spec.task,
        "format": form,
        "version": spec.version,
        "model": str(trained.model),
        "input": f"(batch, {spec.channels}, *spatial): float32, any batch, edges: {sizes}",
        "parameters": sum(parameter.numel() for parameter in trained.network.parameters()),
        "part": split,
    }


def _with_agreement(report: dict[str, Any]) -> dict[str, Any]:
    """Return a report whose Dice has another name, as it compares with a teacher's label maps."""
    renamed = {_AGREEMENT.get(name, name): value for name, value in report.items()}
    return renamed | {"runtimes": [*map(_with_agreement, report["runtimes"])]} if "runtimes" in report else renamed


def _write_torchscript(trained: TrainedStudent, path: Path, split: str) -> dict[str, Any]:
    """Write and measure TorchScript; return its part of the report."""
    write_torchscript(trained.network, trained.description, path)
    networks = {"torchscript": torch.jit.load(str(path))}
    tools = (trained.preprocessing, trained.inferer, trained.postprocessing, trained.description.classes)
    return compare(trained.network, networks, trained.cases(split), *tools)["torchscript"]


def _write_onnx(trained: TrainedStudent, form: str, path: Path, split: str, window_count: int) -> dict[str, Any]:
    """Write and measure an ONNX file; return its part of the report."""
    import onnx

    with TemporaryDirectory(dir=path.parent, prefix=f".partial-{os.getpid()}-") as folder:
        floats = path if form == "onnx" else Path(folder) / "floats.onnx"
        write_onnx(trained.network, trained.description, floats)
        report = {} if form == "onnx" else _write_int8(trained, floats, path, window_count)
        report |= measure_onnx(trained, path, floats, split)
    # what was measured goes into the file: inference reads nothing else
    labels = f"{split} split" + (", agreement with the teacher" if trained.is_agreement else "")
    save_onnx(onnx.load(path), trained.description, path, measured_of(report, labels))
    return report


def _write_int8(trained: TrainedStudent, floats: Path, path: Path, window_count: int) -> dict[str, Any]:
    """Write an int8 file, and return the entry of the calibration for the report."""
    from .int8 import write_int8  # imports onnx

    seed, tools = int(trained.value("seed")), (trained.preprocessing, trained.inferer)
    training = sample_windows(trained.cases("training"), *tools, window_count, seed)
    validation = sample_windows(trained.cases("validation"), *tools, window_count, seed)
    result = write_int8(floats, trained.description, path, training, validation)
    sizes = {"training_windows": len(training), "validation_windows": len(validation), "seed": seed}
    return {"calibration": {**sizes, **result}}
