"""Channels of the task that an external teacher takes: by option, by name, and what does not fit."""

import pytest
import torch
from torch import nn

from medkd.networks import UNet
from medkd.teachers.channels import choose_channels
from medkd.teachers.external import ExternalModel, Task, adapt_model
from medkd.teachers.scalings import range_scaling

OURS = ["ct", "t1", "t2"]


def test_names_and_numbers():
    assert choose_channels(["T2", 0], OURS, [], "x", 2) == [2, 0]
    assert choose_channels("t2, ct", OURS, [], "x", 2) == [2, 0]
    assert choose_channels("t1", OURS, [], "x", 1) == choose_channels(1, OURS, [], "x", 1) == [1]
    assert choose_channels(["ct", "t1", "t2"], OURS, [], "x", 3) is None  # all in their order
    assert choose_channels(None, OURS, ["t2", "CT"], "x", 2) == [2, 0]
    assert choose_channels(None, OURS, ["PET", "CT", "US"], "x", 3) is None  # other names: in their order


@pytest.mark.parametrize(
    ("option", "theirs", "count", "message"),
    [
        (["t9"], [], 1, r"--teacher_channels: found \['t9'\], expected names or numbers of the channels ct, t1, t2"),
        ([3], [], 1, r"--teacher_channels: found \[3\], expected names or numbers"),
        (["ct"], [], 2, r"teacher x: --teacher_channels: found \['ct'\], expected 2 channels"),
        (None, [], 1, "teacher x: found ct, t1, t2, expected 1 channels: give --teacher_channels"),
    ],
)
def test_what_does_not_fit_is_one_line(option, theirs, count, message):
    with pytest.raises(ValueError, match=message):
        choose_channels(option, OURS, theirs, "x", count)


def test_a_teacher_sees_its_channels_on_its_own_scale():
    network = nn.Conv2d(2, 2, 1, bias=False)
    network.weight.data = torch.eye(2)[:, :, None, None]  # what it sees are its logits
    windows = [[-200, 300], [0, 1000], [0, 500]]
    task = Task(UNet(2, 3, 2, width=2), 2, windows, [False, True, True], channels=OURS)
    scalings = [range_scaling(0, 500, 0, 1), range_scaling(-100, 200, 0, 1)]
    model = ExternalModel(network, "x", scalings, per_case=[True, False], channels=["T2", "CT"])
    image = torch.rand(1, 3, 16, 16) * 2 - 1
    seen = adapt_model(model, task)(image)
    torch.testing.assert_close(seen[:, 0], (image[:, 2] + 1) / 2)
    torch.testing.assert_close(seen[:, 1], ((-200 + (image[:, 0] + 1) * 250).clamp(-100, 200) + 100) / 300)
    with pytest.raises(ValueError, match=r"applies to HU .*, found percentiles of each case in this task"):
        adapt_model(model._replace(per_case=[False, False]), task)


@pytest.mark.parametrize("names", [(), ("CT", "T2")])
def test_the_files_of_a_script_tell_how_many_channels_it_takes(names):
    """The scaling of intensities, which has an entry for each channel, is not what tells of another number."""
    script = torch.jit.script(nn.Conv2d(2, 2, 1))
    windows = [[-200, 300], [0, 1000], [0, 500]]
    task = Task(UNet(2, 3, 2, width=2), 2, windows, [False, True, True], channels=OURS)
    scalings = [range_scaling(-200, 300, -1, 1), range_scaling(0, 1000, -1, 1)]
    model = ExternalModel(script, "x", scalings, per_case=[False, True], channels=names)
    for option in (["ct"], ["ct", "t1", "t2"], 0):
        with pytest.raises(ValueError, match=r"teacher x: --teacher_channels: found \[.*\], expected 2 channels"):
            adapt_model(model, task, channels=option)
    assert adapt_model(model, task, channels="ct,t2")(torch.rand(1, 3, 16, 16)).shape == (1, 2, 16, 16)


def test_other_names_than_ours_are_told(capsys):
    choose_channels(None, OURS, ["PET", "CT", "US"], "x", 3)
    assert "note: x: channels are called PET, CT, US, and get in their order: ct, t1, t2" in capsys.readouterr().out
    choose_channels(None, OURS, ["t1", "t2", "ct"], "x", 3)
    assert "note: x: channels by name: t1, t2, ct" in capsys.readouterr().out
    choose_channels(None, ["image"], ["CT"], "x", 1)
    assert not capsys.readouterr().out
