"""The correction report: kinds of errors counted by hand, and what a run writes."""

import json

import torch
from monai.data import DataLoader, Dataset
from monai.losses import DiceCELoss

from medkd import methods
from medkd.correction import SoftLabels, TeacherTeam
from medkd.engines import DistillationTrainer
from medkd.networks import FeatureTaps, UNet
from medkd.plckd import CorrectionReport
from medkd.plckd.correction_report import count_errors
from medkd.teachers import CachedSoftLabels, CachedTeacher


def stage(prediction):
    """Sure probabilities (1, 2, H, W) of a boolean prediction."""
    lesion = prediction.float()[None, None]
    return torch.cat([1 - lesion, lesion], dim=1)


def test_kinds_by_hand():
    target = torch.zeros(1, 1, 20, 20, dtype=torch.long)
    target[..., 4:16, 4:16] = 1
    truth = target[0, 0].bool()
    first = truth.clone()
    first[10, 10] = False  # in the middle of the lesion: 6 pixels from its border
    first[4, 4:8] = False  # on its border
    first[3, 10] = True  # outside, at its border
    first[0, 0] = True  # far outside: 4 pixels an axis from it
    second = first.clone()
    second[4, 4:8] = True
    labels = SoftLabels(stage(first), stage(second), stage(second), stage(truth))
    result = {kind: values.tolist() for kind, values in count_errors(labels, target).items()}
    assert result == {
        "wrong": [7, 3, 3, 0],
        "false positive": [2, 2, 2, 0],
        "false negative": [5, 1, 1, 0],
        "boundary": [5, 1, 1, 0],
        "interior": [2, 2, 2, 0],
    }


def test_volumes_are_counted_too():
    target = torch.zeros(1, 1, 9, 9, 9, dtype=torch.long)
    target[..., 4, 4, 4] = 1
    nothing = torch.cat([torch.ones(1, 1, 9, 9, 9), torch.zeros(1, 1, 9, 9, 9)], dim=1)
    result = count_errors(SoftLabels(nothing, nothing, nothing, nothing), target)
    assert result["false negative"].tolist() == result["boundary"].tolist() == [1] * 4


def network(seed):
    torch.manual_seed(seed)
    return UNet(2, 1, 2, width=2).eval()


def tapped(seed):
    net = network(seed)
    return FeatureTaps(net, **net.default_taps()).eval()


def run(folder, cached=False, epoch=0, labelled=None):
    """A run of one epoch with the report; ``labelled``: which of the four images have labels."""
    draw = torch.Generator().manual_seed(0)
    images = [torch.rand(1, 32, 32, generator=draw) for _ in range(4)]
    data = Dataset([{"image": x, "label": (x > 0.5).long(), "case": f"c{i}"} for i, x in enumerate(images)])
    if labelled is not None:
        data = Dataset([{**item, "labelled": flag} for item, flag in zip(data, labelled, strict=True)])
    team = TeacherTeam(tapped(0), network(1), network(2))
    source = CachedSoftLabels(data, team, folder / "store", "cpu") if cached else data
    guide, student = CachedTeacher(team) if cached else team, tapped(5)
    loss = methods.build("plckd", DiceCELoss(softmax=True, to_onehot_y=True), student, team.teacher)
    report = CorrectionReport(guide, folder, DataLoader(data, batch_size=1))
    optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
    loader = DataLoader(source, batch_size=2)
    trainer = DistillationTrainer("cpu", epoch + 1, loader, student, optimizer, loss, guide, train_handlers=[report])
    trainer.state.epoch, trainer.state.iteration = epoch, 2 * epoch
    trainer.run()
    return folder / "correction.json"


def test_the_report_of_cached_soft_labels_is_the_same(tmp_path, capsys):
    online, cached = (json.loads(run(tmp_path / str(way), way).read_text()) for way in (False, True))
    assert "after each stage of the correction" in capsys.readouterr().out
    assert online["pixels"] == cached["pixels"] == 4 * 32 * 32
    assert online["on_validation_images"] == cached["on_validation_images"]
    for kind, stages in online["wrong_pixels_after"].items():
        for stage, count in stages.items():
            assert abs(cached["wrong_pixels_after"][kind][stage] - count) <= 4  # half precision
    wrong = list(online["wrong_pixels_after"]["wrong"].values())
    assert wrong == sorted(wrong, reverse=True) and wrong[0] > wrong[-1] == 0
    assert sum(online["similarity_took_from"].values()) == wrong[2]


def test_the_report_counts_labelled_images_alone(tmp_path, capsys):
    some = json.loads(run(tmp_path / "some", labelled=(True, False, False, True)).read_text())
    cached = json.loads(run(tmp_path / "cached", cached=True, labelled=(True, False, False, True)).read_text())
    every = json.loads(run(tmp_path / "all").read_text())
    assert some["images"] == cached["images"] == 2 and some["pixels"] == cached["pixels"] == 2 * 32 * 32
    assert 0 < some["wrong_pixels_after"]["wrong"]["T"] < every["wrong_pixels_after"]["wrong"]["T"]
    capsys.readouterr()
    assert not run(tmp_path / "none", labelled=(False,) * 4).exists()
    assert "no training image has a label: the team corrects nothing" in capsys.readouterr().out


def test_a_resumed_run_keeps_its_report(tmp_path):
    assert not run(tmp_path, epoch=1).exists()
    assert run(tmp_path).exists()
