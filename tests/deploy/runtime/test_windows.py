"""Windows, weights and padding are those of MONAI's inferers."""

import numpy as np
import pytest
import torch
from monai.inferers import SliceInferer, SlidingWindowInferer

from medkd.deploy.runtime.windows import blended_logits

SHAPES = [(20, 25, 30), (17, 16, 16), (8, 25, 10), (5, 7, 9), (1, 40, 16)]


def run(image, network, size, overlap, batch):
    def predict(windows):
        assert windows.shape[2:] == tuple(size) and len(windows) <= batch
        windows = torch.from_numpy(windows)
        return network(windows).numpy() if size[0] > 1 else network(windows[:, :, 0])[:, :, None].numpy()

    return list(blended_logits(image[0].numpy(), predict, size, overlap, batch, padding=-1.0))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("overlap", "batch"), [(0.0, 1), (0.25, 3), (0.5, 2), (0.7, 4)])
def test_volumes(shape, overlap, batch):
    torch.manual_seed(0)
    network = torch.nn.Conv3d(1, 3, 5, padding=2).requires_grad_(False)
    image = torch.randn(1, 1, *shape)
    theirs = SlidingWindowInferer((8, 16, 16), 2, overlap, mode="gaussian", cval=-1)(image, network)[0]
    stretches = run(image, network, (8, 16, 16), overlap, batch)
    np.testing.assert_allclose(np.concatenate(stretches, axis=1), theirs, atol=1e-5)
    if shape[0] == 20:
        assert len(stretches) > 1  # no logits of the whole volume


@pytest.mark.parametrize("shape", SHAPES)
def test_slices(shape):
    torch.manual_seed(0)
    network = torch.nn.Conv2d(1, 3, 5, padding=2).requires_grad_(False)
    image = torch.randn(1, 1, *shape)
    theirs = SliceInferer(spatial_dim=0, roi_size=(16, 24), sw_batch_size=8, cval=-1, mode="gaussian")(image, network)[
        0
    ]
    found = np.concatenate(run(image, network, (1, 16, 24), 0.25, 8), axis=1)
    np.testing.assert_allclose(found, theirs, atol=1e-5)
