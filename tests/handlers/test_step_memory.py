"""A step that does not fit is told before it begins, and nothing of the training changes."""

from functools import partial
from typing import NamedTuple

import pytest
import torch
from monai.data import DataLoader, Dataset
from monai.inferers import SlidingWindowInferer
from monai.losses import DiceCELoss
from torch import nn
from torch.profiler import ProfilerActivity, profile

from medkd import methods
from medkd.engines import DistillationTrainer
from medkd.handlers import step_memory
from medkd.handlers.step_memory import MemoryCheck, _free_of_machine, kept_bytes, largest_layer_bytes
from medkd.handlers.validation_memory import note_of_validation, validation_bytes
from medkd.inferers import SliceBatchInferer, VolumeInferer
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
        step_memory.MemoryCheck().attach(trainer)
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


class Evaluator(NamedTuple):
    data_loader: DataLoader
    network: nn.Module
    inferer: object


def evaluator_of(inferer, dims=2):
    entries = [{"case": "small", "shape": [8, 32, 32], "spacing": [3, 1, 1]}]
    entries += [{"case": "large", "shape": [40, 64, 96], "spacing": [3, 1, 1]}, {"case": "a picture"}]
    return Evaluator(DataLoader(Dataset(entries)), UNet(dims, 1, 5, width=2), inferer)


def labels(logits):
    return logits.argmax(0, keepdim=True)


INFERERS = {
    "slices": (SliceBatchInferer((32, 32), 4, decide=labels), 2, 8 + 1 + 4 * 5 * 4 / 40),
    "logits of slices": (SliceBatchInferer((32, 32), 4), 2, 8 + 2 * 4 * 5),
    "volumes": (VolumeInferer((16, 32, 32), None, 1, 0.5, decide=labels), 3, 8 + 1 + 2 * 4 * 5 * 16 / 40),
    "finer volumes": (
        VolumeInferer((16, 32, 32), (1.5, 1, 1), 1, 0.5, decide=labels),
        3,
        8 + 8 + 1 + 2 * 4 * 5 * 16 / 40,
    ),
    "MONAI's": (SlidingWindowInferer((16, 32, 32)), 3, 8 + 2 * 4 * 5),
}


@pytest.mark.parametrize("name", INFERERS)
def test_the_largest_validation_volume_is_told_if_it_does_not_fit(name):
    inferer, dims, bytes_of_a_voxel = INFERERS[name]
    evaluator = evaluator_of(inferer, dims)
    weights = {key: value.clone() for key, value in evaluator.network.state_dict().items()}
    needed, shape = int(bytes_of_a_voxel * 40 * 64 * 96), (2, 1, *[32] * dims)
    assert note_of_validation(evaluator, shape, needed) == ""
    note = note_of_validation(evaluator, shape, needed - 1)
    assert note.startswith("note: the validation of large (40 x 64 x 96 voxels, 5 classes) needs 0.0 GiB or more")
    assert all(torch.equal(value, weights[key]) for key, value in evaluator.network.state_dict().items())


def test_a_real_prediction_needs_no_less_than_is_counted():
    """What the inferer itself allocates: the logits of MONAI's windows, or the slab of ours."""
    image = torch.rand(1, 1, 40, 64, 96)
    for inferer, dims, _ in INFERERS.values():
        if getattr(inferer, "spacing", None) is not None:  # needs a MetaTensor
            continue
        network = UNet(dims, 1, 5, width=2).eval()
        counted = validation_bytes({"shape": (40, 64, 96)}, 1, 5, inferer) - 2 * image.nbytes  # both images are there
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled, torch.no_grad():
            inferer(image, network)
        allocated = sum(max(0, event.self_cpu_memory_usage) for event in profiled.events())
        assert counted <= allocated


def test_the_note_comes_before_the_first_step(monkeypatch, capsys):
    states, kept = needed()
    evaluator = evaluator_of(INFERERS["logits of slices"][0])
    evaluator.data_loader.dataset.data[1]["shape"] = [400, 512, 512]
    monkeypatch.setattr(step_memory, "MemoryCheck", partial(MemoryCheck, evaluator))
    run(monkeypatch, states + kept // 2 + 1)
    of_validation, of_step = capsys.readouterr().out.splitlines()[:2]
    assert of_validation.startswith("note: the validation of large") and of_step.startswith("note: a training step")
