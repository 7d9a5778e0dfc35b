"""Random transforms of training: what moves together, what may be flipped, and what stays as it was."""

import numpy as np
import pytest
import torch
from monai.data.utils import set_rnd
from monai.transforms import Compose, EnsureTyped, RandFlipd, RandRotate90d

from medkd.data import flip_axes, random_transforms
from medkd.data.augmentation import RandChannelwised, _intensity_transforms, _spatial_transforms

KEYS = ["image", "label", "soft_labels"]
SIZES = {"slices": (24, 24), "long": (16, 40), "patches": (16, 24, 24), "thin": (4, 24, 24)}


def ramp(size, axis=-1):
    """Return an item whose voxels hold their own index on an axis: nearest neighbours are at most 0.5 from linear values."""
    index = torch.arange(size[axis], dtype=torch.float32)
    shape = [1] * len(size)
    shape[axis] = size[axis]
    values = index.reshape(shape).expand(size)[None]
    return {"image": values.clone(), "label": values.to(torch.uint8), "soft_labels": values.half()}


def draws(transforms, item, count, seed=0):
    """Yield results of many draws."""
    compose = Compose(transforms).set_random_state(seed)
    for _ in range(count):
        yield compose({key: value.clone() for key, value in item.items()})


@pytest.mark.parametrize("size", [(24, 24), (16, 40), (16, 24, 24), (16, 24, 32)])
def test_paper_with_all_axes_is_what_it_was_bit_for_bit(size):
    plane = (len(size) - 2, len(size) - 1)
    before = [
        *(RandFlipd(KEYS[:2], prob=0.5, spatial_axis=axis) for axis in range(len(size))),
        RandRotate90d(KEYS[:2], prob=0.75 * (size[-1] == size[-2]), spatial_axes=plane),
        EnsureTyped(KEYS[:2], track_meta=False),
    ]
    axes = ["slices", "rows", "columns"][-len(size) :]
    item = {"image": torch.rand(1, *size), "label": torch.randint(3, (1, *size), dtype=torch.uint8)}
    now = random_transforms(KEYS[:2], size, axes)
    for old, new in zip(draws(before, item, 20), draws(now, item, 20), strict=True):
        assert all(torch.equal(old[key], new[key]) and old[key].dtype == new[key].dtype for key in item)


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("number", [0, 1], ids=["rotation", "scaling"])
def test_label_and_soft_labels_move_with_the_image(name, number):
    size = SIZES[name]
    transform = _spatial_transforms(KEYS, size)[number]
    transform.prob = 1.0
    for axis in range(len(size)):
        item, moved = ramp(size, axis), 0
        for result in draws([transform], item, 8):
            assert (result["image"] - result["label"]).abs().max() <= 0.5 + 1e-3
            assert torch.allclose(result["image"], result["soft_labels"], atol=1e-3)
            assert set(result["label"].unique().tolist()) <= set(item["label"].unique().tolist())
            moved += not torch.equal(result["label"], item["label"].float())
        is_fixed = name == "thin" and number == 0 and axis == 0  # thin patches are rotated in the plane alone
        assert moved == 0 if is_fixed else moved >= 6


@pytest.mark.parametrize("size", [(24, 24), (16, 24, 24)])
@pytest.mark.parametrize("augmentation", ["paper", "strong"])
def test_all_moves_of_a_draw_are_shared(size, augmentation):
    item = ramp(size)
    axes = ["rows", "columns"]
    results = list(draws(random_transforms(KEYS, size, axes, augmentation), item, 40))
    for result in results:
        assert {type(value) for value in result.values()} == {torch.Tensor}
        assert (result["soft_labels"] - result["label"].float()).abs().max() <= 1.3  # two interpolations
    different = {result["label"].numpy().astype(np.uint8).tobytes() for result in results}
    assert len(different) >= (2 if augmentation == "paper" else 8)
    assert len({(result["label"].shape, result["label"].dtype) for result in results}) == 1  # they make a batch


@pytest.mark.parametrize("augmentation", ["paper", "strong"])
@pytest.mark.parametrize(("size", "free"), [((24, 24), []), ((24, 24), ["rows"]), ((16, 24, 24), ["slices", "rows"])])
def test_no_draw_reverses_an_axis_that_must_keep_its_direction(size, free, augmentation):
    item = ramp(size)
    rising = [
        (result["label"].float().diff(dim=-1).sum() > 0).item()
        for result in draws(random_transforms(KEYS, size, free, augmentation), item, 150)
    ]
    assert all(rising)
    assert not all(
        (result["label"].float().diff(dim=-1).sum() > 0).item()
        for result in draws(random_transforms(KEYS, size, ["columns"], augmentation), item, 20)
    )


