"""The start of an assistant: its weights, and norms that keep their statistics."""

import pytest
import torch

from medkd.plckd import BoundaryBatches, init_assistant, norm_layers

from .builders import make_network, make_trainer


def test_frozen_batch_norm_keeps_its_statistics():
    net = make_network(4)
    engine = make_trainer(net, BoundaryBatches(1), eval_modules=norm_layers(net))
    before = {name: value.clone() for name, value in net.state_dict().items()}
    engine.run()
    assert all(torch.equal(v, before[n]) for n, v in net.state_dict().items() if "running" in n)
    assert any(not torch.equal(v, before[n]) for n, v in net.state_dict().items())


def test_assistants_start_from_the_teacher_or_from_scratch(tmp_path):
    torch.save(make_network(1).state_dict(), tmp_path / "model.pt")
    torch.testing.assert_close(
        init_assistant(make_network(2), tmp_path, "teacher").state_dict(), make_network(1).state_dict()
    )
    torch.testing.assert_close(
        init_assistant(make_network(2), tmp_path, "scratch").state_dict(), make_network(2).state_dict()
    )
    with pytest.raises(ValueError, match="init: found 'techer', expected teacher or scratch"):
        init_assistant(make_network(2), tmp_path, "techer")
