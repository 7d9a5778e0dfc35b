"""What the runtimes of ONNX files say is one line that names the file or the option."""

import json
import os
import subprocess
import sys

import numpy as np
import onnx
import pytest

from medkd.deploy.runtime import OnnxModel
from medkd.deploy.runtime.runtimes import RUNTIMES, installed_runtimes

INSTALLED = [
    pytest.param(name, marks=pytest.mark.skipif(name not in installed_runtimes(), reason=f"{name} is not installed"))
    for name in RUNTIMES
]


@pytest.mark.parametrize("runtime", INSTALLED)
def test_an_input_that_the_network_cannot_take_is_one_line(exported, runtime):
    model = OnnxModel(exported["slices"], threads=1, runtime=runtime)
    with pytest.raises(ValueError, match=rf"model .*student.onnx: {RUNTIMES[runtime].title} stopped \(.*") as caught:
        model(np.zeros((1, 2, 32, 32)))  # two channels
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["slices", "volumes", "pictures"])
def test_the_runtimes_agree(exported, kind):
    pytest.importorskip("openvino")
    models = [OnnxModel(exported[kind], threads=1, runtime=name) for name in RUNTIMES]
    assert models[0].description == models[1].description and models[0].metadata == models[1].metadata
    spec = models[0].description
    for batch, factor in ((1, 1), (3, 2)):
        window = np.random.default_rng(0).uniform(-1, 1, (batch, spec.channels, *(factor * n for n in spec.size)))
        one, other = (model(window) for model in models)
        np.testing.assert_allclose(one, other, atol=1e-5 * np.abs(one).max())


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


@pytest.mark.parametrize("runtime", INSTALLED)
@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (lambda folder, file: folder / "no.onnx", FileNotFoundError, r"model .*no.onnx: no such file"),
        (truncated, ValueError, r"model .*broken.onnx: not a readable ONNX file"),
        (without_description, ValueError, r"model .*bare.onnx: found no description of its input"),
        (of_a_newer_version, ValueError, r"model .*new.onnx: written by another version of medkd: \['flavour'\]"),
    ],
)
def test_files_that_cannot_be_used_are_named(exported, tmp_path, spoil, error, message, runtime):
    with pytest.raises(error, match=message) as caught:
        OnnxModel(spoil(tmp_path, exported["slices"]), runtime=runtime)
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


def test_onnx_runtime_reports_nothing_to_its_maker(exported, tmp_path):
    """By default, ONNX Runtime 1.29 and later report each session; they begin with an identifier in the user's cache."""
    code = f"from medkd.deploy.runtime import OnnxModel; OnnxModel({str(exported['slices'])!r}, runtime='onnxruntime')"
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "HOME": str(tmp_path)}
    for name in ("CI", "ORT_DISABLE_TELEMETRY"):
        environment.pop(name, None)
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert run.returncode == 0 and not run.stderr and not [*tmp_path.rglob("*")]
