"""What a checkpoint tells and refuses, and what an epoch is seeded with; engines without a network."""

import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from ignite.engine import Engine
from monai.transforms import RandFlip

from medkd.runs.resume import ResumableRun, _differences


class Trainer(Engine):
    scaler = None

    def __init__(self, precision="float32"):
        super().__init__(lambda engine, batch: None)
        self.state.max_epochs, self.state.epoch_length, self.state.rank = 2, 1, 0
        self.state.device = torch.device("cpu")
        self.settings = {"precision": precision}
        self.data_loader = SimpleNamespace(dataset=None)

    def run(self):
        return super().run([0], max_epochs=2, epoch_length=1)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "resume.pt"


def test_a_file_of_something_else(path):
    torch.save({"weights": torch.ones(1)}, path)
    with pytest.raises(ValueError, match=r"no checkpoint of a training, expected the resume.pt of a run$"):
        ResumableRun(path, {}, 0)._load(Trainer())


def test_another_number_of_processes(path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr("medkd.runs.resume.processes", lambda: 2)
        ResumableRun(path, {}, 0)._save(Trainer())
    with pytest.raises(
        ValueError, match=r"is of another run: found \{.*'processes': 2\}, expected \{[^p]*'epoch_length': 1\}"
    ):
        ResumableRun(path, {}, 0)._load(Trainer())


def test_a_setting_of_another_machine_is_told(path, capsys):
    ResumableRun(path, {}, 0)._save(Trainer("bfloat16"))
    ResumableRun(path, {}, 0)._load(Trainer("bfloat16"))
    assert capsys.readouterr().out == ""
    ResumableRun(path, {}, 0)._load(Trainer("float32"))
    text = "precision was bfloat16 where the run began, is float32 here"
    assert capsys.readouterr().out == f"note: {path}: {text}\n"


def test_a_run_that_is_not_resumed_begins_anew(path):
    ResumableRun(path, {}, seed=0)._save(Trainer())
    trainer = Trainer()
    ResumableRun(path, {}, seed=1).run(trainer)  # with `resume` it would be refused
    assert trainer.state.epoch == 2 and torch.load(path, weights_only=True)["run"]["seed"] == 1


def test_long_values_are_cut():
    (line,) = _differences({"a": "word " * 40}, {"a": 1})
    assert line.endswith("word..., is 1") and len(line) < 110


def test_each_generator_has_a_word_of_its_own():
    """The same seed gives the numbers of earlier versions. Data sets below the transform keep their state."""
    trainer = Trainer()
    trainer.state.epoch, trainer.state.rank = 3, 1
    transform, below = RandFlip(), RandFlip()
    before = below.R.get_state()[1].tolist()
    trainer.data_loader.dataset = SimpleNamespace(transform=transform, data=SimpleNamespace(transform=below))
    ResumableRun("unused", {}, 7)._seed_epoch(trainer)
    words = [int(word) for word in np.random.SeedSequence([7, 3, 1]).generate_state(4)]
    assert random.getstate() == random.Random(words[0]).getstate()
    assert np.array_equal(np.random.get_state()[1], np.random.RandomState(words[1]).get_state()[1])
    assert torch.initial_seed() == words[2]
    assert np.array_equal(transform.R.get_state()[1], np.random.RandomState(words[3]).get_state()[1])
    assert below.R.get_state()[1].tolist() == before
