"""Linear interpolation has torch's values."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from medkd.deploy.runtime.resample import NUMPY, resize
from medkd.inferers.blending import resize_stretches


def torch_resize(image, size):
    mode = {2: "bilinear", 3: "trilinear"}[len(size)]
    return F.interpolate(torch.from_numpy(image)[None], size, mode=mode, align_corners=False)[0].numpy()


@pytest.mark.parametrize(("shape", "size"), [((40, 50), (17, 91)), ((384, 288), (512, 512)), ((5, 7), (1, 1))])
def test_pictures(shape, size):
    image = np.random.default_rng(0).normal(size=(3, *shape)).astype(np.float32)
    np.testing.assert_allclose(resize(image, size), torch_resize(image, size), atol=2e-6)


GRIDS = [
    ((9, 20, 30), (21, 13, 30)),
    ((9, 20, 30), (4, 41, 17)),
    ((9, 20, 30), (9, 10, 10)),
    ((1, 6, 6), (5, 6, 6)),
    ((9, 6, 6), (1, 6, 6)),
]


@pytest.mark.parametrize(("shape", "size"), GRIDS)
@pytest.mark.parametrize("lengths", [[9], [1] * 9, [2, 3, 4], [5, 4]])
def test_volumes_whole_and_by_stretches(shape, size, lengths):
    image = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    whole = torch_resize(image, size)
    np.testing.assert_allclose(resize(image, size), whole, atol=2e-6)
    stretches = np.split(image, [end for end in np.cumsum(lengths) if end < shape[0]], axis=1)
    found = list(resize_stretches(iter(stretches), shape, size, NUMPY))
    np.testing.assert_allclose(np.concatenate(found, axis=1), whole, atol=2e-6)


def test_stretches_of_a_long_volume_are_given_out_before_its_end():
    given = []

    def stretches():
        for index in range(10):
            given.append(index)
            yield np.full((1, 2, 4, 4), float(index), np.float32)

    found = resize_stretches(stretches(), (20, 4, 4), (30, 4, 4), NUMPY)
    assert next(found).shape[1] >= 1 and given == [0]
