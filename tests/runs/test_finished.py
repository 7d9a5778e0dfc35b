"""Commands and runs from Python: failures raise, and what is opened is what the run left."""

import pytest
import torch

from medkd.cli.shell import run
from medkd.runs import FinishedRun


def test_run_takes_a_line_as_a_shell_does(capsys):
    run("medkd\n  methods")
    assert "Gorade" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("medkd report --runs \"{'a': 'nowhere'}\" --output_dir out", "nowhere"),  # exit code 1
        ("medkd trian kits19", "did you mean train?"),  # exit code 2
    ],
)
def test_a_failing_command_raises(command, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RuntimeError, match="the command failed"):
        run(command)
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("command", ["ls", ""])
def test_other_programs_are_refused(command):
    with pytest.raises(ValueError, match="found the program"):
        run(command)


def test_version_is_no_failure(capsys):
    run("medkd --version")
    assert capsys.readouterr().out.startswith("medkd ")


def test_a_finished_run_is_opened(teachers, kits19_data):
    opened = FinishedRun(teachers["kits19"])
    weights = torch.load(teachers["kits19"] / "model.pt", weights_only=True)
    assert all(torch.equal(value, weights[name]) for name, value in opened.network.state_dict().items())
    assert not opened.network.training and opened.value("image_size") == [32, 32]
    found = opened.examples(3)
    assert found.images.shape[:2] == found.labels.shape[:2] == (3, 1) and found.labels.dtype == torch.int64
    assert bool(found.labels.flatten(1).any(dim=1).all()) and len(set(found.names)) == 3
    features = opened.taps(found.images[..., :32, :32])
    assert torch.equal(features.logits, opened.network(found.images[..., :32, :32])) and features.maps


def test_too_many_examples_are_refused(teachers):
    with pytest.raises(ValueError, match="examples: found 1000, expected 1 to"):
        FinishedRun(teachers["kits19"]).examples(1000)


def test_a_folder_without_run_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"config\.yaml: no such file, expected the record of a run"):
        FinishedRun(tmp_path)
