"""What the console says of a training after its first steps."""

import itertools
from types import SimpleNamespace

import pytest
import torch
from ignite.engine import Engine

from medkd.handlers import forecast
from medkd.handlers.forecast import CostForecast, advice


def run(monkeypatch, seconds, epochs=100, size=(64, 64), precision="float32", teacher=None):
    """Run a trainer whose clock says that each step takes some seconds."""
    ticks = (seconds * number for number in itertools.count())
    monkeypatch.setattr(forecast.time, "monotonic", lambda: next(ticks))
    trainer = Engine(lambda engine, batch: {"image": torch.zeros(2, 1, *size)})
    trainer.state.device = torch.device("cpu")
    trainer.teacher, trainer.settings = teacher, {"precision": precision}
    CostForecast("kd").attach(trainer)
    trainer.run(range(10), max_epochs=epochs)
    return trainer


def test_the_whole_is_the_steps_that_are_left(monkeypatch, capsys):
    run(monkeypatch, 1.5)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(
        "kd: about 24 min 51 s for the 994 steps that are left, of 1.5 s each (estimate from 5 steps"
    )


def test_validations_between_short_epochs_are_not_steps(monkeypatch, capsys):
    clock = iter(itertools.chain(*((100 * n, 100 * n + 1) for n in range(100))))  # 99 s between the steps
    monkeypatch.setattr(forecast.time, "monotonic", lambda: next(clock))
    trainer = Engine(lambda engine, batch: {"image": torch.zeros(2, 1, 8, 8)})
    trainer.state.device = torch.device("cpu")
    CostForecast("kd").attach(trainer)
    trainer.run([0], max_epochs=90)
    assert "for the 84 steps that are left, of 1 s each" in capsys.readouterr().out


def test_a_training_of_seconds_gets_no_line(monkeypatch, capsys):
    run(monkeypatch, 0.01)
    assert capsys.readouterr().out == ""


def test_hours_on_a_cpu_come_with_what_to_change(monkeypatch, capsys):
    run(monkeypatch, 30, size=(16, 32, 32))
    _, line = capsys.readouterr().out.splitlines()
    assert "--patch_size 8 16 16 (now 16 32 32: a step computes 8 times as many voxels)" in line
    assert "fewer --max_epochs (now 100)" in line and "cached" not in line


@pytest.mark.parametrize("units", [True, False])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_bfloat16_is_advised_where_the_processor_has_it(monkeypatch, units, precision):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": units}, raising=False)
    trainer = run(monkeypatch, 30, precision=precision)
    assert any("--amp True" in way for way in advice(trainer)) is (units and precision == "float32")


@pytest.mark.parametrize(("reads", "expected"), [("image", True), ("soft_labels", False)])
def test_cached_soft_labels_are_advised_to_those_who_have_none(monkeypatch, reads, expected):
    trainer = run(monkeypatch, 30, teacher=SimpleNamespace(reads=reads))
    assert any("--soft_labels cached" in way for way in advice(trainer)) is expected
    assert any("--image_size 32 32" in way for way in advice(trainer))
