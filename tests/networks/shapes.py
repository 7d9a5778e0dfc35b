"""Checks that the tests of several architectures share."""

import torch

from medkd.networks import FeatureTaps


def assert_strides(network, encoder, decoder, maps):
    """Compare the feature maps of the default taps, on a non-square image, with their strides and the number of maps."""
    taps = FeatureTaps(network, **network.default_taps())
    size = (32, 64, 32)[: taps.spatial_dims]
    features = taps(torch.rand(2, 1, *size))
    for stages, strides in ((features.encoder, encoder), (features.decoder, decoder)):
        assert [tuple(f.shape[2:]) for f in stages] == [tuple(edge // stride for edge in size) for stride in strides]
    assert features.logits.shape == (2, 3, *size)
    assert [f.shape[1] for f in features.maps] == [3] * maps
    assert taps.channels.encoder == tuple(f.shape[1] for f in features.encoder)
    assert taps.channels.logits == 3


def assert_scriptable(network, channels, folder):
    """Compare a network with its TorchScript, saved and loaded, at two image sizes.

    By script, not by trace: the checks of the MONAI model zoo ask for it, and MONAI's `ckpt_export` does so by default.
    """
    torch.jit.script(network.eval()).save(folder / "student.ts")
    scripted = torch.jit.load(folder / "student.ts")
    dims = FeatureTaps(network).spatial_dims
    for edge in (32, 48):
        image = torch.rand(2, channels, *(edge,) * dims)
        assert torch.equal(scripted(image), network(image))


def count_parameters(network):
    """Return the number of parameters of a network."""
    return sum(parameter.numel() for parameter in network.parameters())
