"""MONAI bundle folders: their checkpoints, their own code, their stages."""

import copy
import shutil
import sys
from types import ModuleType

import pytest
import torch

from medkd.networks import FeatureTaps, default_taps
from medkd.teachers import load_teacher, teacher_kind

from .builders import make_bundle, make_monai_unet, make_task_teacher


def test_a_training_checkpoint_is_read(tmp_path):
    network = make_monai_unet(3)
    folder = make_bundle(tmp_path / "b", network, 3, name="train.yaml")
    torch.save({"model": network.state_dict(), "epoch": 3}, folder / "models/model.pt")
    image = torch.rand(1, 1, 16, 16, 16)
    torch.testing.assert_close(load_teacher(folder, make_task_teacher(3), 2)(image), network(image))


def test_the_user_names_the_taps_of_a_bundle(tmp_path):
    teacher = load_teacher(make_bundle(tmp_path / "b", make_monai_unet()), make_task_teacher(), 2)
    assert default_taps(teacher) == {}
    taps = FeatureTaps(teacher, encoder=["network.model.0", "network.model.1.submodule.1.submodule"])
    assert [map_.shape[1] for map_ in taps.shapes.encoder] == [4, 16]


def test_bundles_run_their_own_code(tmp_path, monkeypatch):
    """All of them call it scripts, as another package may that is loaded already."""
    stranger = ModuleType("scripts")
    monkeypatch.setitem(sys.modules, "scripts", stranger)
    paths, network = [tmp_path / "a", tmp_path / "b"], torch.nn.ModuleDict({"c": torch.nn.Conv2d(1, 2, 1)})
    for path, sign in zip(paths, "+-", strict=True):
        make_bundle(path, network, network_def={"_target_": "scripts.net.Net"})
        (path / "scripts").mkdir()
        (path / "scripts/sign.py").write_text(f"def signed(x): return {sign}x")
        (path / "scripts/net.py").write_text(
            "import torch\nfrom scripts.sign import signed\nclass Net(torch.nn.Module):\n"
            "    def __init__(self):\n        super().__init__()\n        self.c = torch.nn.Conv2d(1, 2, 1)\n"
            "    def forward(self, x):\n        return signed(self.c(x))\n"
        )
    image = torch.rand(1, 1, 8, 8)
    for members in (
        load_teacher(paths, make_task_teacher(), 2).members,
        load_teacher(paths[::-1], make_task_teacher(), 2).members[::-1],
    ):
        a, b = (copy.deepcopy(member)(image) for member in members)
        torch.testing.assert_close(a, network["c"](image))
        torch.testing.assert_close(b, -a)
    assert sys.modules["scripts"] is stranger and "scripts.net" not in sys.modules


@pytest.mark.parametrize("base", ["b", "."])
def test_a_zip_of_a_bundle(tmp_path, base):
    """As medkd pack writes it, its folder inside, or the folder's content alone."""
    network = make_monai_unet()
    folder = make_bundle(tmp_path / "in/b", network)
    root = tmp_path / "in" if base == "b" else folder
    path = shutil.make_archive(str(tmp_path / "packed"), "zip", root, base)
    shutil.rmtree(tmp_path / "in")
    assert teacher_kind(path) == "bundle"
    image = torch.rand(1, 1, 16, 16)
    torch.testing.assert_close(load_teacher(path, make_task_teacher(), 2)(image), network(image))


def test_faults_in_a_zip_are_told_of_the_zip(tmp_path):
    folder = make_bundle(tmp_path / "in/b", make_monai_unet())
    (folder / "models/model.pt").unlink()
    path = shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path / "in", "b")
    with pytest.raises(FileNotFoundError, match=f"teacher {path}/models/model.pt: no such file"):
        load_teacher(path, make_task_teacher(), 2)


def test_a_network_that_needs_a_prompt_is_refused(tmp_path):
    parts = {name: {"_target_": "torch.nn.Identity"} for name in ("image_encoder", "class_head", "point_head")}
    folder = make_bundle(
        tmp_path / "b", make_monai_unet(), network_def={"_target_": "monai.networks.nets.VISTA3D", **parts}
    )
    with pytest.raises(
        ValueError, match="network_def: found VISTA3D, which needs a prompt beside each image, expected"
    ):
        load_teacher(folder, make_task_teacher(), 2)
