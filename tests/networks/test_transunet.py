"""TransUNet: published sizes, taps, other image sizes, and the official weights tensor by tensor."""

import numpy as np
import pytest
import torch

from medkd.networks import FeatureTaps, TransUNet, load_imagenet21k
from medkd.networks.resnet_v2 import StdConv2d

SMALL = {"width": 8, "units": (1, 2, 1), "hidden_size": 12, "mlp_dim": 20, "num_layers": 2, "num_heads": 3}


def small(dims=2, channels=3, size=32, **options):
    torch.manual_seed(0)
    return TransUNet(dims, channels, 2, img_size=size, **SMALL, **options).eval()


@pytest.mark.parametrize(
    ("classes", "size", "parameters"), [(2, 224, 105_276_066), (1, 224, 105_275_921), (9, 224, 105_277_081)]
)
def test_published_sizes(classes, size, parameters):
    with torch.device("meta"):
        assert sum(p.numel() for p in TransUNet(2, 3, classes, img_size=size).parameters()) == parameters


def test_parts_have_their_published_sizes():
    with torch.device("meta"):
        network = TransUNet(2, 1, 2)
    count = {name: sum(p.numel() for p in getattr(network, name).parameters()) for name in ("resnet", "layers")}
    assert count == {"resnet": 11_894_848, "layers": 12 * 7_087_872}


