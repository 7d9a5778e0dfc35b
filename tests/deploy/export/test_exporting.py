"""Exported students answer as the original does, whatever the batch and the size, and say by how much they do not."""

import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import medkd
from medkd.cli.main import main
from medkd.data import load_datalist
from medkd.deploy.export.formats import write_onnx, write_torchscript
from medkd.deploy.export.reporting import warnings_of
from medkd.deploy.runtime import ModelSpec, OnnxModel
from medkd.deploy.runtime.measured import Measured
from medkd.deploy.runtime.runtimes import RUNTIMES, installed_runtimes
from medkd.networks import ResNetFCN, UNet, load_weights
from medkd.runs.files import write_atomically

SIZES = {"slices": [(33, 57), (64, 48)], "volumes": [(16, 48, 32), (32, 16, 16)], "pictures": [(32, 80), (112, 48)]}


def original(kind, folder):
    network = {"slices": ResNetFCN(2, 1, 2, 2), "volumes": UNet(3, 1, 2, 2), "pictures": UNet(2, 3, 2, 2)}[kind]
    return load_weights(network, folder).eval()


def export(students, kind, form, out, *options):
    task, model, data = students[kind]
    words = ["--model", model, "--dataset_dir", data, "--output_dir", out, "--format", form, *options]
    return main(["export", task, *map(str, words)])


def report(file):
    return json.loads(file.with_name(f"{file.name}.json").read_text())


@pytest.mark.parametrize("kind", SIZES)
def test_onnx(students, exported, kind):
    task, folder, data = students[kind]
    network, model = original(kind, folder), OnnxModel(exported[kind], threads=1)
    for batch, size in zip((1, 3), SIZES[kind], strict=True):
        image = torch.randn(batch, 3 if kind == "pictures" else 1, *size)
        np.testing.assert_allclose(model(image.numpy()), network(image).detach(), atol=1e-4)
    found = report(exported[kind])
    assert found["cases"] == [entry["case"] for entry in load_datalist(data, "test")]
    assert found["logits"]["max_difference"] < 1e-4 and found["other_decision"] < 1e-4 and not found["warnings"]
    (dice,) = found["dice"].values()
    assert dice["n"] > 0 and abs(dice["change"]) < 1e-4
    about = model.description
    assert (about.task, about.kind, about.multiple) == (task, kind, 1 if kind == "slices" else 16)
    assert about.classes == ({1: "polyp"} if kind == "pictures" else {1: "tumour"})
    assert about.spacing == ((2.5, 1.0, 1.2) if kind == "volumes" else None)
    assert about.overlap == {"slices": 0.25, "volumes": 0.5, "pictures": 0}[kind]


@pytest.mark.parametrize("form", ["onnx", "torchscript"])
def test_no_folder_of_this_machine_is_in_the_file(form, tmp_path):
    about = ModelSpec("t", "slices", 1, None, (0, 1), True, -1, "IPL", (32, 32), None, 0, 1, {}, "argmax", {}, form, "")
    write = {"onnx": write_onnx, "torchscript": write_torchscript}[form]
    write(ResNetFCN(2, 1, 2, 2).eval(), about, tmp_path / "file")
    content = (tmp_path / "file").read_bytes()  # tensors and text are stored as they are
    assert b"medkd" in content
    for folder in (Path(torch.__file__).parents[1], Path(medkd.__file__).parents[1], Path.cwd()):
        assert str(folder).encode() not in content and b"site-packages" not in content


def test_the_dice_is_that_of_evaluate(students, exported, tmp_path):
    task, folder, data = students["volumes"]
    words = ["--model", folder, "--dataset_dir", data, "--output_dir", tmp_path / "e", "--device", "cpu"]
    assert main(["evaluate", task, *map(str, words)]) == 0
    summary = json.loads((tmp_path / "e/summary.json").read_text())
    found = report(exported["volumes"])["dice"]["tumour"]
    assert found["original"] == pytest.approx(summary["tumour"]["dice"]["mean"])


@pytest.mark.parametrize("kind", ["slices", "pictures"])
def test_torchscript(students, tmp_path, kind):
    assert export(students, kind, "torchscript", tmp_path) == 0
    extra = {"medkd.json": ""}
    loaded = torch.jit.load(tmp_path / "student.ts", _extra_files=extra)
    assert json.loads(extra["medkd.json"])["task"] == students[kind][0]
    network = original(kind, students[kind][1])
    for batch, size in zip((1, 3), SIZES[kind], strict=True):
        image = torch.randn(batch, 3 if kind == "pictures" else 1, *size)
        torch.testing.assert_close(loaded(image), network(image))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["student.ts", "student.ts.json"]


def test_int8(students, exported, tmp_path, capsys):
    assert export(students, "slices", "onnx-int8", tmp_path, "--calibration_windows", "6") == 0
    file = tmp_path / "student_int8.onnx"
    assert sorted(path.name for path in tmp_path.iterdir()) == [file.name, f"{file.name}.json"]
    found = report(file)
    calibration = found["calibration"]
    assert calibration["training_windows"] == calibration["validation_windows"] == 6
    assert [one["method"] for one in calibration["tried"][:3]] == ["MinMax", "Entropy", "Percentile"]
    best = min(calibration["tried"], key=lambda o: (o["changed_foreground"], o["mean_probability_difference"]))
    assert {key: best[key] for key in ("method", "floats")} == calibration["taken"]
    assert found["part"] == "test" and 0 < found["probabilities"]["mean_difference"] < 0.1
    lost = max(-entry["dice"]["tumour"]["change"] for entry in measured(found))
    shown = capsys.readouterr().err
    assert any("Dice fell" in line for line in found["warnings"]) == (lost > 0.005) == ("Dice fell" in shown)
    slower = [entry for entry in measured(found) if is_float32(entry) and entry["seconds"] >= entry["float32_seconds"]]
    assert shown.count("times as long as in float32") == len(slower)

    import onnx

    kinds = [node.op_type for node in onnx.load(file).graph.node]
    assert kinds.count("DequantizeLinear") > 20  # weights and activations, not in name alone
    model = OnnxModel(file, threads=1)
    assert model.description.format == "onnx-int8"
    image = np.random.default_rng(0).normal(size=(2, 1, 40, 64)).astype(np.float32)
    assert model(image).shape == (2, 2, 40, 64)


def measured(found):
    return [entry for entry in found["runtimes"] if "refused" not in entry]


def is_float32(entry):
    return entry["precision"] == "float32"


@pytest.mark.parametrize("kind", SIZES)
def test_each_runtime_and_precision_is_measured(exported, kind):
    found = report(exported[kind])
    entries = {(entry["runtime"], entry["precision"]): entry for entry in found["runtimes"]}
    assert entries.keys() == {
        (name, precision) for name in installed_runtimes() for precision in RUNTIMES[name].precisions
    }
    assert found["speed"]["window"][2:] == [*OnnxModel(exported[kind]).description.size]
    assert found["speed"]["eager_seconds"] > 0 and all(entry["seconds"] > 0 for entry in measured(found))
    for entry in measured(found):
        assert (entry["logits"]["max_difference"] < 1e-4) == is_float32(entry)
        assert entry["dice"].keys() == found["dice"].keys()
    # the file itself says what another precision changed, and nothing else of the measurement
    told = Measured.from_metadata(OnnxModel(exported[kind]).metadata)
    assert not told.int8_times and told.precisions.keys() == {
        e["precision"] for e in measured(found) if not is_float32(e)
    }
    for precision, change in told.precisions.items():
        entry = entries["openvino", precision]
        assert change.other_decision == entry["other_decision"] and change.cases == "test split"
        assert change.dice == {name: means["change"] for name, means in entry["dice"].items()}


