"""The official ImageNet-21k weights, tensor by tensor, from a file of their names and layouts."""

import numpy as np
import pytest
import torch

from medkd.networks import load_imagenet21k

from .builders import small_transunet


def official_arrays(width=8, units=(1, 2, 1), hidden=12, mlp=20, layers=2, heads=3, cells=4):
    """Names and layouts of R50+ViT-B_16.npz, at small sizes, with random values."""
    generator = np.random.default_rng(0)
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
        prefix = f"Transformer/encoderblock_{i}/"
        for norm in ("LayerNorm_0", "LayerNorm_2"):
            shapes |= {f"{prefix}{norm}/{kind}": (hidden,) for kind in ("scale", "bias")}
        shapes |= {f"{prefix}MlpBlock_3/Dense_0/kernel": (hidden, mlp), f"{prefix}MlpBlock_3/Dense_0/bias": (mlp,)}
        shapes |= {f"{prefix}MlpBlock_3/Dense_1/kernel": (mlp, hidden), f"{prefix}MlpBlock_3/Dense_1/bias": (hidden,)}
        attention = f"{prefix}MultiHeadDotProductAttention_1/"
        for role in ("query", "key", "value"):
            shapes[f"{attention}{role}/kernel"] = (hidden, heads, hidden // heads)
            shapes[f"{attention}{role}/bias"] = (heads, hidden // heads)
        shapes |= {f"{attention}out/kernel": (heads, hidden // heads, hidden), f"{attention}out/bias": (hidden,)}
    return {name: generator.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


def save(folder, arrays):
    np.savez(folder / "weights.npz", **arrays)
    return folder / "weights.npz"


def test_official_weights_fill_resnet_and_transformer(tmp_path):
    arrays = official_arrays()
    network = small_transunet()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert load_imagenet21k(network, save(tmp_path, arrays)) is network
    unchanged = {name for name, value in network.state_dict().items() if torch.equal(value, before[name])}
    assert {name.split(".")[0] for name in unchanged} == {"widen", "decoder", "head"}
    assert all(name.split(".")[0] in ("widen", "decoder", "head") for name in unchanged)
    np.testing.assert_array_equal(
        network.positions[0, 3].detach(), arrays["Transformer/posembed_input/pos_embedding"][0, 4]
    )
    conv = network.resnet.stages[1][0].conv2.weight.detach().numpy()
    np.testing.assert_array_equal(conv[5, 2, 0, 1], arrays["block2/unit01/conv2/kernel"][0, 1, 2, 5])


def test_attention_computes_what_the_file_means(tmp_path):
    arrays = official_arrays()
    network = load_imagenet21k(small_transunet(), save(tmp_path, arrays))
    x = np.random.default_rng(1).standard_normal((1, 5, 12)).astype(np.float32)
    prefix = "Transformer/encoderblock_1/MultiHeadDotProductAttention_1/"
    q, k, v = (
        np.einsum("blc,chd->bhld", x, arrays[f"{prefix}{r}/kernel"]) + arrays[f"{prefix}{r}/bias"][None, :, None]
        for r in ("query", "key", "value")
    )
    weights = torch.softmax(torch.from_numpy(np.einsum("bhld,bhmd->bhlm", q, k) / np.sqrt(4)), -1).numpy()
    mixed = np.einsum("bhlm,bhmd->blhd", weights, v)
    expected = np.einsum("blhd,hdc->blc", mixed, arrays[f"{prefix}out/kernel"]) + arrays[f"{prefix}out/bias"]
    attention = network.layers[1].attention(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(attention, expected, rtol=1e-4, atol=1e-5)


def test_positions_of_another_size_are_interpolated(tmp_path):
    network = load_imagenet21k(small_transunet(size=64), save(tmp_path, official_arrays()))
    assert network.positions.shape == (1, 16, 12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"conv_root/kernel": None}, "tensor conv_root/kernel is missing"),
        ({"embedding/bias": np.zeros(7)}, r"embedding/bias gives \(7,\), the network has \(12,\)"),
        ({"embedding/bias": np.full(12, np.nan)}, "embedding/bias holds NaN or infinity"),
        ({"block4/unit01/conv1/kernel": np.zeros(3)}, "1 tensors have no place in a TransUNet, the first is block4"),
    ],
)
def test_a_file_that_does_not_fit_changes_nothing(tmp_path, change, message):
    arrays = {name: value for name, value in {**official_arrays(), **change}.items() if value is not None}
    network = small_transunet()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(ValueError, match=message):
        load_imagenet21k(network, save(tmp_path, arrays))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_checkpoint_with_its_optimizer(tmp_path):
    arrays = official_arrays()
    expected = load_imagenet21k(small_transunet(), save(tmp_path, arrays)).state_dict()
    whole = {f"opt/target/{name}": value for name, value in arrays.items()} | {"opt/state/step": np.ones(1)}
    network = load_imagenet21k(small_transunet(), save(tmp_path, whole))
    assert all(
        torch.equal(value, expected[name]) for name, value in network.resnet.state_dict(prefix="resnet.").items()
    )


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"<!DOCTYPE html>", "an HTML page"),
        (b"version https://git-lfs.github.com/spec/v1", "a Git LFS pointer"),
        (b"PK\x03\x04", "expected R50"),
    ],
)
def test_files_of_another_kind_are_named(tmp_path, content, kind):
    (tmp_path / "w.npz").write_bytes(content)
    with pytest.raises(ValueError, match=f"w.npz: not a readable .npz file.*{kind}"):
        load_imagenet21k(small_transunet(), tmp_path / "w.npz")


def test_an_array_or_a_state_dict_in_its_place(tmp_path):
    np.save((tmp_path / "w.npy").open("wb"), np.zeros(3))
    torch.save({}, tmp_path / "w.pt")
    for name in ("w.npy", "w.pt"):
        with pytest.raises(ValueError, match=f"{name}: (not a readable .npz file|tensor conv_root/kernel is missing)"):
            load_imagenet21k(small_transunet(), tmp_path / name)


def test_files_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file, expected R50"):
        load_imagenet21k(small_transunet(), tmp_path / "absent.npz")
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(ValueError, match="text.npz: not a readable .npz file"):
        load_imagenet21k(small_transunet(), tmp_path / "text.npz")
    with pytest.raises(ValueError, match="are of 2-D images, the network is 3-D"):
        load_imagenet21k(small_transunet(3), tmp_path / "text.npz")
