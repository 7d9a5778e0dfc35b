"""Scalings of a bundle by an image's own statistics: exact with whole pictures, refused with volumes."""

import pytest
import torch
from monai.bundle import ConfigParser
from monai.transforms import Compose

from medkd.teachers import load_teacher

from .builders import NORMALIZE, RANGE, WINDOW, make_bundle, make_monai_unet, make_task_teacher, to_hu

IMAGE = torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1


def transform(name, **arguments):
    return {"_target_": f"{name}d", "keys": "image", **arguments}


POINTWISE = {
    "two ranges": [{**RANGE, "a_min": -100}, transform("ScaleIntensityRange", a_min=0, a_max=1, b_min=-1, b_max=1)],
    "constants": [transform("NormalizeIntensity", subtrahend=40, divisor="$2 * 30")],
    "clipped, then constants": [
        transform("ThresholdIntensity", threshold=-50, cval=-50),
        transform("ThresholdIntensity", threshold=150, above=False, cval=150),
        transform("NormalizeIntensity", subtrahend=[40], divisor="$np.array([60.0])", channel_wise=True),
    ],
    "shifted": [
        transform("ShiftIntensity", offset=1024),
        transform("ScaleIntensity", minv=None, maxv=None, factor=-0.5),
    ],
}
STATISTICS = {
    "z-score": [NORMALIZE],
    "z-score of nonzero": [transform("NormalizeIntensity", nonzero=True, channel_wise=True)],
    "min-max": [transform("ScaleIntensity", minv=-1.0, channel_wise=True, dtype="$np.float32")],
    "percentiles": [transform("ScaleIntensityRangePercentiles", lower=1, upper=99, b_min=0, b_max=1, clip=True)],
    "clipped percentiles, then z-score": [transform("ClipIntensityPercentiles", lower=5, upper=95), NORMALIZE],
    "range, then z-score": [{**RANGE, "a_min": 20, "clip": True}, NORMALIZE],
    "contrast": [transform("AdjustContrast", gamma=2)],
}


def expected(transforms, images):
    """What MONAI itself makes of each image."""
    content = {"imports": ["$import numpy as np"], "low": -100, "p": {"_target_": "Compose", "transforms": transforms}}
    compose = ConfigParser(content).get_parsed_content("p")
    assert isinstance(compose, Compose)
    return torch.stack([compose({"image": image.clone()})["image"].as_tensor() for image in images])


def load(folder, transforms, *options, dims=2, **more):
    content = {"imports": ["$import numpy as np"], "low": -100, "transforms": transforms}
    network = make_monai_unet(dims)
    make_bundle(folder, network, dims, **content)
    return network, load_teacher(folder, make_task_teacher(dims), 2, *options, **more)


@pytest.mark.parametrize("name", POINTWISE)
def test_what_needs_a_voxel_alone_is_exact_with_hu(tmp_path, capsys, name):
    network, teacher = load(tmp_path / "b", POINTWISE[name], WINDOW)
    x = expected(POINTWISE[name], to_hu(IMAGE))
    torch.testing.assert_close(teacher(IMAGE), network(x), rtol=1e-4, atol=1e-4)
    assert "note" not in capsys.readouterr().out


@pytest.mark.parametrize("name", [*POINTWISE, *STATISTICS])
def test_whole_pictures_are_scaled_as_monai_does(tmp_path, capsys, name):
    """A picture's 0..255 are -1..1 here."""
    image = IMAGE.clone()
    image[..., :8] = -1  # black
    transforms = {**POINTWISE, **STATISTICS}[name]
    network, teacher = load(tmp_path / "b", transforms)
    x = expected(transforms, (image + 1) * 127.5)
    torch.testing.assert_close(teacher(image), network(x), rtol=1e-4, atol=1e-4)
    assert "note" not in capsys.readouterr().out


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("name", STATISTICS)
def test_statistics_of_volumes_are_refused(tmp_path, name, dims):
    message = (
        "^--teacher MONAI bundle .* scales by the statistics of the whole volume, .*: give --teacher_intensity .*zscore"
    )
    with pytest.raises(ValueError, match=message) as caught:
        load(tmp_path / "b", STATISTICS[name], WINDOW, dims=dims)
    assert "\n" not in str(caught.value)


