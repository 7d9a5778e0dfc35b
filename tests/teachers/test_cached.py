"""Cached soft labels: equal to computed ones, moved with the image, found again by weights and content."""

import shutil

import numpy as np
import pytest
import torch
from monai.data import CacheDataset, DataLoader, Dataset
from monai.losses import DiceCELoss
from monai.transforms import Compose, EnsureTyped, RandFlipd, RandRotate90d

from medkd import methods
from medkd.correction import TeacherTeam, is_correct
from medkd.engines import DistillationTrainer
from medkd.networks import FeatureTaps, UNet
from medkd.teachers import CachedSoftLabels, CachedTeacher, SingleTeacher


def network(seed, width=2, dims=2):
    torch.manual_seed(seed)
    net = UNet(dims, 1, 2, width=width).eval()
    with torch.no_grad():
        net.head.bias[1] += 0.1 * seed
    return net


def tapped(seed=0, **options):
    net = network(seed, **options)
    return FeatureTaps(net, **net.default_taps()).eval()


def items(count=4, size=(32, 32), seed=0):
    draw = torch.Generator().manual_seed(seed)
    images = [torch.rand(1, *size, generator=draw) for _ in range(count)]
    return Dataset([{"image": x, "label": (x > 0.5).long(), "case": f"c{i}"} for i, x in enumerate(images)])


def batch(data, *keys):
    return [torch.stack([item[key] for item in data]) for key in keys]


def team(**options):
    return TeacherTeam(tapped(), network(1), network(2), **options)


@pytest.mark.parametrize("options", [{}, {"similarity": False}, {"swap": True}])
def test_without_augmentation_it_equals_the_team_in_half_precision(tmp_path, options):
    teachers = team(**options)
    data = CachedSoftLabels(items(), teachers, tmp_path, "cpu")
    image, label, stored = batch(data, "image", "label", "soft_labels")
    assert stored.dtype == torch.float16
    with torch.no_grad():
        computed, result = teachers(image, label), CachedTeacher(teachers)(stored, label)
    difference = (torch.softmax(computed.logits, 1) - torch.softmax(result.logits, 1)).abs()
    # a pixel at the very border between right and wrong, or between two candidates, may fall on the other side
    assert difference.quantile(0.99) < 2e-3
    assert torch.equal(result.logits.argmax(1, keepdim=True), label) == options.get("similarity", True)
    assert result.encoder == result.decoder == ()


def test_logits_of_a_single_teacher(tmp_path):
    taps = tapped()
    teacher = SingleTeacher(taps)
    data = CachedSoftLabels(items(), teacher, tmp_path, "cpu")
    image, label, stored = batch(data, "image", "label", "soft_labels")
    with torch.no_grad():
        torch.testing.assert_close(
            CachedTeacher(teacher)(stored, label).logits, taps(image).logits, atol=1e-3, rtol=1e-3
        )


def test_soft_labels_move_with_the_image_and_stay_correct(tmp_path):
    teachers, keys = team(), ["image", "label", "soft_labels"]
    data = CachedSoftLabels(items(), teachers, tmp_path, "cpu")
    flipped = RandFlipd(keys, prob=1.0, spatial_axis=1)
    before, after = data[0], flipped(data[0])
    assert torch.equal(torch.as_tensor(after["soft_labels"]).flip(2), before["soft_labels"])
    turned = RandRotate90d(keys, prob=1.0, max_k=1)(data[1])
    label = torch.as_tensor(turned["label"])[None]
    stages = CachedTeacher(teachers).soft_labels(torch.as_tensor(turned["soft_labels"])[None], label)
    assert bool(is_correct(stages.ultimate, label).all()) and not bool(is_correct(stages.initial, label).all())


def test_files_are_found_again_by_weights_and_content(tmp_path, capsys):
    teachers = team()
    first = CachedSoftLabels(items(), teachers, tmp_path, "cpu")
    assert "of 4 images, 4 of them new" in capsys.readouterr().out
    kept = [np.load(file) for file in first.files]
    again = CachedSoftLabels(items(), teachers, tmp_path, "cpu")
    assert "0 of them new" in capsys.readouterr().out and again.files == first.files
    first.files[2].unlink()  # a run that was stopped
    CachedSoftLabels(items(), teachers, tmp_path, "cpu")
    assert "1 of them new" in capsys.readouterr().out
    assert all(np.array_equal(np.load(file), old) for file, old in zip(first.files, kept, strict=True))
    others = CachedSoftLabels(items(seed=1), teachers, tmp_path, "cpu")  # other images under the same names
    assert not set(others.files) & set(first.files) and others.folder == first.folder
    assert CachedSoftLabels(items(), team(similarity=False), tmp_path, "cpu").folder != first.folder
    changed = team()
    with torch.no_grad():
        changed.boundary.head.bias += 1
    assert CachedSoftLabels(items(), changed, tmp_path, "cpu").folder != first.folder
    statistics = team()
    next(b for name, b in statistics.teacher.network.named_buffers() if name.endswith("running_mean")).add_(1)
    assert CachedSoftLabels(items(), statistics, tmp_path, "cpu").folder != first.folder
    other_tap = team()
    other_tap.teacher = FeatureTaps(other_tap.teacher.network, decoder=["decoder.2"])
    assert CachedSoftLabels(items(), other_tap, tmp_path, "cpu").folder != first.folder
    assert not list(tmp_path.rglob("*partial*"))