@pytest.mark.parametrize("dims", [2, 3])
def test_taps_have_the_strides_of_a_unet(dims):
    network = small(dims, deep_supervision=True)
    features = FeatureTaps(network, **network.default_taps())(torch.rand(1, 3, *[32] * dims))
    assert [32 // f.shape[-1] for f in features.encoder] == [2, 4, 8, 16]
    assert [f.shape[1] for f in features.encoder] == [8, 32, 64, 12]
    assert [(f.shape[1], 32 // f.shape[-1]) for f in features.decoder] == [(32, 8), (16, 4), (8, 2), (2, 1)]
    assert [m.shape[1] for m in features.maps] == [2, 2, 2]


def test_any_multiple_of_16_and_positions_are_interpolated():
    network = small()
    torch.nn.init.normal_(network.positions)
    assert network(torch.rand(1, 3, 48, 80)).shape == (1, 2, 48, 80)
    table = network._positions((4, 6)).reshape(4, 6, -1)
    expected = torch.nn.functional.interpolate(
        network.positions.reshape(1, 2, 2, 12).permute(0, 3, 1, 2), size=(4, 6), mode="bilinear"
    )
    torch.testing.assert_close(table, expected[0].permute(1, 2, 0))
    assert network._positions((2, 2)) is network.positions
    with pytest.raises(ValueError, match=r"TransUNet: image size \(40, 32\) found, each edge must be a multiple of 16"):
        network(torch.rand(1, 3, 40, 32))
    with pytest.raises(ValueError, match="TransUNet: img_size 100 found, expected 2 multiples of 16"):
        TransUNet(2, 3, 2, img_size=100)


def test_positions_and_every_skip_reach_the_logits():
    network, image = small(), torch.rand(1, 3, 32, 32)
    torch.nn.init.normal_(network.positions)
    before = network(image)
    for skip in network.resnet.skips:
        handle = skip.register_forward_hook(lambda module, inputs, output: output * 0)
        assert not torch.allclose(network(image), before)
        handle.remove()
    torch.nn.init.zeros_(network.positions)
    assert not torch.allclose(network(image), before)


def test_a_unit_without_its_branch_is_its_shortcut():
    unit = small().resnet.stages[1][1]  # no projection: the size stays
    torch.nn.init.zeros_(unit.norm3.weight)
    x = torch.randn(1, 64, 4, 4)
    torch.testing.assert_close(unit(x), torch.relu(x))


def test_one_channel_is_repeated():
    network = small(channels=1)
    gray = torch.rand(1, 1, 32, 32)
    torch.testing.assert_close(network(gray), small()(gray.expand(-1, 3, -1, -1)))


def test_a_standardised_convolution_ignores_scale_and_offset_of_its_weights():
    conv = StdConv2d(3, 4, 3, bias=False)
    image = torch.rand(1, 3, 8, 8)
    before = conv(image)
    conv.weight.data = 5 * conv.weight.data + 3
    torch.testing.assert_close(conv(image), before, rtol=1e-2, atol=1e-3)  # up to the eps under the root


def official(width=8, units=(1, 2, 1), hidden=12, mlp=20, layers=2, heads=3, cells=4):
    """Names and layouts of R50+ViT-B_16.npz, at small sizes, with random values."""
    draw = np.random.default_rng(0)
    shapes = {"conv_root/kernel": (7, 7, 3, width), "gn_root/scale": (1, 1, 1, width), "gn_root/bias": (1, 1, 1, width)}
    fan_in = width
    for b, count in enumerate(units, start=1):
        out, middle = 4 * width * 2 ** (b - 1), width * 2 ** (b - 1)
        for u in range(1, count + 1):
            unit = f"block{b}/unit{u:02d}/"
            source = fan_in if u == 1 else out
            kernels = {"conv1": (1, 1, source, middle), "conv2": (3, 3, middle, middle), "conv3": (1, 1, middle, out)}
            if u == 1:
                kernels["conv_proj"] = (1, 1, source, out)
            for name, shape in kernels.items():
                shapes[f"{unit}{name}/kernel"] = shape
                norm = name.replace("conv", "gn")
                shapes |= {f"{unit}{norm}/{kind}": (1, 1, 1, shape[-1]) for kind in ("scale", "bias")}
        fan_in = out
    shapes |= {"embedding/kernel": (1, 1, fan_in, hidden), "embedding/bias": (hidden,), "cls": (1, 1, hidden)}
    shapes |= {"head/kernel": (hidden, 21843), "head/bias": (21843,)}
    shapes["Transformer/posembed_input/pos_embedding"] = (1, 1 + cells, hidden)
    shapes |= {f"Transformer/encoder_norm/{kind}": (hidden,) for kind in ("scale", "bias")}
    for i in range(layers):
        place = f"Transformer/encoderblock_{i}/"
        for norm in ("LayerNorm_0", "LayerNorm_2"):
            shapes |= {f"{place}{norm}/{kind}": (hidden,) for kind in ("scale", "bias")}
        shapes |= {f"{place}MlpBlock_3/Dense_0/kernel": (hidden, mlp), f"{place}MlpBlock_3/Dense_0/bias": (mlp,)}
        shapes |= {f"{place}MlpBlock_3/Dense_1/kernel": (mlp, hidden), f"{place}MlpBlock_3/Dense_1/bias": (hidden,)}
        attention = f"{place}MultiHeadDotProductAttention_1/"
        for role in ("query", "key", "value"):
            shapes[f"{attention}{role}/kernel"] = (hidden, heads, hidden // heads)
            shapes[f"{attention}{role}/bias"] = (heads, hidden // heads)
        shapes |= {f"{attention}out/kernel": (heads, hidden // heads, hidden), f"{attention}out/bias": (hidden,)}
    return {name: draw.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


def saved(folder, arrays):
    np.savez(folder / "weights.npz", **arrays)
    return folder / "weights.npz"


def test_official_weights_fill_resnet_and_transformer(tmp_path):
    arrays = official()
    network = small()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert load_imagenet21k(network, saved(tmp_path, arrays)) is network
    kept = {name for name, value in network.state_dict().items() if torch.equal(value, before[name])}
    assert {name.split(".")[0] for name in kept} == {"widen", "decoder", "head"}
    assert all(name.split(".")[0] in ("widen", "decoder", "head") for name in kept)
    np.testing.assert_array_equal(
        network.positions[0, 3].detach(), arrays["Transformer/posembed_input/pos_embedding"][0, 4]
    )
    conv = network.resnet.stages[1][0].conv2.weight.detach().numpy()
    np.testing.assert_array_equal(conv[5, 2, 0, 1], arrays["block2/unit01/conv2/kernel"][0, 1, 2, 5])


def test_attention_computes_what_the_file_means(tmp_path):
    arrays = official()
    network = load_imagenet21k(small(), saved(tmp_path, arrays))
    x = np.random.default_rng(1).standard_normal((1, 5, 12)).astype(np.float32)
    place = "Transformer/encoderblock_1/MultiHeadDotProductAttention_1/"
    q, k, v = (
        np.einsum("blc,chd->bhld", x, arrays[f"{place}{r}/kernel"]) + arrays[f"{place}{r}/bias"][None, :, None]
        for r in ("query", "key", "value")
    )
    weights = torch.softmax(torch.from_numpy(np.einsum("bhld,bhmd->bhlm", q, k) / np.sqrt(4)), -1).numpy()
    mixed = np.einsum("bhlm,bhmd->blhd", weights, v)
    expected = np.einsum("blhd,hdc->blc", mixed, arrays[f"{place}out/kernel"]) + arrays[f"{place}out/bias"]
    found = network.layers[1].attention(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_positions_of_another_size_are_interpolated(tmp_path):
    network = load_imagenet21k(small(size=64), saved(tmp_path, official()))
    assert network.positions.shape == (1, 16, 12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"conv_root/kernel": None}, "tensor conv_root/kernel is missing"),
        ({"embedding/bias": np.zeros(7)}, r"embedding/bias gives \(7,\), the network has \(12,\)"),
        ({"block4/unit01/conv1/kernel": np.zeros(3)}, "1 tensors have no place in a TransUNet, the first is block4"),
    ],
)
def test_a_file_that_does_not_fit_changes_nothing(tmp_path, change, message):
    arrays = {name: value for name, value in {**official(), **change}.items() if value is not None}
    network = small()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(ValueError, match=message):
        load_imagenet21k(network, saved(tmp_path, arrays))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_files_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file, expected R50"):
        load_imagenet21k(small(), tmp_path / "absent.npz")
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(ValueError, match="text.npz: not a readable .npz file"):
        load_imagenet21k(small(), tmp_path / "text.npz")
    with pytest.raises(ValueError, match="are of 2-D images, the network is 3-D"):
        load_imagenet21k(small(3), tmp_path / "text.npz")
