"""A command that predicts with an exported network is recognised before anything else is imported."""

import subprocess
import sys

import pytest

from medkd.cli.exported import infer_exported, names_onnx


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--model", "a.onnx"], True),
        (["--model=a.ONNX", "--input", "x"], True),
        (["--input", "a.onnx", "--model", "run"], False),
        (["kits19", "--model"], False),
        (["--models", "a.onnx"], False),
        ([], False),
    ],
)
def test_models_that_are_onnx_files(words, expected):
    assert names_onnx(words) is expected


def test_the_runtime_reads_the_words(monkeypatch):
    calls = []
    monkeypatch.setattr("medkd.deploy.runtime.infer_command", lambda words, tasks: calls.append((words, tasks)))
    infer_exported(["--model", "a.onnx"])
    ((words, tasks),) = calls
    assert words == ["infer", "--model", "a.onnx"] and "kits19" in tasks


def test_neither_torch_nor_yaml_is_imported():
    code = (
        "import sys; from medkd.cli.main import main; code = main(['infer', '--model', 'gone.onnx', '--input', 'x', "
        "'--output_dir', 'o']); assert not {'torch', 'monai', 'yaml'} & set(sys.modules); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode in (1, 2) and "gone.onnx" in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr
