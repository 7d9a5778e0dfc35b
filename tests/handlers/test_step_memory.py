"""A step that does not fit is told before it begins, and nothing of the training changes."""

import pytest
import torch
from monai.losses import DiceCELoss
from torch import nn

from medkd import methods
from medkd.engines import DistillationTrainer
from medkd.handlers import step_memory
from medkd.handlers.step_memory import MemoryCheck, _free_of_machine, kept_bytes, largest_layer_bytes
from medkd.networks import FeatureTaps, TransUNet, UNet, UNetPlusPlus

NETWORKS = {
    "UNet": (lambda: UNet(2, 3, 2, width=4), (2, 3, 32, 32)),
    "UNet++ 3-D": (lambda: UNetPlusPlus(3, 1, 2, width=2, deep_supervision=True), (2, 1, 16, 16, 16)),
    "TransUNet": (lambda: TransUNet(2, 3, 2, img_size=32, width=8, num_layers=1), (2, 3, 32, 32)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_dry_step_counts_what_a_real_one_keeps(name):
    build, shape = NETWORKS[name]
    torch.manual_seed(0)
    network = build().train()
    weights = {key: value.clone() for key, value in network.state_dict().items()}
    state = torch.get_rng_state()
    dry = kept_bytes(network, shape)
    assert 0 < largest_layer_bytes(network, shape) < dry
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(value, weights[key]) for key, value in network.state_dict().items())

    own = {value.data_ptr() for value in (*network.parameters(), *network.buffers())}
    kept = {}

    def keep(tensor):
        if tensor.data_ptr() not in own:
            kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    image = torch.rand(shape)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = network(image)
    kept.pop(image.data_ptr(), None)
    assert output.requires_grad
    assert dry == pytest.approx(sum(tensor.untyped_storage().nbytes() for tensor in kept.values()), rel=0.02)


def run(monkeypatch, free, amp=False, check=True):
    """Train for a step with a teacher, on a machine with some free memory."""
    monkeypatch.setattr(step_memory, "free_memory", lambda device: free)
    torch.manual_seed(0)
    student, teacher = (FeatureTaps(UNet(2, 1, 2, width=width)) for width in (4, 8))
    loss = methods.build("kd", DiceCELoss(softmax=True, to_onehot_y=True), student, teacher)
    trainer = DistillationTrainer(
        device="cpu",
        max_epochs=1,
        train_data_loader=[{"image": torch.ones(4, 1, 64, 64), "label": torch.ones(4, 1, 64, 64)}],
        student=student,
        optimizer=torch.optim.Adam(student.network.parameters()),
        loss=loss,
        teacher=teacher,
        amp=amp,
    )
    if check:
        MemoryCheck().attach(trainer)
    trainer.run()
    return trainer.network.state_dict()


def needed():
    student = UNet(2, 1, 2, width=4)
    states = 3 * sum(p.nbytes for p in student.parameters())
    kept = kept_bytes(student, (4, 1, 64, 64)) + largest_layer_bytes(UNet(2, 1, 2, width=8), (4, 1, 64, 64))
    return states, kept


def test_what_does_not_fit_is_told_with_what_lowers_it(monkeypatch, capsys):
    states, kept = needed()
    checked = run(monkeypatch, states + kept // 2 + 1)
    out = capsys.readouterr().out
    assert "it will not fit into memory; --batch_size 2 at most (now 4), or --image_size smaller than 64 64" in out
    plain = run(monkeypatch, states + kept // 2 + 1, check=False)
    assert all(torch.equal(value, plain[name]) for name, value in checked.items())
    run(monkeypatch, states // 2)
    assert "a smaller --student_width, or --image_size" in capsys.readouterr().out


@pytest.mark.parametrize("amp", [False, True])
def test_what_fits_is_not_told(monkeypatch, capsys, amp):
    states, kept = needed()
    run(monkeypatch, states + (kept // 2 if amp else kept), amp=amp)
    assert "fit" not in capsys.readouterr().out


def test_networks_that_need_content_are_no_error(monkeypatch, capsys):
    class Strange(nn.Module):
        def forward(self, image):
            return image if bool(image.any()) else -image

    assert step_memory._try(kept_bytes, [Strange()], torch.ones(1, 1, 4, 4)) == 0


def test_free_memory_is_that_of_the_container(tmp_path):
    (tmp_path / "meminfo").write_text("MemTotal: 900 kB\nMemAvailable:   800 kB\n")
    assert _free_of_machine(tmp_path, tmp_path / "none") == 800 * 1024
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("500000\n")
    (tmp_path / "memory.stat").write_text("anon 1\nfile 100000\n")
    assert _free_of_machine(tmp_path, tmp_path) == 800 * 1024
    (tmp_path / "memory.max").write_text("600000\n")
    assert _free_of_machine(tmp_path, tmp_path) == 200000
    assert _free_of_machine(tmp_path / "none", tmp_path) is None
