"""A run that was stopped and resumed: bit for bit on a CPU, with its gradient scaler and as far as kernels allow on a GPU."""

import pytest
import torch

from medkd.runs import ResumableRun

from .builders import DEVICES, deviation, make, state_vector

EPOCHS = 3


def run(folder, device, epochs, resume=False):
    """Return the trainer after so many epochs of a run of `EPOCHS`."""
    precision = "float16" if device == "cuda" else "float32"
    trainer = make("hlfd", device, precision, count=2, adam=True, max_epochs=EPOCHS, fixed_norms=False)
    objects = {"network": trainer.network, "loss": trainer.loss, "optimizer": trainer.optimizer}
    if epochs < EPOCHS:
        trainer.state.max_epochs = epochs
    ResumableRun(folder / "resume.pt", objects, seed=0).run(trainer, resume)
    return trainer


@pytest.mark.parametrize("device", DEVICES)
def test_a_resumed_run_ends_like_an_uninterrupted_one(device, tmp_path):
    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
    (tmp_path / "parts/model.pt").touch()
    whole = run(tmp_path / "whole", device, EPOCHS)
    stopped = run(tmp_path / "parts", device, EPOCHS - 1)
    resumed = run(tmp_path / "parts", device, EPOCHS, resume=True)
    assert resumed.state.epoch == EPOCHS and resumed.state.iteration == whole.state.iteration
    if device == "cpu":
        assert torch.equal(state_vector(whole), state_vector(resumed))
    else:
        assert deviation(state_vector(resumed), state_vector(whole)) < 1e-2
        saved = torch.load(tmp_path / "parts/resume.pt", weights_only=True)
        assert saved["scaler"]["scale"] == resumed.scaler.get_scale() == whole.scaler.get_scale()
        assert stopped.scaler.state_dict()["_growth_tracker"] + 2 == resumed.scaler.state_dict()["_growth_tracker"]
    assert not torch.equal(state_vector(stopped), state_vector(resumed))