@pytest.mark.parametrize("dims", [2, 3])
def test_intensities_change_in_the_image_alone_and_in_each_channel_by_itself(dims):
    size = (8, 16, 16)[-dims:]
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(2, *size, generator=generator) * 2 - 1
    item = {"image": image, "label": torch.ones(1, *size), "soft_labels": torch.rand(2, *size, generator=generator)}
    changed = set()
    for result in draws(_intensity_transforms("image", dims), item, 60):
        assert torch.equal(result["label"], item["label"]) and torch.equal(result["soft_labels"], item["soft_labels"])
        assert torch.isfinite(result["image"]).all() and result["image"].shape == image.shape
        changed.add(tuple(not torch.equal(new, old) for new, old in zip(result["image"], image, strict=True)))
    assert changed == {(False, False), (False, True), (True, False), (True, True)}


def test_an_image_of_one_value_stays_finite():
    item = {"image": torch.full((1, 16, 16), -1.0), "label": torch.zeros(1, 16, 16)}
    results = draws(random_transforms(["image", "label"], (16, 16), [], "strong"), item, 60)
    assert all(torch.isfinite(result["image"]).all() for result in results)


def test_the_seed_decides_every_draw():
    """A resumed run reseeds its transforms at every epoch, see medkd.runs.resume."""
    item = ramp((16, 16))
    item["image"] = torch.rand(2, 16, 16)
    compose = Compose(random_transforms(KEYS, (16, 16), ["rows"], "strong"))

    def run(seed):
        set_rnd(compose, seed)
        return torch.stack([compose(dict(item))["image"] for _ in range(12)])

    first = run(3)
    assert torch.equal(first, run(3)) and not torch.equal(first, run(4))


def test_inner_transforms_are_seeded():
    transform = RandChannelwised("image", _intensity_transforms("image", 2)[0].transform)
    results = [
        list(draws([transform], {"image": torch.rand(1, 4, 4, generator=torch.Generator().manual_seed(1))}, 30, seed))
        for seed in (0, 0, 1)
    ]
    stacked = [torch.stack([result["image"] for result in run]) for run in results]
    assert torch.equal(stacked[0], stacked[1]) and not torch.equal(stacked[0], stacked[2])


@pytest.mark.parametrize(
    ("axes", "words"),
    [
        ("left", "--flip_axes: found left, expected some of rows, columns"),
        (["rows", 2], "--flip_axes: found 2, expected some of rows, columns"),
        (["slices"], r"--flip_axes: found slices, .*volumes alone have slices, with --mode 3d"),
    ],
)
def test_unknown_axes_are_refused(axes, words):
    with pytest.raises(ValueError, match=words):
        random_transforms(["image", "label"], (16, 16), axes)


def test_an_unknown_augmentation_is_refused():
    with pytest.raises(ValueError, match="--augmentation: found 'weak', expected one of paper, strong"):
        random_transforms(["image", "label"], (16, 16), None, "weak")


@pytest.mark.parametrize(
    ("content", "mode", "axes"),
    [
        ("{}", "3d", ["slices", "rows", "columns"]),
        ("{}", "2d", ["rows", "columns"]),
        ('{"flip_axes": ["slices", "columns"]}', "3d", ["slices", "columns"]),
        ('{"flip_axes": ["slices", "columns"]}', "2d", ["columns"]),
        ('{"flip_axes": []}', "3d", []),
        ('{"flip_axes": null}', "3d", []),
        ('{"flip_axes": "rows"}', "3d", ["rows"]),
    ],
)
def test_axes_of_a_data_set(tmp_path, content, mode, axes):
    (tmp_path / "datalist.json").write_text(content)
    assert flip_axes(tmp_path, mode) == axes


@pytest.mark.parametrize("value", ['"left"', "[0]", '["left"]', "{}"])
def test_a_data_set_with_other_axes_is_refused(tmp_path, value):
    (tmp_path / "datalist.json").write_text(f'{{"flip_axes": {value}}}')
    with pytest.raises(ValueError, match="flip_axes: found"):
        flip_axes(tmp_path)
