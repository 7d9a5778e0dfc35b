"""The boundary transform: the band, exchanged pixels, small lesions, the edge of the image."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from medkd.correction import boundary_and_inner, boundary_transform


def square(edge=12, start=2, stop=10, axes=2):
    mask = torch.zeros(1, 1, *[edge] * axes, dtype=torch.long)
    mask[(..., *[slice(start, stop)] * axes)] = 1
    return mask


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 6), st.floats(0, 1.5), st.sampled_from([(9, 11), (4, 7, 6)]))
def test_the_multiset_of_every_lesion_stays_and_nothing_else_moves(seed, width, ratio, size):
    draw = torch.Generator().manual_seed(seed)
    image = torch.rand(2, 3, *size, generator=draw)
    label = (torch.rand(2, 1, *size, generator=draw) > 0.2).long() * torch.randint(1, 3, (2, 1, *size), generator=draw)
    changed = boundary_transform(image, label, width, ratio, draw)
    assert torch.equal(changed[(label == 0).expand_as(image)], image[(label == 0).expand_as(image)])
    for n in range(2):
        for k in (1, 2):
            inside = (label[n, 0] == k).flatten()
            vectors = [sorted(x[n].flatten(1).T[inside].tolist()) for x in (image, changed)]
            assert vectors[0] == vectors[1]


@pytest.mark.parametrize(("width", "inner"), [(0, 64), (1, 36), (2, 16), (3, 4), (4, 4), (9, 4)])
def test_the_band_narrows_if_no_interior_is_left(width, inner):
    band, interior = boundary_and_inner(square(), width)
    assert interior.sum() == inner and band.sum() == 64 - inner
    assert not (band & interior).any() and torch.equal(band | interior, square().bool())


def test_as_many_boundary_as_interior_pixels_move():
    image = torch.rand(1, 2, 12, 12)
    band, inner = boundary_and_inner(square(), 1)  # 28 and 36 pixels
    for ratio, count in ((1.0, 28), (0.5, 14), (0.0, 0), (5.0, 36)):
        changed = boundary_transform(image, square(), 1, ratio, torch.Generator().manual_seed(0))
        moved = (changed != image).any(1, keepdim=True)
        expected = min(count, 28, 36)
        assert (moved & band).sum() == (moved & inner).sum() == expected
        # what left the band is in the interior now
        into = {tuple(v) for v in changed[0][:, (moved & inner)[0, 0]].T.tolist()}
        assert into == {tuple(v) for v in image[0][:, (moved & band)[0, 0]].T.tolist()}


def test_the_edge_of_the_image_is_no_border_of_a_lesion():
    whole = torch.ones(1, 1, 6, 6)
    assert boundary_and_inner(whole, 2)[0].sum() == 0
    image = torch.rand(1, 1, 6, 6)
    assert torch.equal(boundary_transform(image, whole.long(), 2), image)
    half = torch.zeros(1, 1, 6, 6)
    half[..., :3] = 1  # touches three borders of the image
    assert boundary_and_inner(half, 1)[0].sum() == 6


def test_a_lesion_without_interior_stays():
    thin = torch.zeros(1, 1, 8, 8, dtype=torch.long)
    thin[..., 3:5, 1:7] = 1
    image = torch.rand(1, 3, 8, 8)
    assert torch.equal(boundary_transform(image, thin, 3), image)
    assert torch.equal(boundary_transform(image, torch.zeros_like(thin)), image)


def test_width_in_mm_and_thick_slices():
    cube = square(axes=3)
    _, inner = boundary_and_inner(cube, 3.0, spacing=(5.0, 1.5, 1.0))  # 0, 2 and 3 steps
    assert inner.sum() == 8 * 4 * 2
    assert torch.equal(inner[0, 0].any(2).any(1), torch.arange(12).ge(2) & torch.arange(12).lt(10))


def test_the_same_generator_gives_the_same_image():
    image = torch.rand(1, 1, 12, 12)
    images = [boundary_transform(image, square(), 2, 1.0, torch.Generator().manual_seed(s)) for s in (0, 0, 1)]
    assert torch.equal(images[0], images[1]) and not torch.equal(images[0], images[2])


def test_arguments_are_checked():
    with pytest.raises(
        ValueError, match=r"found label \(1, 1, 4, 5\) for image \(1, 3, 4, 4\), expected label \(1, 1, 4, 4\)"
    ):
        boundary_transform(torch.zeros(1, 3, 4, 4), torch.zeros(1, 1, 4, 5))
    with pytest.raises(ValueError, match="found width -1 and ratio 1.0, expected 0 or more"):
        boundary_transform(torch.zeros(1, 3, 4, 4), torch.zeros(1, 1, 4, 4), width=-1)
