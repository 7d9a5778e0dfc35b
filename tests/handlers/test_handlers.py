"""Best model, console lines, record, atomic files, and what reaches TensorBoard."""

from types import SimpleNamespace

import pytest
import torch
from ignite.engine import Engine, Events
from ignite.metrics import Average
from monai.data import MetaTensor
from monai.engines import SupervisedEvaluator
from torch import nn

from medkd.handlers import BestModel, CaseTable, ConsoleProgress
from medkd.handlers.progress import _span
from medkd.losses import CombinedLoss
from medkd.runs.files import save_atomically, write_atomically


def test_best_model_is_written_when_it_is_the_best(tmp_path):
    network = nn.Linear(1, 1)
    save = BestModel(network, tmp_path / "model.pt")
    for epoch, best, value in ((1, 1, 1.0), (2, 1, 2.0), (3, 3, 3.0)):
        network.weight.data.fill_(value)
        save(SimpleNamespace(state=SimpleNamespace(epoch=epoch, best_metric_epoch=best)))
        kept = torch.load(tmp_path / "model.pt", weights_only=True)["weight"].item()
        assert kept == (3.0 if epoch == 3 else 1.0)


def test_an_epoch_that_does_not_train_the_task_is_never_the_best(tmp_path):
    """Of an evaluator whose metric falls: the last of the hints stands in until the first epoch of the task."""
    network, loss = nn.Linear(1, 1), CombinedLoss(nn.MSELoss(), {})
    values = iter((0.9, 0.8, 0.3, 0.2))
    evaluator = SupervisedEvaluator(
        device="cpu",
        val_data_loader=[{"image": torch.zeros(1, 1), "label": torch.zeros(1, 1)}],
        network=network,
        key_val_metric={"value": Average(output_transform=lambda output: next(values))},
        val_handlers=[BestModel(network, tmp_path / "model.pt", loss)],
        decollate=False,
    )
    for epoch, (weight, kept, best) in enumerate(((0, 1, -1), (0, 2, -1), (1, 3, 3), (1, 3, 3)), start=1):
        loss.weights["task"] = float(weight)
        network.weight.data.fill_(epoch)
        evaluator.run(epoch)
        assert torch.load(tmp_path / "model.pt", weights_only=True)["weight"].item() == kept
        assert evaluator.state.best_metric_epoch == best
    assert evaluator.state.best_metric == pytest.approx(0.3)


@pytest.mark.parametrize("tilt", [0.0, 1.5])
def test_millilitres_of_a_tilted_gantry_are_those_of_the_volume(tmp_path, tilt):
    affine = torch.tensor([[-3.0, 0, 0, 0], [0, -2, 0, 0], [0, tilt, 1, 0], [0, 0, 0, 1]])
    labels = MetaTensor(torch.ones(1, 4, 5, 6, dtype=torch.uint8), affine=affine)
    table = CaseTable(tmp_path, {1: "liver"})
    state = SimpleNamespace(batch=[{"case": "a"}], output=[{"pred": labels, "label": labels}])
    table(SimpleNamespace(state=state))
    assert table.cases[0][0]["volume_truth"] == pytest.approx(4 * 5 * 6 * 6 / 1000)


def test_a_file_is_whole_or_not_there(tmp_path):
    path = tmp_path / "new" / "model.pt"
    save_atomically({"a": torch.ones(1)}, path)

    def fail(temporary):
        temporary.write_text("half")
        raise OSError("disk full")

    before = path.read_bytes()
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, fail)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["model.pt"]


def test_console_line_has_every_term(capsys):
    trainer = Engine(lambda engine, batch: None)
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
    assert [_span(seconds) for seconds in (0.4, 59.4, 60, 3599, 12000)] == [
        *("0 s", "59 s", "1 min 0 s", "59 min 59 s", "3 h 20 min")
    ]


def test_named_terms_are_in_tensorboard(teachers, data, medkd_run, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    options = ["--dataset_dir", data["kits19"], "--output_dir", tmp_path, "--method", "hlfd"]
    assert medkd_run("distill", "kits19", "--teacher", teachers["kits19"], *options) == 0
    tags = set()
    for file in tmp_path.glob("events.out.tfevents*"):
        events = EventAccumulator(str(file))
        events.Reload()
        tags |= set(events.Tags()["scalars"])
    assert {"loss", "loss/task", "loss/hlfd", "loss/hlfd/ufd", "loss/hlfd/ipd", "val_mean_dice"} <= tags
