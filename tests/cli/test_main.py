"""Exit codes of a command, and the one line that goes with each."""

import subprocess
import sys

import pytest

from medkd.cli.main import main
from medkd.runs.errors import UsageError
from medkd.runs.signals import Terminated


@pytest.fixture
def raising(monkeypatch):
    """Makes every command raise an error."""

    def set_error(error):
        def run_words(words):
            raise error

        monkeypatch.setattr("medkd.cli.dispatch.run_words", run_words)

    return set_error


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ValueError("--a: found 1\n  expected 2"), 1, "medkd: error: --a: found 1 expected 2"),
        (UsageError("verb: found none"), 2, "medkd: error: verb: found none"),
        (
            ModuleNotFoundError("no", name="torch"),
            1,
            "medkd: error: torch is not installed: pip install -e . in the clone of medkd",
        ),
        (Terminated("run it again"), 143, "medkd: error: stopped by SIGTERM: run it again"),
        (KeyboardInterrupt(), 130, "medkd: interrupted; a training that has begun continues with --resume True"),
        (BrokenPipeError(32, "Broken pipe"), 1, "medkd: error: [Errno 32] Broken pipe"),  # of a worker: output is open
    ],
)
def test_errors_of_the_input_are_one_line(error, code, line, raising, capsys):
    raising(error)
    assert main(["train", "kits19"]) == code
    assert capsys.readouterr().err == f"{line}\n"


@pytest.mark.parametrize("verb", ["experiment", "infer"])
def test_an_interrupted_experiment_and_inference_continue_by_the_same_command(verb, raising, capsys):
    raising(KeyboardInterrupt())
    assert main([verb, "desk"]) == 130
    assert capsys.readouterr().err == "medkd: interrupted; the same command continues\n"
    raising(Terminated())
    assert main([verb, "desk"]) == 143
    assert capsys.readouterr().err == "medkd: error: stopped by SIGTERM: the same command continues\n"


def test_refused_cases_of_a_preparation_keep_their_lines(raising, capsys):
    raising(ValueError("2 cases are refused:\n  a\n  b"))
    assert main(["prepare", "kits19"]) in (1, 2)
    assert capsys.readouterr().err == "medkd: error: 2 cases are refused:\n  a\n  b\n"


def test_defects_are_raised(raising, monkeypatch):
    for error in (KeyError("a defect"), ModuleNotFoundError("no", name="medkd.gone")):
        raising(error)
        with pytest.raises(type(error)):
            main(["methods"])
    monkeypatch.setenv("MEDKD_TRACEBACK", "1")
    raising(ValueError("an input"))
    with pytest.raises(ValueError, match="an input"):
        main(["methods"])


def test_a_closed_pipe_ends_the_command_silently():
    command = [sys.executable, "-m", "medkd", "train", "nifti", "--help"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()  # before anything is written
        assert process.stderr.read() == b""
        assert process.wait() == 141


def test_a_class_that_does_not_exist_is_named(kits19_data, medkd_run, tmp_path, capsys):
    words = [
        "--dataset_dir",
        kits19_data,
        "--output_dir",
        tmp_path / "run",
        "--network_def::_target_",
        "medkd.networks.No",
    ]
    assert medkd_run("train", "kits19", *words) in (1, 2)
    assert "Cannot locate class or function path: 'medkd.networks.No'" in capsys.readouterr().err
