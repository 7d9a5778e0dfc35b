"""The lines of a training on the console."""

from types import SimpleNamespace

import torch
from ignite.engine import Engine, Events

from medkd.handlers import ConsoleProgress
from medkd.runs.duration import format_duration


def test_console_line_has_every_term(capsys):
    trainer = Engine(lambda engine, batch: None)
    trainer.state.device = torch.device("cpu")
    trainer.optimizer = SimpleNamespace(param_groups=[{"lr": 0.001}])
    evaluator = SimpleNamespace(
        state=SimpleNamespace(
            metrics={"dice": 0.5}, key_metric_name="dice", best_metric=0.75, best_metric_epoch=1, epoch=2
        )
    )
    trainer.add_event_handler(
        Events.EPOCH_COMPLETED,
        lambda e: e.state.metrics.update({"loss": torch.tensor(1.5), "loss/task": 1.0, "loss/kd": 0.5}),
    )
    ConsoleProgress(evaluator, "kd").attach(trainer)
    trainer.run([0, 1], max_epochs=2)
    first, second = capsys.readouterr().out.strip().splitlines()
    assert first.startswith(
        "kd epoch 1/2 step 2  loss 1.5000 task 1.0000 kd 0.5000  lr 1.0e-03  (best 0.7500, epoch 1)  "
    )
    assert "dice" not in first  # no validation in that epoch, the best so far stands there all the same
    assert "dice 0.5000 (best 0.7500, epoch 1)" in second and second.endswith("0 s left")


def test_time_is_in_units_to_read():
    assert [format_duration(seconds) for seconds in (0.4, 59.4, 60, 3599, 12000)] == [
        *("0 s", "59 s", "1 min 0 s", "59 min 59 s", "3 h 20 min")
    ]
