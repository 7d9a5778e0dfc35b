"""What can be said of SyncBatchNorm without a GPU: the taps stay, the optimizer's parameters stay, the weights load."""

import torch
from torch import nn

from medkd.networks import FeatureTaps, ResNetFCN, UNet
from medkd.parallel.ddp import convert_sync_batchnorm, wrap_ddp


def test_one_process_changes_nothing():
    student = FeatureTaps(UNet(2, 1, 2, width=2))
    assert wrap_ddp(student, student.parameters()) is student
    assert convert_sync_batchnorm(student) is student
    assert not any(isinstance(module, nn.SyncBatchNorm) for module in student.modules())


def test_statistics_of_all_processes_leave_taps_and_parameters(monkeypatch):
    monkeypatch.setattr("medkd.parallel.ddp._has_gpus", lambda module: True)
    network = ResNetFCN(2, 1, 2, width=4).eval()
    taps = FeatureTaps(network, **network.default_taps())
    image, before, parameters = torch.rand(2, 1, 32, 32), None, list(taps.parameters())
    before = taps(image)
    assert convert_sync_batchnorm(taps) is taps and taps.network is network
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
    convert_sync_batchnorm(taps)
    for a, b in zip(before, taps(image).encoder, strict=True):
        assert torch.equal(a, b)
    taps.close()
    assert not any(module._forward_hooks for module in network.modules())
