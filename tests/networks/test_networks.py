"""Parameter counts of the published sizes, logits of the image's size, and the taps that each network names."""

import pytest
import torch

from medkd.networks import FeatureTaps, ResNetFCN, UNet, UNetPlusPlus


@pytest.mark.parametrize(
    ("network", "count"),
    [
        (lambda: UNetPlusPlus(2, 1, 2), 36_171_458),
        (lambda: UNetPlusPlus(2, 1, 2, deep_supervision=True), 36_171_848),
        (lambda: UNetPlusPlus(2, 1, 2, up="bilinear"), 36_628_546),
        (lambda: UNet(2, 3, 2), 31_043_586),
        (lambda: ResNetFCN(2, 3, 2), 11_177_538),
        (lambda: ResNetFCN(2, 1, 2), 11_177_538),  # one channel is repeated to three
    ],
)
def test_parameters_of_the_published_sizes(network, count):
    assert sum(parameter.numel() for parameter in network().parameters()) == count


# stride of each encoder tap, of each decoder tap, number of maps
FORMS = {
    UNet: ((1, 2, 4, 8, 16), (8, 4, 2, 1), 3),
    UNetPlusPlus: ((1, 2, 4, 8, 16), (8, 4, 2, 1), 3),
    ResNetFCN: ((2, 4, 8, 16, 32), (), 0),
}


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("kind", FORMS)
def test_default_taps_have_the_strides_of_their_places(kind, dims):
    encoder, decoder, maps = FORMS[kind]
    network = kind(dims, 1, 3, width=4, **({"deep_supervision": True} if maps else {}))
    taps = FeatureTaps(network, **network.default_taps())
    size = (32, 64, 32)[:dims]
    features = taps(torch.rand(2, 1, *size))

    def expected(strides):
        return [tuple(edge // stride for edge in size) for stride in strides]

    assert features.logits.shape == (2, 3, *size)
    assert [tuple(f.shape[2:]) for f in features.encoder] == expected(encoder)
    assert [tuple(f.shape[2:]) for f in features.decoder] == expected(decoder)
    assert [f.shape[1] for f in features.maps] == [3] * maps
    assert taps.spatial_dims == dims
    assert taps.channels.encoder == tuple(f.shape[1] for f in features.encoder)
    assert taps.channels.logits == 3


@pytest.mark.parametrize("kind", [UNet, UNetPlusPlus])
def test_penultimate_tap_feeds_the_classifier(kind):
    network = kind(2, 1, 2, width=4).eval()
    features = FeatureTaps(network, **network.default_taps())(torch.rand(1, 1, 32, 32))
    torch.testing.assert_close(network.head(features.decoder[-1]), features.logits)


def test_maps_are_the_logits_of_the_intermediate_columns():
    network = UNetPlusPlus(2, 1, 2, width=4, deep_supervision=True).eval()
    names = {"decoder": ("nodes.x01", "nodes.x02", "nodes.x03"), "maps": network.default_taps()["maps"]}
    features = FeatureTaps(network, **names)(torch.rand(1, 1, 32, 32))
    for node, head, logits in zip(features.decoder, network.heads.values(), features.maps, strict=True):
        torch.testing.assert_close(head(node), logits)


@pytest.mark.parametrize("kind", [UNet, UNetPlusPlus])
def test_a_size_that_no_stride_divides_is_named(kind):
    with pytest.raises(ValueError, match=rf"{kind.__name__}: image size \(40, 64\) found, .* multiple of 16"):
        kind(2, 1, 2, width=4)(torch.rand(1, 1, 40, 64))


def test_resnet_takes_any_size_and_passes_gradients_through_its_shortcuts():
    network = ResNetFCN(2, 1, 2, width=4)
    image = torch.rand(2, 1, 45, 51, requires_grad=True)
    logits = network(image)
    assert logits.shape == (2, 2, 45, 51)
    logits.square().mean().backward()
    shortcut = network.encoder.layer2[0].downsample[0].weight
    assert shortcut.grad.abs().sum() > 0
    assert image.grad.abs().sum() > 0


def test_unknown_upsampling_is_named():
    with pytest.raises(ValueError, match="up must be 'deconv' or 'bilinear', found 'nearest'"):
        UNetPlusPlus(2, 1, 2, up="nearest")


@pytest.mark.parametrize(("network", "channels"), [(UNet, 3), (UNet, 1), (ResNetFCN, 1), (ResNetFCN, 3)])
@pytest.mark.parametrize("dims", [2, 3])
def test_students_become_torchscript_as_they_are(network, channels, dims, tmp_path):
    """By script, not by trace: what model-zoo checks ask for, and what MONAI's `ckpt_export` does by default."""
    torch.manual_seed(0)
    student = network(dims, channels, 2, width=2).eval()
    torch.jit.script(student).save(tmp_path / "student.ts")
    scripted = torch.jit.load(tmp_path / "student.ts")
    for edge in (32, 48):
        image = torch.rand(2, channels, *(edge,) * dims)
        assert torch.equal(scripted(image), student(image))
