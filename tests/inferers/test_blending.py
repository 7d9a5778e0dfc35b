"""Windows, weights and padding are those of MONAI's inferers."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from monai.data.utils import compute_importance_map
from monai.inferers import SliceInferer, SlidingWindowInferer

from medkd.deploy.runtime.resample import NUMPY
from medkd.inferers.blending import Windows, blend_windows, importance_map, resize_stretches
from medkd.inferers.volumes import TORCH

SHAPES = [(20, 25, 30), (17, 16, 16), (8, 25, 10), (5, 7, 9), (1, 40, 16)]


def run(image, network, size, overlap, batch):
    def predict(windows):
        assert windows.shape[2:] == tuple(size) and len(windows) <= batch
        windows = torch.from_numpy(windows)
        return network(windows).numpy() if size[0] > 1 else network(windows[:, :, 0])[:, :, None].numpy()

    return list(blend_windows(image[0].numpy(), predict, Windows(size, overlap, batch, -1.0), NUMPY))


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
    logits = np.concatenate(run(image, network, (1, 16, 24), 0.25, 8), axis=1)
    np.testing.assert_allclose(logits, theirs, atol=1e-5)


@pytest.mark.parametrize("size", [(8, 16, 16), (1, 16, 24)])
def test_numpy_and_torch_share_the_algorithm(size):
    """Both kinds of arrays meet the same windows and weights; the values differ by rounding alone."""
    image = torch.randn(1, 20, 40, 31)
    network = torch.nn.Conv3d(1, 2, (1, 5, 5), padding=(0, 2, 2)).requires_grad_(False)
    windows = Windows(size, 0.5, 3, -1.0)
    ours = list(blend_windows(image, network, windows, TORCH))
    theirs = list(blend_windows(image.numpy(), lambda x: network(torch.from_numpy(x)).numpy(), windows, NUMPY))
    assert [x.shape for x in ours] == [x.shape for x in theirs]
    np.testing.assert_allclose(torch.cat(ours, 1), np.concatenate(theirs, 1), atol=1e-6)
    grid = ((20, 40, 31), (33, 17, 31))
    resized = np.concatenate(list(resize_stretches(theirs, *grid, NUMPY)), 1)
    np.testing.assert_allclose(torch.cat(list(resize_stretches(ours, *grid, TORCH)), 1), resized, atol=1e-5)


def test_the_weights_are_monais():
    for size in [(8, 16, 16), (1, 16, 24), (5, 7, 64)]:
        expected = compute_importance_map(size, mode="gaussian")
        assert torch.equal(importance_map(size, TORCH, torch.zeros(1)), expected)
        np.testing.assert_allclose(importance_map(size, NUMPY, np.zeros(1)), expected, rtol=1e-6)


def test_blending_needs_no_torch():
    code = "import sys, medkd.inferers.blending; sys.exit('torch' in sys.modules or 'monai' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
