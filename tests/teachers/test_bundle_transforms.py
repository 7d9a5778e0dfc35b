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
        ({**RANGE, "_disabled_": True},),
        ({**RANGE, "_disabled_": "$1 == 1"},),
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
        ("$[1] * 3", (5, 5, 5), True),
        ("$[5] * 3", (5, 5, 5), False),
        (1, (1, 1, 1.3), True),
    ],
)
def test_a_note_names_another_spacing(tmp_path, capsys, pixdim, spacing, is_told):
    transforms = [{"_target_": "Orientationd", "axcodes": "RAS"}, {"_target_": "Spacingd", "pixdim": pixdim}]
    folder = make_bundle(tmp_path / "b", make_monai_unet(3), 3, transforms=transforms, mm=[1.5, 0.8, 5])
    load_teacher(folder, make_task_teacher(3), 2, spacing=spacing)
    assert (f"this task has {list(spacing or ())} (--spacing)" in capsys.readouterr().out) is is_told


@pytest.mark.parametrize(
    ("scaling", "ids"),
    [
        ({"a_min": "$@window[0]", "a_max": "$@window[1]", "clip": True}, {}),
        ({"a_min": "@window::0", "a_max": "@window#1", "clip": "$not @raw"}, {"raw": False}),
        ({"a_min": "%low", "a_max": "@high", "clip": "@clip"}, {"low": -100, "high": "$2 * 100", "clip": True}),
        ({"a_min": "$np.float32(-100)", "a_max": "$os.path.getsize(@bundle_root) * 0 + 200", "clip": True}, {}),
        ({"a_min": "$@limits()[0]", "a_max": 200, "clip": True}, {"limits": "$lambda: (-100, 200)"}),
        ({"a_min": -100, "a_max": 200, "b_min": "@##0::b", "b_max": "$1.0", "clip": True}, {}),
    ],
)
def test_references_and_expressions_are_resolved(tmp_path, capsys, scaling, ids):
    imports = {"imports": ["$import os", "$import numpy as np"], "window": [-100, 200]}
    transforms = [{"_target_": "EnsureTyped", "b": 0}, {**RANGE, **scaling}]
    folder = make_bundle(tmp_path / "b", network := make_monai_unet(), transforms=transforms, **imports, **ids)
    image = torch.rand(1, 1, 32, 32) * 2 - 1
    teacher = load_teacher(folder, make_task_teacher(), 2, WINDOW)
    torch.testing.assert_close(teacher(image), network((to_hu(image).clamp(-100, 200) + 100) / 300))
    assert "note" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "preprocessing",
    [
        {"_target_": "Compose", "transforms": "@list"},
        {"_target_": "Compose", "transforms": "$@list + @more"},
        {"_target_": "Compose", "transforms": "%list"},
        "@composed",
        "%composed",
    ],
)
def test_lists_of_transforms_may_lie_elsewhere(tmp_path, preprocessing):
    transforms = [{"_target_": "EnsureTyped"}, {**RANGE, "a_min": -100, "clip": True}]
    ids = {"list": transforms, "more": [], "composed": {"_target_": "Compose", "transforms": "@list"}}
    folder = make_bundle(tmp_path / "b", network := make_monai_unet(), preprocessing=preprocessing, **ids)
    image = torch.rand(1, 1, 32, 32) * 2 - 1
    teacher = load_teacher(folder, make_task_teacher(), 2, WINDOW)
    torch.testing.assert_close(teacher(image), network((to_hu(image).clamp(-100, 200) + 100) / 300))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"a_min": "$1 / 0"}, r"transforms::0::a_min: '\$1 / 0' cannot be computed: .*"),
        ({"a_min": "@nowhere"}, r"transforms::0::a_min: '@nowhere' cannot be computed: .*nowhere.*"),
        ({"a_min": "low"}, r"transforms::0::a_min: found 'low', expected a number"),
        ({"a_min": [1]}, r"transforms::0::a_min: found \[1\], expected a number"),
        ({"b_min": None}, r"transforms::0::b_min: found None, expected a number"),
        ({"a_min": 300}, "found a_min 300.0, expected less than a_max 200.0"),
    ],
)
def test_what_cannot_be_resolved_is_refused_with_the_way_out(tmp_path, changed, message):
    folder = make_bundle(tmp_path / "b", make_monai_unet(), transforms=[{**RANGE, **changed}], low=-100)
    expected = (
        f"^--teacher .*inference.json: .*{message}: give --teacher_intensity a_min a_max b_min b_max, .*unscaled$"
    )
    with pytest.raises(ValueError, match=expected):
        load_teacher(folder, make_task_teacher(), 2, WINDOW)
    assert load_teacher(folder, make_task_teacher(), 2, WINDOW, [-100, 200, 0, 1]).intensity is not None


def test_axes_that_cannot_be_resolved_are_refused_in_3d_alone(tmp_path):
    transforms = [{"_target_": "Orientationd", "axcodes": "@axes"}]
    with pytest.raises(ValueError, match="^--teacher .*transforms::0::axcodes: '@axes' cannot be computed: .*axes"):
        load_teacher(make_bundle(tmp_path / "a", make_monai_unet(3), 3, transforms=transforms), make_task_teacher(3), 2)
    load_teacher(make_bundle(tmp_path / "b", make_monai_unet(), transforms=transforms), make_task_teacher(), 2)


def test_units_of_a_case_suit_a_task_of_such_units_alone(tmp_path, capsys):
    transforms = [{"_target_": "scripts.data.NormaliseCased", "keys": "image", "per_case": "@own"}]
    transforms += [{**RANGE, "a_min": 0, "a_max": 1000, "b_min": -1}]
    folder = make_bundle(tmp_path / "b", network := make_monai_unet(), transforms=transforms, own=True)
    image = torch.rand(1, 1, 32, 32) * 2 - 1
    teacher = load_teacher(folder, make_task_teacher(), 2, (0, 500), per_case=True)
    torch.testing.assert_close(teacher(image), network((image + 1) / 2 - 1))
    assert "note" not in capsys.readouterr().out
    with pytest.raises(
        ValueError, match="applies to percentiles of each case, found HU .* in this task: give --teacher_int"
    ):
        load_teacher(folder, make_task_teacher(), 2, (0, 500))
