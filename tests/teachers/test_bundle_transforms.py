"""What a bundle's preprocessing states: intensity range, axes, spacing, and what leaves them unknown."""

import pytest
import torch

from medkd.networks import FeatureTaps
from medkd.teachers import load_teacher, teacher_kind

from .builders import NORMALIZE, RANGE, WINDOW, make_bundle, make_monai_unet, make_task_teacher, to_hu, turn


def test_a_bundle_scales_as_its_preprocessing_does(tmp_path, capsys):
    network = make_monai_unet()
    folder = make_bundle(
        tmp_path / "b", network, transforms=[{"_target_": "EnsureTyped"}, {**RANGE, "clip": True}], low=-100
    )
    assert teacher_kind(folder) == "bundle"
    teacher = load_teacher(folder, make_task_teacher(), 2, WINDOW)
    image = torch.rand(2, 1, 32, 48) * 2 - 1
    torch.testing.assert_close(teacher(image), network((to_hu(image).clamp(-100, 200) + 100) / 300))
    assert "note" not in capsys.readouterr().out


def test_transforms_that_do_not_scale_are_ignored(tmp_path, capsys):
    others = [{**RANGE, "_disabled_": True}, {"_target_": "Compose", "transforms": [NORMALIZE], "_disabled_": "True"}]
    others += [{**NORMALIZE, "keys": ["label"]}, {"_target_": "monai.transforms.RandScaleIntensityd", "keys": "image"}]
    folder = make_bundle(tmp_path / "b", make_monai_unet(), transforms=[*others, {**RANGE, "a_min": -100}])
    assert load_teacher(folder, make_task_teacher(), 2, WINDOW).intensity is not None
    assert "note" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "transforms",
    [
        (),
        (RANGE, RANGE),
        (RANGE, NORMALIZE),
        ({"_target_": "LambdaD", "keys": ["image", "label"], "func": "$lambda x: -x"}, RANGE),
        ({**RANGE, "_disabled_": True},),
        ({**RANGE, "_disabled_": "$1 == 1"},),
        ({**RANGE, "a_min": "$os.getpid()"},),
    ],
)
def test_an_unknown_scale_is_passed_on_with_a_note(tmp_path, capsys, transforms):
    network = make_monai_unet()
    teacher = load_teacher(
        make_bundle(tmp_path / "b", network, transforms=transforms, low=-100), make_task_teacher(), 2, WINDOW
    )
    image = torch.rand(1, 1, 32, 32)
    torch.testing.assert_close(teacher(image), network(image))
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("note: MONAI bundle") and line.endswith(
        "intensity scaling is not known, images are passed on unscaled (--teacher_intensity)"
    )


@pytest.mark.parametrize(
    ("transforms", "is_known"),
    [
        ([{"_target_": "Orientationd", "keys": "image", "axcodes": "@axes"}], True),
        ([{"_target_": "OrientationD", "keys": "image", "as_closest_canonical": True}], True),
        ([{"_target_": "Orientationd", "axcodes": "RAX"}], False),
        ([{"_target_": "Orientationd", "axcodes": "RAS", "_disabled_": True}], False),
        ([{"_target_": "Orientationd", "axcodes": "RAS"}, {"_target_": "Transposed", "indices": [0, 3, 2, 1]}], False),
        ([], False),
    ],
)
def test_images_are_turned_to_the_axes_of_the_bundle(tmp_path, capsys, transforms, is_known):
    network = make_monai_unet(3)
    folder = make_bundle(tmp_path / "b", network, 3, transforms=transforms, axes="RAS")
    teacher = load_teacher(folder, make_task_teacher(3), 2)
    image = torch.rand(1, 1, 4, 8, 16)
    expected = turn(network(turn(image))) if is_known else network(image)
    torch.testing.assert_close(teacher(image), expected)
    assert ("directions are not known, images are passed on as I, P, L" in capsys.readouterr().out) is not is_known
    tapped = FeatureTaps(teacher, encoder=["network.model.0"])(image).encoder[0]
    inner = FeatureTaps(network, encoder=["model.0"])(turn(image) if is_known else image).encoder[0]
    torch.testing.assert_close(tapped, turn(inner) if is_known else inner)


@pytest.mark.parametrize(
    ("pixdim", "spacing", "is_told"),
    [
        ("@mm", (5, 0.8, 1.5), False),
        ("@mm", (5.9, 0.8, 1.5), False),
        ([1.5, 0.8, 5], (1.5, 0.8, 5), True),
        ([1.5, 0.8, 5], None, False),
        ([1.5, 0.8, -1], (99, 0.8, 1.5), False),
        ("$[1] * 3", (5, 5, 5), False),
        (1, (1, 1, 1.3), True),
    ],
)
def test_a_note_names_another_spacing(tmp_path, capsys, pixdim, spacing, is_told):
    transforms = [{"_target_": "Orientationd", "axcodes": "RAS"}, {"_target_": "Spacingd", "pixdim": pixdim}]
    folder = make_bundle(tmp_path / "b", make_monai_unet(3), 3, transforms=transforms, mm=[1.5, 0.8, 5])
    load_teacher(folder, make_task_teacher(3), 2, spacing=spacing)
    assert (f"this task has {list(spacing or ())} (--spacing)" in capsys.readouterr().out) is is_told