def test_words_are_the_way_out(tmp_path):
    image = to_hu(IMAGE)
    mean, deviation = (
        f((1, 2, 3), keepdim=True) for f in (image.mean, lambda *a, **k: image.std(*a, **k, correction=0))
    )
    low, high = image.amin((1, 2, 3), keepdim=True), image.amax((1, 2, 3), keepdim=True)
    scaled = {"zscore": (image - mean) / deviation, "minmax": (image - low) / (high - low), "unscaled": IMAGE}
    for word, x in scaled.items():
        network, teacher = load(tmp_path / word, [NORMALIZE], WINDOW, word)
        torch.testing.assert_close(teacher(IMAGE), network(x), rtol=1e-4, atol=1e-4)
    for word in ("z-score", "", ["zscore"]):
        with pytest.raises(ValueError, match="^--teacher_intensity: found .*, expected a_min .*, or unscaled$"):
            load_teacher(tmp_path / "zscore", make_task_teacher(), 2, WINDOW, word)


def test_words_for_several_teachers(tmp_path):
    for name in "ab":
        load(tmp_path / name, [NORMALIZE])
    paths = [tmp_path / "a", tmp_path / "b"]
    for option in ("zscore", ["zscore", "unscaled"]):
        ensemble = load_teacher(paths, make_task_teacher(), 2, WINDOW, option)
        assert [member.intensity is None for member in ensemble.members] == [False, option != "zscore"]


def test_percentiles_of_the_task_are_known(tmp_path):
    """The nifti task maps 0.5 and 99.5 percentiles of each case to 0 and 1000: here -1 and 0."""
    percentiles = transform("ScaleIntensityRangePercentiles", lower=0.5, upper=99.5, b_min=0, b_max=2, clip=True)
    network, teacher = load(tmp_path / "b", [percentiles], (0, 2000), per_case=True)
    torch.testing.assert_close(teacher(IMAGE), network(((IMAGE + 1) * 2).clamp(0, 2)), rtol=1e-4, atol=1e-4)
    for changed in ({"lower": 1}, {"relative": True}):
        with pytest.raises(ValueError, match="ScaleIntensityRangePercentiles scales by the statistics"):
            load(tmp_path / str(*changed), [{**percentiles, **changed}], (0, 2000), per_case=True)


@pytest.mark.parametrize("transforms", [[RANGE], POINTWISE["constants"]])
def test_hu_are_refused_for_percentiles_of_each_case(tmp_path, transforms):
    with pytest.raises(
        ValueError, match="applies to HU .*, found percentiles of each case in this task: give --teacher_int"
    ):
        load(tmp_path / "b", transforms, (0, 1000), per_case=True)


@pytest.mark.parametrize(
    ("transforms", "message"),
    [
        (
            [{"_target_": "LambdaD", "keys": ["image", "label"], "func": "$lambda x: -x"}, RANGE],
            "found Lambda, which cannot",
        ),
        ([RANGE, transform("GaussianSmooth")], "found GaussianSmooth, which cannot be repeated here"),
        ([transform("CropForeground", source_key="image"), NORMALIZE], "found NormalizeIntensity after CropForeground"),
        ([transform("NormalizeIntensity", subtrahend="mean")], "subtrahend: found 'mean', expected a number"),
        ([transform("ShiftIntensity", offset=1, factor_key="f")], "found 'f', expected a number"),
        ([transform("ScaleIntensity", dtype="$np.uint8")], "dtype: found .*uint8.*, expected a floating-point"),
        ([transform("ShiftIntensity")], "intensities cannot be scaled: .*offset"),
        ([transform("NormalizeIntensity", subtrahend=[1, 2], channel_wise=True)], "1 channels, but subtrahend has 2"),
    ],
)
def test_what_cannot_be_repeated_is_refused(tmp_path, transforms, message):
    with pytest.raises(ValueError, match=f"^--teacher .*{message}") as caught:
        load(tmp_path / "b", transforms)
    assert "\n" not in str(caught.value)


def test_a_picture_in_the_scale_of_the_task_stays_as_it_is(tmp_path):
    _, teacher = load(tmp_path / "b", [transform("ScaleIntensityRange", a_min=0, a_max=255, b_min=-1, b_max=1)])
    assert teacher.intensity is None
