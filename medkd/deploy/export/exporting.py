"""`medkd export`: writes the file, measures it, and says so."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from tabulate import tabulate

from medkd.runs.files import write_atomically
from medkd.runs.lock import FolderLock

from .calibration import sample_windows
from .comparison import compare
from .formats import OnnxNetwork, write_onnx, write_torchscript
from .trained_student import TrainedStudent

__all__ = ["FORMATS", "check_format", "export"]

FORMATS = {"torchscript": "student.ts", "onnx": "student.onnx", "onnx-int8": "student_int8.onnx"}
_NEEDS = {"onnx": ("onnx", "onnxscript", "onnxruntime"), "onnx-int8": ("onnx", "onnxscript", "onnxruntime")}
MOST_DICE_LOST = 0.005


def check_format(form: str) -> None:
    """Raises ValueError for a format that is unknown, or whose packages are not installed."""
    if form not in FORMATS:
        near = get_close_matches(form, FORMATS, n=1, cutoff=0.4)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise ValueError(f"--format {form}: expected {', '.join(FORMATS)}{hint}")
    if missing := [name for name in _NEEDS.get(form, ()) if find_spec(name) is None]:
        raise ValueError(f'--format {form} needs {", ".join(missing)}: pip install "medkd[export]"')


def export(task: str, form: str, config: dict[str, Any], calibration_windows: int = 32) -> Path:
    """Writes the student of a run in a format, and beside it ``<file>.json`` with what the comparison found.

    Args:
        task: name of the bundle.
        form: one of `FORMATS`.
        config: what `medkd evaluate` would run, with all options in it.
        calibration_windows: windows of training images that int8 takes its ranges from.

    Returns:
        The file.

    Raises:
        FileExistsError: the file is there already, or another process writes into its folder.
        ValueError, FileNotFoundError: see `check_format` and `TrainedStudent`.
    """
    check_format(form)
    if calibration_windows < 1:
        raise ValueError(f"--calibration_windows: found {calibration_windows}, expected a whole number from 1 on")
    path = Path(config["output_dir"]) / FORMATS[form]
    for file in (path, path.with_name(f"{path.name}.json")):
        if file.exists():
            raise FileExistsError(
                f"output_dir {config['output_dir']}: {file.name} is there already: choose another folder"
            )
    trained = TrainedStudent(task, config)
    trained.description = dataclasses.replace(trained.description, format=form)
    cases = trained.cases(trained.value("part"))
    if form == "onnx-int8" and trained.value("part") != "test":
        raise ValueError(f"--part {trained.value('part')}: int8 is measured on the test part, which had no say in it")
    report = _about(trained, form)
    if path.parent.is_dir():
        FolderLock(path.parent).acquire()  # removes what a killed export left there

    def write(temporary: Path) -> None:
        report.update(_written(trained, form, temporary, calibration_windows))
        exported = torch.jit.load(str(temporary)) if form == "torchscript" else OnnxNetwork(temporary)
        report["megabytes"] = round(temporary.stat().st_size / 1e6, 3)
        tools = (trained.preprocessing, trained.inferer, trained.postprocessing, trained.description.classes)
        report.update(compare(trained.network, exported, cases, *tools))

    write_atomically(path, write)
    report["warnings"] = _warnings(form, report["dice"])
    text = json.dumps(report, indent=2)
    try:
        write_atomically(path.with_name(f"{path.name}.json"), lambda file: file.write_text(text))
    except BaseException:
        path.unlink()  # both or none
        raise
    _show(path, report)
    return path


def _about(trained: TrainedStudent, form: str) -> dict[str, Any]:
    about = trained.description
    sizes = "any" if about.multiple == 1 else f"multiples of {about.multiple}"
    return {
        "task": about.task,
        "format": form,
        "version": about.version,
        "model": str(trained.model),
        "input": f"(batch, {about.channels}, *spatial): float32, any batch, edges: {sizes}",
        "parameters": sum(parameter.numel() for parameter in trained.network.parameters()),
        "part": trained.value("part"),
    }


def _written(trained: TrainedStudent, form: str, path: Path, count: int) -> dict[str, Any]:
    """Writes the file; what calibration found."""
    if form == "torchscript":
        write_torchscript(trained.network, trained.description, path)
        return {}
    if form == "onnx":
        write_onnx(trained.network, trained.description, path)
        return {}
    from .int8 import write_int8

    seed, tools = int(trained.value("seed")), (trained.preprocessing, trained.inferer)
    calibration = sample_windows(trained.cases("training"), *tools, count, seed)
    choice = sample_windows(trained.cases("validation"), *tools, count, seed)
    with TemporaryDirectory(dir=path.parent, prefix=f".partial-{os.getpid()}-") as folder:
        floats = Path(folder) / "floats.onnx"
        write_onnx(trained.network, trained.description, floats)
        found = write_int8(floats, trained.description, path, calibration, choice)
    about = {"training_windows": len(calibration), "validation_windows": len(choice), "seed": seed}
    return {"calibration": {**about, **found}}


def _warnings(form: str, dice: dict[str, dict[str, Any]]) -> list[str]:
    limit = MOST_DICE_LOST if form == "onnx-int8" else 0.0005
    return [
        f"{name}: Dice fell by {-found['change']:.4f}, more than {limit}"
        for name, found in dice.items()
        if found["change"] is not None and found["change"] < -limit
    ]


def _show(path: Path, report: dict[str, Any]) -> None:
    print(f"{path} ({report['megabytes']:.1f} MB, {report['input']})")
    rows: Sequence[Sequence[Any]] = [
        *((f"{name}: largest, mean difference", *report[name].values()) for name in ("logits", "probabilities")),
        ("pixels decided otherwise", report["other_decision"], None),
    ]
    print(tabulate(rows, tablefmt="plain", floatfmt=".2e"))
    headers = ("Dice", "original", "exported", "change", "cases")
    print(tabulate([(name, *found.values()) for name, found in report["dice"].items()], headers, floatfmt=".4f"))
    for warning in report["warnings"]:
        print(f"medkd: warning: {warning}", file=sys.stderr)
