"""The command line of an exported network: its options, and its errors in one line."""

import dataclasses
from types import SimpleNamespace

import pytest

from medkd.cli.main import main
from medkd.deploy.runtime import command_line, names_onnx
from medkd.deploy.runtime.command_line import infer_command

TASKS = ["kits19", "lits"]
FOLDERS = ["--input", "IN", "--output_dir", "OUT"]


@pytest.fixture
def run(monkeypatch, spec):
    """A function that runs a command on a model of a kind, and returns what reaches `infer`."""

    def run(*words, kind="slices", channels=1):
        description = dataclasses.replace(spec, kind=kind, channels=channels)
        calls = []
        monkeypatch.setattr(
            command_line, "open_model", lambda *args: SimpleNamespace(description=description, arguments=args)
        )
        monkeypatch.setattr(command_line, "infer", lambda *args: calls.append(args))
        infer_command(["infer", *words], TASKS)
        return calls[0]

    return run


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["infer", "--model", "a.onnx"], True),
        (["infer", "kits19", "--model=A.ONNX"], True),
        (["infer", "kits19", "--model", "RUN"], False),
        (["infer", "--input", "a.onnx", "--model", "RUN"], False),
        (["evaluate", "--model", "a.onnx"], False),
        (["infer", "--model"], False),
        ([], False),
    ],
)
def test_commands_that_name_an_onnx_file(words, expected):
    assert names_onnx(words) == expected


def test_options_reach_the_model_and_the_inference(run):
    model, *options = run("kits19", "--model", "a.onnx", *FOLDERS, "--threads", "2", "--device", "cpu")
    assert model.arguments == ("a.onnx", 2, "cpu", "auto", "float32")
    assert options[:-2] == ["IN", "OUT", False, None, None, (False, 0.0)]
    assert (options[-2].name, options[-2].algorithm) == ("nifti", "medkd kits19")
    _, *options = run("--model", "a.onnx", *FOLDERS, "--save_probabilities", "--slice_batch", "3", "--min_volume", "2")
    assert options[:-2] == ["IN", "OUT", True, None, 3, (False, 2.0)]
    words = ["--save_probabilities", "False", "--overlap", "0", "--window_batch", "4", "--largest_component"]
    _, *options = run("--model=a.onnx", *FOLDERS, *words, kind="volumes")
    assert options[:-2] == ["IN", "OUT", False, 0.0, 4, (True, 0.0)]
    _, *options = run("--model=a.onnx", *FOLDERS, "--format", "seg.nrrd")
    assert (options[-2].suffix, options[-2].classes) == (".seg.nrrd", {1: "tumour"})
    assert options[-1] is False
    assert run("--model=a.onnx", *FOLDERS, "--resample_channels", channels=2)[-1] is True
    model, *_ = run("--model", "a.onnx", *FOLDERS, "--runtime", "openvino", "--precision", "bf16")
    assert model.arguments[3:] == ("openvino", "bf16")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["lits"], r"model a.onnx: found the task kits19, expected lits"),
        (["--inptu", "x"], r"unknown option\(s\): --inptu \(did you mean --input\?\)"),
        (["--overlap", "0.5"], r"--overlap has no effect with a model of slices"),
        (["--window_batch", "2"], r"--window_batch has no effect with a model of slices"),
        (["--resample_channels"], r"--resample_channels has no effect: this model takes images of one channel"),
        (["--threads", "many"], r"argument --threads: found 'many', expected a whole number from 1 on"),
        (["--slice_batch", "0"], r"argument --slice_batch: found '0'"),
        (["--overlap", "1"], r"argument --overlap: found '1', expected a number from 0 to below 1"),
        (["--min_volume", "-1"], r"argument --min_volume: found '-1', expected a number from 0 on"),
        (["--runtime", "openvin"], r"argument --runtime: invalid choice: 'openvin'"),
        (["--precision", "fp16"], r"argument --precision: invalid choice: 'fp16'"),
        (["--save_probabilities", "true"], r"found 'true', expected True or False"),
        (["--format", "seg.nrd"], r"argument --format: invalid choice: 'seg.nrd'"),
        (["--dicom_seg", "labelmap"], r"--dicom_seg: has no effect without --format dicom-seg"),
        (["--format", "nifti", "--dicom_codes", "a.json"], r"--dicom_codes: has no effect without --format dicom-seg"),
        (["kits19", "stray"], r"unexpected positional argument\(s\) stray"),
    ],
)
def test_errors(run, words, message):
    task = [word for word in words[:1] if not word.startswith("--")]
    with pytest.raises(ValueError, match=message) as caught:
        run(*task, "--model", "a.onnx", *FOLDERS, *words[len(task) :])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["input", "output_dir"])
def test_a_missing_option_is_named(run, name):
    options = {"input": "IN", "output_dir": "OUT"}
    del options[name]
    with pytest.raises(ValueError, match=f"medkd infer needs --{name}"):
        run("--model", "a.onnx", *(word for key, value in options.items() for word in (f"--{key}", value)))


def test_the_console_shows_one_line(tmp_path, capsys):
    words = ["--model", tmp_path / "no.onnx", "--input", tmp_path, "--output_dir", tmp_path / "out"]
    assert main(["infer", *map(str, words)]) in (1, 2)
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line == f"medkd: error: --model {tmp_path / 'no.onnx'}: no such file" and not (tmp_path / "out").exists()