def test_what_is_lost_or_not_gained_is_told():
    def entry(**others):
        dice = {"organ": {"change": -0.0049}, "tumour": {"change": -0.0061}, "cyst": {"change": None}}
        return {"runtime": "openvino", "precision": "float32", "seconds": 0.1, "dice": dice, **others}

    def told(form, **others):
        return warnings_of({"format": form, "runtimes": [entry(**others)]})

    fell = "OpenVINO {}, tumour: Dice fell by 0.0061, more than 0.005"
    assert told("onnx", precision="bf16") == [fell.format("bf16")]
    assert told("onnx-int8", float32_seconds=0.2) == [fell.format("int8")]
    assert told("onnx-int8", float32_seconds=0.08)[1:] == [
        "OpenVINO int8, one window took 1.25 times as long as in float32: --format onnx is faster there"
    ]
    assert len(told("onnx")) == 2 and not warnings_of({"format": "onnx", "runtimes": [{"refused": "no units"}]})
    lost = {"format": "torchscript", "dice": {"organ": {"change": -0.0006}}}
    assert warnings_of(lost, True) == ["organ: agreement with the teacher (Dice) fell by 0.0006, more than 0.0005"]


def torch_file(folder, model):
    shutil.copytree(model, folder / "other")
    torch.save(UNet(2, 1, 2, 2).state_dict(), folder / "other/model.pt")
    return folder / "other"


def no_record(folder, model):
    (folder / "bare").mkdir()
    shutil.copy(model / "model.pt", folder / "bare")
    return folder / "bare/model.pt"


WRONG = {
    "format": ({"format": "onx"}, r"--format onx: expected torchscript, onnx, onnx-int8 \(did you mean onnx\?\)"),
    "no model": ({"model": lambda folder, _: folder / "no.pt"}, r"--model .*no.pt: no such file"),
    "no data": ({"dataset_dir": lambda folder, _: folder / "no"}, r"dataset_dir .*no: no such folder"),
    "no record": ({"model": no_record}, r"bare/model.pt: found no config.yaml of its training beside it"),
    "another": ({"model": torch_file}, r"other/model.pt: weights of another network"),
    "typo": ({"modle": "x"}, r"unknown option\(s\): --modle \(did you mean .*--model"),
    "part": ({"format": "onnx-int8", "part": "training"}, r"--part: found training, expected test"),
    "windows": ({"calibration_windows": 0}, r"--calibration_windows: found 0, expected a whole number from 1 on"),
    "none": ({"output_dir": None}, r"medkd export kits19 needs --output_dir"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_errors_are_one_line(students, tmp_path, capsys, fault):
    _, model, data = students["slices"]
    changes, message = WRONG[fault]
    changes = {name: value(tmp_path, model) if callable(value) else value for name, value in changes.items()}
    options = {"model": model, "dataset_dir": data, "output_dir": tmp_path / "out", "format": "torchscript", **changes}
    words = [str(word) for name, value in options.items() if value is not None for word in (f"--{name}", value)]
    assert main(["export", "kits19", *words]) in (1, 2)
    shown = capsys.readouterr().err.strip().splitlines()
    assert len(shown) == 1 and re.search(message, shown[0]), shown
    assert not (tmp_path / "out").exists()


def test_nothing_is_overwritten(students, tmp_path, capsys):
    (tmp_path / "student.onnx").touch()
    assert export(students, "slices", "onnx", tmp_path) in (1, 2)
    assert "student.onnx is there already: choose another folder" in capsys.readouterr().err


def test_a_fault_while_the_report_is_written_leaves_nothing(students, tmp_path, capsys, monkeypatch):
    def full(path, write):
        if path.suffix == ".json":
            raise OSError(28, "No space left on device", str(path))
        write_atomically(path, write)

    monkeypatch.setattr("medkd.deploy.export.exporting.write_atomically", full)
    assert export(students, "slices", "torchscript", tmp_path) in (1, 2)
    assert "No space left on device" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_a_missing_extra_is_named(students, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    assert export(students, "slices", "onnx", tmp_path) in (1, 2)
    assert 'needs onnxscript: pip install -e ".[export]" in the clone of medkd' in capsys.readouterr().err