def test_a_truncated_file_is_computed_again(tmp_path, capsys):
    files = CachedSoftLabels(items(), SingleTeacher(tapped()), tmp_path, "cpu").files
    whole = files[0].read_bytes()
    for rest in (b"", whole[:90], whole[:-100]):
        files[0].write_bytes(rest)
        capsys.readouterr()
        data = CachedSoftLabels(items(), SingleTeacher(tapped()), tmp_path, "cpu")
        assert "1 of them new" in capsys.readouterr().out and files[0].read_bytes() == whole
        assert data[0]["soft_labels"].shape == (2, 32, 32)


def test_a_changed_byte_is_told_and_a_file_without_checksum_is_read(tmp_path):
    taps = tapped()
    data = CachedSoftLabels(items(), SingleTeacher(taps), tmp_path, "cpu")
    content = bytearray(data.files[1].read_bytes())
    content[200] ^= 1
    data.files[1].write_bytes(content)
    np.save(data.files[2], np.load(data.files[2]))  # as earlier releases wrote it
    data = CachedSoftLabels(items(), SingleTeacher(taps), tmp_path, "cpu")
    assert data[0]["soft_labels"].shape == data[2]["soft_labels"].shape
    with pytest.raises(ValueError, match=f"{data.files[1].name}: it is damaged: .* remove it, the same command"):
        data[1]


def test_an_image_in_another_shape_is_another_image(tmp_path):
    flat = {"label": torch.zeros(1, 32, 64).long(), "case": "c"}
    files = [
        CachedSoftLabels(
            Dataset([{**flat, "image": torch.zeros(shape)}]), SingleTeacher(tapped()), tmp_path, "cpu"
        ).files[0]
        for shape in ((1, 32, 64), (1, 64, 32))
    ]
    assert files[0] != files[1]


def test_images_of_any_edge_are_padded_and_cropped(tmp_path):
    data = Dataset([{**item, "slice": 7} for item in items(2, size=(40, 33))])
    stored = CachedSoftLabels(data, SingleTeacher(tapped()), tmp_path, "cpu")
    assert stored[0]["soft_labels"].shape == (2, 40, 33) and stored.files[0].name.startswith("c0_0007-")
    # padded behind: what was there stays in its place
    padded = torch.nn.functional.pad(data[0]["image"][None], (0, 31, 0, 24), mode="replicate")
    with torch.no_grad():
        expected = tapped()(padded).logits[0, :, :40, :33]
    torch.testing.assert_close(stored[0]["soft_labels"].float(), expected, atol=2e-3, rtol=2e-3)


def test_volumes(tmp_path):
    teachers = TeacherTeam(tapped(dims=3), network(1, dims=3))
    data = CachedSoftLabels(items(1, size=(32, 32, 16)), teachers, tmp_path, "cpu")
    image, label, stored = batch(data, "image", "label", "soft_labels")
    assert stored.shape[2:] == (32, 32, 16)
    with torch.no_grad():
        computed, result = teachers.soft_labels(image, label), CachedTeacher(teachers).soft_labels(stored, label)
    for a, b in zip(computed[:3], result[:3], strict=True):
        assert (a - b).abs().quantile(0.99) < 2e-3
    assert torch.equal(result.ultimate.argmax(1, keepdim=True), label)


def test_no_room_on_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(100, 100, 0))
    with pytest.raises(
        OSError, match="found 0.0 GiB free, expected .* GiB for the soft labels: use --soft_labels online"
    ):
        CachedSoftLabels(items(), team(), tmp_path, "cpu")
    assert not list(tmp_path.rglob("*.npy"))


def run(tmp_path, cached, prob):
    """The student after two epochs on images flipped and turned with that probability."""
    teachers, student = team(), tapped(5)
    keys = ["image", "label", *(["soft_labels"] if cached else [])]
    moves = Compose([RandFlipd(keys, prob=prob), RandRotate90d(keys, prob=prob), EnsureTyped(keys, track_meta=False)])
    moves.set_random_state(0)
    source = CachedSoftLabels(items(), teachers, tmp_path, "cpu") if cached else items()
    loader = DataLoader(CacheDataset(source, moves, progress=False), batch_size=2)
    loss = methods.build("plckd", DiceCELoss(softmax=True, to_onehot_y=True), student, teachers.teacher, {"warmup": 0})
    guide = CachedTeacher(teachers) if cached else teachers
    optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
    DistillationTrainer("cpu", 2, loader, student, optimizer, loss, guide).run()
    return torch.cat([p.detach().flatten() for p in student.parameters()])


# untrained networks are far from saying the flipped answer of a flipped image: the second is a bound for the worst
@pytest.mark.parametrize(("prob", "tolerance"), [(0.0, 0.02), (0.5, 0.5)])
def test_a_student_learns_nearly_the_same_online_and_cached(tmp_path, prob, tolerance):
    start = torch.cat([p.detach().flatten() for p in tapped(5).parameters()])
    online, cached = run(tmp_path, False, prob), run(tmp_path, True, prob)
    assert (online - start).norm() > 0.05
    assert (online - cached).norm() < tolerance * (online - start).norm()


def test_methods_that_read_maps_are_refused():
    methods.check_reads_logits("plckd", {"base": "cwd"})
    for name in ("none", "kd", "dkd", "cwd", "swap"):
        methods.check_reads_logits(name)
    for name in ("hlfd", "at", "skd", "cirkd", "emkd"):
        with pytest.raises(ValueError, match=f"method {name} reads .* --soft_labels cached does not keep"):
            methods.check_reads_logits(name)
