"""What can be said of SyncBatchNorm without a GPU: the taps stay, the optimizer's parameters stay, the weights load."""

import torch
from torch import nn

from medkd.networks import FeatureTaps, ResNetFCN, UNet
from medkd.parallel.ddp import with_shared_gradients, with_shared_statistics


def test_one_process_changes_nothing():
    student = FeatureTaps(UNet(2, 1, 2, width=2))
    assert with_shared_gradients(student, student.parameters()) is student
    assert with_shared_statistics(student) is student
    assert not any(isinstance(module, nn.SyncBatchNorm) for module in student.modules())


def test_statistics_of_all_processes_leave_taps_and_parameters(monkeypatch):
    monkeypatch.setattr("medkd.parallel.ddp._has_gpus", lambda module: True)
    network = ResNetFCN(2, 1, 2, width=4).eval()
    taps = FeatureTaps(network, **network.default_taps())
    image, before, parameters = torch.rand(2, 1, 32, 32), None, list(taps.parameters())
    before = taps(image)
    assert with_shared_statistics(taps) is taps and taps.network is network
    assert any(isinstance(module, nn.SyncBatchNorm) for module in network.modules())
    assert all(a is b for a, b in zip(taps.parameters(), parameters, strict=True))
    after = taps(image)
    for a, b in zip((before.logits, *before.encoder), (after.logits, *after.encoder), strict=True):
        assert torch.equal(a, b)
    ResNetFCN(2, 1, 2, width=4).load_state_dict(network.state_dict())


def test_taps_of_batch_norms_stay(monkeypatch):
    monkeypatch.setattr("medkd.parallel.ddp._has_gpus", lambda module: True)
    network = ResNetFCN(2, 1, 2, width=4).eval()
    norms = [name for name, module in network.named_modules() if isinstance(module, nn.BatchNorm2d)]
    taps, image = FeatureTaps(network, encoder=norms), torch.rand(1, 1, 32, 32)
    before = taps(image).encoder
    with_shared_statistics(taps)
    for a, b in zip(before, taps(image).encoder, strict=True):
        assert torch.equal(a, b)
    taps.close()
    assert not any(module._forward_hooks for module in network.modules())
