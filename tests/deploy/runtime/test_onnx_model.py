"""What ONNX Runtime says is one line that names the file."""

import json

import numpy as np
import onnx
import pytest

from medkd.deploy.runtime import OnnxModel


def test_an_input_that_the_network_cannot_take_is_one_line(exported):
    model = OnnxModel(exported["slices"], threads=1)
    with pytest.raises(ValueError, match=r"model .*student.onnx: ONNX Runtime stopped \(.*") as caught:
        model(np.zeros((1, 2, 32, 32)))  # two channels
    assert "\n" not in str(caught.value)


def test_a_list_of_threads_is_no_number_of_threads(exported, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "4,2")  # a list, for nested loops
    assert OnnxModel(exported["slices"])(np.zeros((1, 1, 32, 32))).shape == (1, 2, 32, 32)


def without_description(folder, file):
    model = onnx.load(file)
    del model.metadata_props[:]
    onnx.save(model, folder / "bare.onnx")
    return folder / "bare.onnx"


def of_a_newer_version(folder, file):
    model = onnx.load(file)
    description = json.loads(model.metadata_props[0].value)
    onnx.helper.set_model_props(model, {"medkd": json.dumps({**description, "flavour": 1})})
    onnx.save(model, folder / "new.onnx")
    return folder / "new.onnx"


def truncated(folder, file):
    (folder / "broken.onnx").write_bytes(file.read_bytes()[:1000])
    return folder / "broken.onnx"


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (lambda folder, file: folder / "no.onnx", FileNotFoundError, r"model .*no.onnx: no such file"),
        (truncated, ValueError, r"model .*broken.onnx: not a readable ONNX file"),
        (without_description, ValueError, r"model .*bare.onnx: found no description of its input"),
        (of_a_newer_version, ValueError, r"model .*new.onnx: written by another version of medkd: \['flavour'\]"),
    ],
)
def test_files_that_cannot_be_used_are_named(exported, tmp_path, spoil, error, message):
    with pytest.raises(error, match=message) as caught:
        OnnxModel(spoil(tmp_path, exported["slices"]))
    assert "\n" not in str(caught.value)


def test_a_device_that_is_not_there_is_named(exported, monkeypatch):
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(ValueError, match="--device cuda: ONNX Runtime finds no CUDA device here"):
        OnnxModel(exported["slices"], device="cuda")


def test_a_changed_byte_is_told(exported, tmp_path):
    content = bytearray(exported["slices"].read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "student.onnx").write_bytes(content)
    with pytest.raises(ValueError, match="model .*student.onnx: it is damaged: .*: export it again"):
        OnnxModel(tmp_path / "student.onnx")
