"""The first step of every bundle."""

import sys

import pytest

from medkd.cli import check_command
from medkd.configs.bundles import BUNDLES
from medkd.runs.invocation import Invocation, invoked

FILES = (str(BUNDLES / "kits19/configs/train.yaml"),)


@pytest.fixture
def monai_line(monkeypatch):
    """Sets the command line of this process."""
    monkeypatch.setattr("sys.excepthook", sys.excepthook)
    monkeypatch.setattr("medkd.cli.first_step.catch_sigterm", lambda: None)

    def set_line(*words):
        line = ["/site/monai/bundle/__main__.py", "run", "--config_file", f"['{FILES[0]}']", *words]
        monkeypatch.setattr("sys.argv", line)

    return set_line


def test_nothing_is_done_in_a_library(monkeypatch):
    hook = sys.excepthook
    monkeypatch.setattr("sys.argv", ["/some/server.py", "run", "--nonsense", "1"])
    assert check_command("anywhere") is None
    assert sys.excepthook is hook


def test_command_line_of_monai_is_read_as_monai_reads_it(monai_line):
    monai_line("--max_epochs", "3", "--train#trainer::amp", "True")
    config = check_command()
    assert config["max_epochs"] == 3 and config["train"]["trainer"]["amp"] is True and "config_file" not in config


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--amp", "false"], "--amp false does not mean false to MONAI: write False"),
        (["--max_epoch", "3"], "did you mean --max_epochs"),
        (["stray"], "unexpected positional argument"),
        (["--image_size", "96", "96"], r"unexpected positional argument\(s\) 96"),
        (["--mode", "3d"], "add bundles/overlays/volumetric.yaml"),
    ],
)
def test_command_line_of_monai_is_checked(monai_line, words, message):
    monai_line(*words)
    with pytest.raises(ValueError, match=message):
        check_command()


def test_run_of_this_process_comes_without_a_command_line(tmp_path):
    with invoked(Invocation(FILES, {"max_epochs": 3, "meta_file": "m"}, ())):
        config = check_command(tmp_path)
        assert config["max_epochs"] == 3 and "meta_file" not in config
        (tmp_path / "model.pt").touch()
        with pytest.raises(
            FileExistsError, match=r"already holds results \(model.pt\): choose another folder, or go on"
        ):
            check_command(tmp_path)
        assert check_command(tmp_path, resume=True) == config
        with pytest.raises(FileExistsError, match="is a file, expected a folder"):
            check_command(tmp_path / "model.pt")
    assert check_command(tmp_path) is None


def test_processes_of_one_run_know_of_each_other(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with invoked(Invocation(FILES, {}, ())), pytest.raises(ValueError, match="torchrun started 2 processes"):
        check_command()
