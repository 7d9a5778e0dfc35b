"""External models adapted to a task: intensities, axes, sizes and classes of an nnU-Net."""

import json

import pytest
import torch

from medkd.networks import FeatureTaps, default_taps
from medkd.teachers import load_teacher

from .builders import WINDOW, make_task_teacher, to_hu


def test_hu_scalings_are_not_used_with_windows_per_case(nnunet_model, tmp_path, capsys):
    network = nnunet_model(tmp_path / "model")
    image = torch.rand(1, 1, 16, 16) * 2 - 1
    with pytest.raises(
        ValueError, match="intensity scaling applies to HU .*, found percentiles of each case in this task"
    ):
        load_teacher(tmp_path / "model", make_task_teacher(), 2, (0, 1000), per_case=True)
    teacher = load_teacher(tmp_path / "model", make_task_teacher(), 2, (0, 1000), "unscaled", per_case=True)
    torch.testing.assert_close(teacher(image), network(image))
    teacher = load_teacher(tmp_path / "model", make_task_teacher(), 2, (0, 1000), [0, 1000, 0, 1], per_case=True)
    torch.testing.assert_close(teacher(image), network((image + 1) / 2))
    assert "note" not in capsys.readouterr().out


def test_a_z_score_of_an_nnunet(nnunet_model, tmp_path, capsys):
    network, image = nnunet_model(tmp_path / "z", scheme="ZScoreNormalization"), torch.rand(1, 1, 16, 16) * 2 - 1
    expected = network((image - image.mean()) / image.std(correction=0))
    for options, is_told in (((0, 1000), None), True), (((0, 1000), "zscore"), False), ((None,), False):
        teacher = load_teacher(tmp_path / "z", make_task_teacher(), 2, *options, per_case=options[0] is not None)
        torch.testing.assert_close(teacher(image), expected, rtol=1e-4, atol=1e-4)
        assert ("scaled by each slice or patch, not by the whole case" in capsys.readouterr().out) is is_told


def test_a_normalization_that_cannot_be_repeated_is_refused(nnunet_model, tmp_path):
    nnunet_model(tmp_path / "m", scheme="MyNormalization")
    with pytest.raises(
        ValueError, match="^--teacher nnU-Net .*: normalization_schemes: found MyNorm.*give --teacher_intensity"
    ):
        load_teacher(tmp_path / "m", make_task_teacher(), 2, WINDOW)


@pytest.mark.parametrize(
    ("plans", "note"),
    [
        ({}, "are not known, images are passed on as I, P, L"),
        ({"transpose_forward": [2, 0, 1]}, "are not known, images are passed on as L, I, P"),
        ({"transpose_forward": [2, 0, 1], "image_reader_writer": "NibabelIOWithReorient"}, None),
    ],
)
def test_axes_and_spacing_of_an_nnunet(nnunet_model, tmp_path, capsys, plans, note):
    network, file = nnunet_model(tmp_path / "model", dims=3), tmp_path / "model/plans.json"
    content = {**json.loads(file.read_text()), **plans}
    content["configurations"]["model"]["spacing"] = [1, 2, 3]
    file.write_text(json.dumps(content))
    image = torch.rand(1, 1, 6, 8, 16) * 2 - 1  # 6 is padded, along the network's own axes
    stated = (2, 3, 1) if "transpose_forward" in plans else (1, 2, 3)
    teacher = load_teacher(tmp_path / "model", make_task_teacher(3), 2, WINDOW, spacing=stated)
    out = capsys.readouterr().out
    assert "at a spacing" not in out and (note in out if note else "note" not in out)
    x = (to_hu(image).clamp(-70, 280) - 90) / 60
    x = x if note else x.flip((2, 3, 4))
    x = x.permute(0, 1, 4, 2, 3) if "transpose_forward" in plans else x
    axis = 3 if "transpose_forward" in plans else 2
    y = network(torch.cat([x, *[x.narrow(axis, 5, 1)] * 2], dim=axis)).narrow(axis, 0, 6)
    y = y.permute(0, 1, 3, 4, 2) if "transpose_forward" in plans else y
    torch.testing.assert_close(teacher(image), y if note else y.flip((2, 3, 4)))
    load_teacher(tmp_path / "model", make_task_teacher(3), 2, WINDOW, spacing=(9, 9, 9))
    assert (
        f"at a spacing of {list(stated)} mm (slices, rows, columns), this task has [9, 9, 9]" in capsys.readouterr().out
    )


@pytest.mark.parametrize("dims", [2, 3])
def test_an_nnunet(nnunet_model, tmp_path, dims):
    network = nnunet_model(tmp_path / "model", dims=dims, classes=3)
    teacher = load_teacher(tmp_path / "model", make_task_teacher(dims), 2, WINDOW, classes=[0, 0, 1])
    image = torch.rand(1, 1, *[16] * dims) * 2 - 1
    stated = network((to_hu(image).clamp(-70, 280) - 90) / 60)
    both = stated.softmax(1)
    merged = torch.stack([both[:, 0] + both[:, 1], both[:, 2]], dim=1)
    torch.testing.assert_close(teacher(image).softmax(1), merged)
    taps = FeatureTaps(teacher, **default_taps(teacher))
    assert [map_.shape[1] for map_ in taps.shapes.encoder] == [2, 4, 4] and len(taps.shapes.decoder) == 2


def test_sizes_that_do_not_fit_are_padded_and_cropped(nnunet_model, tmp_path):
    network = nnunet_model(tmp_path / "model")  # edges must be multiples of 4
    teacher = load_teacher(tmp_path / "model", make_task_teacher(), 2, WINDOW)
    image = torch.rand(1, 1, 17, 22) * 2 - 1
    padded = torch.cat([image, *[image[..., -1:, :]] * 3], dim=2)
    padded = torch.cat([padded, *[padded[..., -1:]] * 2], dim=3)
    assert teacher(image).shape == (1, 2, 17, 22)
    torch.testing.assert_close(teacher(image), network((to_hu(padded).clamp(-70, 280) - 90) / 60)[..., :17, :22])
