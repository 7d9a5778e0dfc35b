"""When validation counts as still rising at the end of a training."""

import json
import operator
from types import SimpleNamespace

import pytest
import torch
from monai.data import DataLoader
from monai.engines import SupervisedEvaluator, SupervisedTrainer
from monai.handlers import ValidationHandler

from medkd.runs import ResumableRun, resume
from medkd.runs.improvement import describe_improvement


@pytest.mark.parametrize(
    ("validations", "epochs", "is_rising"),
    [
        ([(10, 0.5), (54, 0.60), (60, 0.61)], 60, True),
        ([(10, 0.5), (54, 0.60), (60, 0.6049)], 60, False),  # not by more than 0.005
        ([(10, 0.5), (54, 0.60), (55, 0.61), (60, 0.4)], 60, True),  # the best lies in the last tenth
        ([(10, 0.7), (54, 0.60), (60, 0.65)], 60, False),
        ([(60, 0.9)], 60, False),  # nothing to compare with
        ([(10, 0.1), (20, 0.9)], 60, False),  # no validation in the last tenth
        ([(1, 0.1), (2, 0.2)], 2, True),
        ([(1, 0.1)], 1, False),
        ([(9, float("nan")), (10, 0.6)], 10, False),  # NaN is no value
        ([(8, 0.5), (9, float("nan")), (10, 0.6)], 10, True),
        ([], 0, False),
    ],
)
def test_rule(validations, epochs, is_rising):
    assert (describe_improvement(validations, epochs) is not None) == is_rising


def train(folder, values, epochs, resume=False):
    """Train nothing, with the validation of an epoch from a list."""
    network, loader = torch.nn.Linear(1, 1), DataLoader([{"image": torch.ones(1), "label": torch.ones(1)}])
    evaluator = SupervisedEvaluator("cpu", loader, network, metric_cmp_fn=operator.ge)
    trainer = SupervisedTrainer(
        "cpu", epochs, loader, network, torch.optim.SGD(network.parameters(), 0.1), torch.nn.functional.mse_loss
    )

    def validate(engine):
        engine.state.metrics["dice"] = values[trainer.state.epoch - 1]

    evaluator.state.key_metric_name = "dice"
    evaluator.add_event_handler("EPOCH_COMPLETED", validate)
    ValidationHandler(interval=1, validator=evaluator).attach(trainer)
    ResumableRun(folder / "resume.pt", {"network": network}, 0, evaluator).run(trainer, resume)


RECORD = {"command": ["medkd"], "seed": 0, "versions": {}, "machine": {}}


def test_is_told_and_recorded_and_survives_a_resume(tmp_path, capsys):
    record = tmp_path / "environment.json"
    record.write_text(json.dumps(RECORD))
    train(tmp_path, [0.1, 0.2, 0.3, 0.4], epochs=4)
    assert (
        "note: dice was still rising: 0.4000 at epoch 4, 0.1000 above the best of the first 3"
        in capsys.readouterr().out
    )
    first = json.loads(record.read_text())
    assert first == {**RECORD, "still_rising": True, "training_seconds": first["training_seconds"]}
    # what the first four epochs were validated with is known after a resume: 0.402 is no gain
    train(tmp_path, [None] * 4 + [0.402], epochs=5, resume=True)
    assert "still rising" not in capsys.readouterr().out
    assert json.loads(record.read_text())["still_rising"] is False
    # 0.35 is above epoch 6, not above the best of all; 0.5 is, although it is the one validation after the resume
    train(tmp_path, [None] * 5 + [0.3, 0.35], epochs=7, resume=True)
    assert "still rising" not in capsys.readouterr().out
    train(tmp_path, [None] * 7 + [0.5], epochs=8, resume=True)
    assert "0.5000 at epoch 8, 0.0980 above the best of the first 7 of 8 epochs" in capsys.readouterr().out


def test_the_duration_is_recorded_of_a_training_in_one_call(tmp_path, monkeypatch):
    record = tmp_path / "environment.json"
    record.write_text(json.dumps(RECORD))
    with monkeypatch.context() as patch:
        patch.setattr(resume, "time", SimpleNamespace(monotonic=iter([10.0, 73.5]).__next__))
        train(tmp_path, [0.1] * 2, epochs=2)
    assert json.loads(record.read_text())["training_seconds"] == 63.5
    record.write_text(json.dumps(RECORD))
    train(tmp_path, [None] * 2 + [0.1], epochs=3, resume=True)
    assert "training_seconds" not in json.loads(record.read_text())
