"""Ensembles: the mean of probabilities, members of every kind, certain members."""

import torch
from torch import nn

from medkd.networks import FeatureTaps, default_taps
from medkd.teachers import Ensemble, load_teacher

from .builders import WINDOW, make_monai_unet, make_task_teacher, save_script, to_hu


def test_an_ensemble_is_the_mean_of_probabilities(nnunet_model, tmp_path):
    nnunet_model(tmp_path / "model", classes=3)
    torch.save(make_task_teacher().state_dict(), tmp_path / "model.pt")
    paths = [save_script(tmp_path / "t.ts", make_monai_unet()), tmp_path / "model", tmp_path / "model.pt"]
    intensities, classes = [[-100, 200, 0, 1], None, None], [None, [0, 0, 1], None]
    ensemble = load_teacher(paths, make_task_teacher(), 2, WINDOW, intensities, classes).eval()
    members = [
        load_teacher(path, make_task_teacher(), 2, WINDOW, i, k).eval()
        for path, i, k in zip(paths, intensities, classes, strict=True)
    ]
    image = torch.rand(1, 1, 32, 32) * 2 - 1
    mean = sum(member(image).softmax(1) for member in members) / 3
    torch.testing.assert_close(ensemble(image).softmax(1), mean)
    assert default_taps(ensemble) == {} and FeatureTaps(ensemble).channels.logits == 2


def test_an_ensemble_stays_finite():
    class Certain(nn.Module):
        def forward(self, image):
            return torch.cat([1e4 * torch.ones_like(image), -1e4 * torch.ones_like(image)], 1)

    assert Ensemble([Certain(), Certain()], (2, 1))(torch.zeros(1, 1, 2, 2)).isfinite().all()


def test_one_range_for_several_is_a_fallback(nnunet_model, tmp_path):
    network = nnunet_model(tmp_path / "model")
    paths = [tmp_path / "model", save_script(tmp_path / "t.ts", make_monai_unet())]
    first, second = load_teacher(paths, make_task_teacher(), 2, WINDOW, [-100, 200, 0, 1]).members
    image = torch.rand(1, 1, 16, 16) * 2 - 1
    torch.testing.assert_close(first(image), network((to_hu(image).clamp(-70, 280) - 90) / 60))
    torch.testing.assert_close(second(image), second.network((to_hu(image).clamp(-100, 200) + 100) / 300))


def test_medkd_runs_keep_separate_weights(tmp_path):
    paths, image = [tmp_path / "a.pt", tmp_path / "b.pt"], torch.rand(1, 1, 32, 32)
    states = [make_task_teacher().state_dict() for _ in paths]
    for path, state in zip(paths, states, strict=True):
        torch.save(state, path)
    ensemble = load_teacher(paths, make_task_teacher(), 2).eval()
    a, b = (member(image) for member in ensemble.members)
    assert not torch.equal(a, b)
