"""Write a student in another format, measure the file against the original, and report both: `medkd export`."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from tabulate import tabulate

from medkd.runs.errors import UsageError, did_you_mean
from medkd.runs.files import write_atomically
from medkd.runs.lock import FolderLock

from .calibration import sample_windows
from .comparison import compare
from .formats import OnnxNetwork, write_onnx, write_torchscript
from .trained_student import TrainedStudent

__all__ = ["FORMATS", "check_format", "export"]

FORMATS = {"torchscript": "student.ts", "onnx": "student.onnx", "onnx-int8": "student_int8.onnx"}
_PACKAGES = {"onnx": ("onnx", "onnxscript", "onnxruntime"), "onnx-int8": ("onnx", "onnxscript", "onnxruntime")}
# A larger loss of Dice is a warning. Only int8 changes the network on purpose.
_MAX_DICE_LOSS = {"torchscript": 0.0005, "onnx": 0.0005, "onnx-int8": 0.005}
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
    if missing := [name for name in _PACKAGES.get(form, ()) if find_spec(name) is None]:
        raise ValueError(
            f'--format {form} needs {", ".join(missing)}: pip install -e ".[export]" in the clone of medkd'
        )


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
    cases = trained.cases(split)
    if form == "onnx-int8" and split != "test":
        raise UsageError(f"--part: found {split}, expected test: int8 is calibrated on the other splits")
    report = _describe(trained, form, split)
    if path.parent.is_dir():
        FolderLock(path.parent).acquire()  # removes what a killed export left there

    def write(temporary: Path) -> None:
        report.update(_write_format(trained, form, temporary, calibration_windows))
        exported = torch.jit.load(str(temporary)) if form == "torchscript" else OnnxNetwork(temporary)
        report["megabytes"] = round(temporary.stat().st_size / 1e6, 3)
        tools = (trained.preprocessing, trained.inferer, trained.postprocessing, trained.description.classes)
        report.update(compare(trained.network, exported, cases, *tools))

    write_atomically(path, write)
    report["warnings"] = _warnings(form, report["dice"], trained.is_agreement)
    named = {_AGREEMENT.get(name, name): value for name, value in report.items()} if trained.is_agreement else report
    text = json.dumps(named, indent=2)
    try:
        write_atomically(report_path, lambda file: file.write_text(text))
    except BaseException:
        path.unlink()  # both files or neither
        raise
    _print_report(path, report, trained.is_agreement)
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


def _write_format(trained: TrainedStudent, form: str, path: Path, window_count: int) -> dict[str, Any]:
    """Write the file, and return the entry of the calibration for the report (empty without one)."""
    if form == "torchscript":
        write_torchscript(trained.network, trained.description, path)
        return {}
    if form == "onnx":
        write_onnx(trained.network, trained.description, path)
        return {}
    from .int8 import write_int8  # imports onnx

    seed, tools = int(trained.value("seed")), (trained.preprocessing, trained.inferer)
    training = sample_windows(trained.cases("training"), *tools, window_count, seed)
    validation = sample_windows(trained.cases("validation"), *tools, window_count, seed)
    with TemporaryDirectory(dir=path.parent, prefix=f".partial-{os.getpid()}-") as folder:
        float_model = Path(folder) / "floats.onnx"
        write_onnx(trained.network, trained.description, float_model)
        result = write_int8(float_model, trained.description, path, training, validation)
    sizes = {"training_windows": len(training), "validation_windows": len(validation), "seed": seed}
    return {"calibration": {**sizes, **result}}


def _name_of_dice(is_agreement: bool) -> str:
    return "agreement with the teacher (Dice)" if is_agreement else "Dice"


def _warnings(form: str, dice: dict[str, dict[str, Any]], is_agreement: bool = False) -> list[str]:
    limit = _MAX_DICE_LOSS[form]
    return [
        f"{name}: {_name_of_dice(is_agreement)} fell by {-means['change']:.4f}, more than {limit}"
        for name, means in dice.items()
        if means["change"] is not None and means["change"] < -limit
    ]


def _print_report(path: Path, report: dict[str, Any], is_agreement: bool) -> None:
    print(f"{path} ({report['megabytes']:.1f} MB, {report['input']})")
    rows: Sequence[Sequence[Any]] = [
        *((f"{name}: largest, mean difference", *report[name].values()) for name in ("logits", "probabilities")),
        ("share of pixels with another label", report["other_decision"], None),
    ]
    print(tabulate(rows, tablefmt="plain", floatfmt=".2e"))
    headers = (_name_of_dice(is_agreement), "original", "exported", "change", "cases")
    print(tabulate([(name, *means.values()) for name, means in report["dice"].items()], headers, floatfmt=".4f"))
    for warning in report["warnings"]:
        print(f"medkd: warning: {warning}", file=sys.stderr)
