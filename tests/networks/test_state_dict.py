"""A network's weights as other trainers save them: prefixes, keys, wrappers, moving averages."""

import argparse
import copy
import pathlib
import warnings

import ignite.handlers
import monai.handlers
import numpy as np
import pytest
import torch
from ignite.engine import Engine, Events
from torch import nn

from medkd.networks import ResNetFCN, UNet, load_weights


@pytest.fixture
def network():
    return UNet(2, 1, 2, width=2)


def under(prefix, state):
    return {prefix + name: value for name, value in state.items()}


def lightning(state):
    return {
        "epoch": 3,
        "global_step": 9,
        "pytorch-lightning_version": "2.4.0",
        "state_dict": {**under("net.", state), "criterion.weight": torch.ones(2)},
        "loops": {"fit_loop": {"state_dict": {}}},
        "callbacks": {"ModelCheckpoint{'monitor': 'dice'}": {"best_model_score": torch.tensor(0.5)}},
        "optimizer_states": [{"state": {0: {"exp_avg": torch.zeros(2)}}, "param_groups": [{"lr": 1e-3}]}],
        "lr_schedulers": [],
        "hparams_name": "kwargs",
        "hyper_parameters": {
            "width": 2,
            "scale": np.float64(2),
            "args": argparse.Namespace(lr=0.1, out=pathlib.Path("o")),
        },
    }


def counters_as(state, counter):
    return {name: counter.clone() if name.endswith("num_batches_tracked") else v for name, v in state.items()}


WRAPPED = {
    **{
        prefix: lambda state, prefix=prefix: under(prefix, state)
        for prefix in ("module.", "_orig_mod.", "model.", "net.")
    },
    **{
        prefix: lambda state, prefix=prefix: under(prefix, state)
        for prefix in ("network.", "module._orig_mod.", "_orig_mod.module.", "model.module.", "my.own.name.")
    },
    **{
        key: lambda state, key=key: {key: state, "epoch": 3, "optimizer": {"state": {}, "param_groups": []}}
        for key in (
            "state_dict",
            "model",
            "net",
            "ema",
            "model_state_dict",
            "network_weights",
            "model_ema",
            "generator",
        )
    },
    "prefix below a key": lambda state: {"state_dict": under("module.model.", state), "best": np.float32(1)},
    "keys below keys": lambda state: {"checkpoint": {"model": {"state_dict": state}}},
    "resume.pt": lambda state: {
        "run": {"seed": 0},
        "objects": {"network": state, "loss": {}, "optimizer": {"state": {}}},
    },
    "Lightning": lightning,
    "values beside": lambda state: {**state, "epoch": 3, "best_dice": 0.5},
    "compiled parts": lambda state: {name.replace("encoder.", "encoder._orig_mod."): v for name, v in state.items()},
    "AveragedModel": lambda state: {"n_averaged": torch.tensor(3), **under("module.", state)},
    "counters of a profiler": lambda state: {**state, "total_ops": torch.zeros(1), "head.total_params": torch.zeros(1)},
    "without counters": lambda state: {name: v for name, v in state.items() if "num_batches" not in name},
    "averaged counters": lambda state: counters_as(state, torch.tensor(0.5)),
    "counters of one element": lambda state: counters_as(state, torch.tensor([7])),
    "counters that became NaN": lambda state: {"ema": under("module.", counters_as(state, torch.tensor(torch.nan)))},
    "float64": lambda state: {name: v.double() if v.is_floating_point() else v for name, v in state.items()},
    "parameters": lambda state: {name: nn.Parameter(v, False) for name, v in state.items()},
    "arrays beside": lambda state: {"state_dict": state, "dice": np.array([0.5, 0.6]), "best": np.int64(3)},
}


@pytest.mark.parametrize("name", WRAPPED)
def test_the_weights_are_found(tmp_path, network, name):
    torch.save(WRAPPED[name](network.state_dict()), tmp_path / "model.pt")
    loaded = load_weights(UNet(2, 1, 2, width=2), tmp_path)
    for key, value in network.state_dict().items():
        assert torch.equal(value, loaded.state_dict()[key]), key


def test_a_counter_that_is_a_whole_number_is_read(tmp_path, network):
    torch.save(counters_as(network.state_dict(), torch.tensor(7, dtype=torch.int32)), tmp_path / "model.pt")
    state = load_weights(UNet(2, 1, 2, width=2), tmp_path).state_dict()
    assert {int(value) for name, value in state.items() if name.endswith("num_batches_tracked")} == {7}


def test_where_they_were_found_is_told(tmp_path, network, capsys):
    torch.save(network.state_dict(), tmp_path / "model.pt")
    load_weights(network, tmp_path)
    assert capsys.readouterr().out == ""
    torch.save(lightning(network.state_dict()), tmp_path / "model.pt")
    load_weights(network, tmp_path, "teacher")
    expected = "the weights below state_dict with the prefix net. are read; 1 tensors without this prefix are not\n"
    assert capsys.readouterr().out == f"note: teacher {tmp_path}/model.pt: {expected}"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(tmp_path, network, dtype):
    torch.save(
        {k: v.to(dtype) if v.is_floating_point() else v for k, v in network.state_dict().items()}, tmp_path / "h.pt"
    )
    loaded = load_weights(UNet(2, 1, 2, width=2), tmp_path / "h.pt")
    assert loaded.head.weight.dtype == torch.float32
    torch.testing.assert_close(loaded.head.weight, network.head.weight, rtol=0.01, atol=0.01)


@pytest.mark.parametrize("zipped", [True, False])
def test_old_and_new_formats_of_pytorch(tmp_path, network, zipped):
    torch.save(network.state_dict(), tmp_path / "model.ckpt", _use_new_zipfile_serialization=zipped)
    assert torch.equal(load_weights(UNet(2, 1, 2, width=2), tmp_path / "model.ckpt").head.weight, network.head.weight)


def test_monais_and_ignites_checkpoints(tmp_path, network):
    engine, optimizer = Engine(lambda engine, batch: None), torch.optim.Adam(network.parameters())
    network.head.weight.sum().backward()
    optimizer.step()
    objects = {"net": network, "opt": optimizer}
    monai.handlers.CheckpointSaver(str(tmp_path), objects, save_final=True, final_filename="monai.pt").attach(engine)
    saver = ignite.handlers.Checkpoint(
        {"model": network, "optimizer": optimizer}, str(tmp_path), filename_pattern="ig.pt"
    )
    engine.add_event_handler(Events.COMPLETED, saver)
    engine.run([0])
    for name in ("monai.pt", "ig.pt"):
        assert torch.equal(load_weights(UNet(2, 1, 2, width=2), tmp_path / name).head.weight, network.head.weight)


def test_an_average_is_taken_before_the_weights(tmp_path, network, capsys):
    other = copy.deepcopy(network)
    nn.init.ones_(other.head.weight)
    forms = {
        "timm": {"state_dict": network.state_dict(), "state_dict_ema": other.state_dict()},
        "yolo": {"model": network.state_dict(), "ema": other.state_dict()},
        "ema_pytorch": {**under("online_model.", network.state_dict()), **under("ema_model.", other.state_dict())},
    }
    for name, content in forms.items():
        torch.save(content, tmp_path / f"{name}.pt")
        assert load_weights(UNet(2, 1, 2, width=2), tmp_path / f"{name}.pt").head.weight.eq(1).all()
        assert "are read, not those" in capsys.readouterr().out


def test_two_networks_that_fit_are_not_guessed(tmp_path, network, capsys):
    other = UNet(2, 1, 2, width=2)
    content = {"state_dict": {**under("student.", network.state_dict()), **under("teacher.", other.state_dict())}}
    torch.save(content, tmp_path / "model.pt")
    with pytest.raises(
        ValueError, match=r"found several networks that fit, .*student\. and .*teacher\.: save the state"
    ):
        load_weights(UNet(2, 1, 2, width=2), tmp_path)
    loaded = load_weights(UNet(2, 1, 2, width=2), tmp_path, "teacher")
    assert torch.equal(loaded.head.weight, other.head.weight)
    assert "prefix teacher. are read, not those" in capsys.readouterr().out
    torch.save({"a": network.state_dict(), "b": network.state_dict()}, tmp_path / "model.pt")
    load_weights(UNet(2, 1, 2, width=2), tmp_path)


def remove(state, name):
    return {key: value for key, value in state.items() if key != name}


def quantized(state):
    return {**state, "head.weight": torch.quantize_per_tensor(state["head.weight"], 0.1, 0, torch.qint8)}


REFUSED = {
    "one missing": (
        lambda state: remove(state, "head.bias"),
        r"first: head.bias is missing in the file, \(2,\) in the",
    ),
    "one more": (
        lambda state: {**state, "extra.weight": torch.ones(1)},
        r"first: extra.weight is \(1,\) .*absent in the",
    ),
    "one more below a prefix": (
        lambda state: under("net.", {**state, "extra": torch.ones(1)}),
        "with the prefix net., 1 te",
    ),
    "two prefixes": (
        lambda state: {("a." if "head" in n else "b.") + n: v for n, v in state.items()},
        "another network",
    ),
    "an optimizer": (
        lambda state: {"state": {0: {"exp_avg": torch.ones(2)}}, "param_groups": [{"lr": 0.1}]},
        "(holds the state of an optimizer|weights of another network)",
    ),
    "no tensors": (
        lambda state: {"epoch": 3, "history": [1]},
        r"holds dict \(epoch, history\), expected the state dict",
    ),
    "arrays": (lambda state: {n: v.numpy() for n, v in state.items()}, "holds dict .*, expected the state dict"),
    "quantized": (quantized, "head.weight is torch.qint8, expected torch.float32"),
    "integers": (lambda state: {**state, "head.bias": torch.ones(2, dtype=torch.int32)}, "head.bias is torch.int32"),
    "infinity": (lambda state: {**state, "head.bias": torch.full((2,), torch.inf)}, "head.bias holds NaN or infinity"),
    "empty": (lambda state: {}, "holds an empty dict"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_exactly_is_refused(tmp_path, network, name):
    make, message = REFUSED[name]
    before = copy.deepcopy(network.state_dict())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.save(make(network.state_dict()), tmp_path / "model.pt")
        with pytest.raises(ValueError, match=message) as caught:
            load_weights(network, tmp_path)
    assert "\n" not in str(caught.value)
    assert all(torch.equal(value, network.state_dict()[key]) for key, value in before.items())


def test_the_nearest_network_of_a_file_is_compared(tmp_path):
    """Not the state of its optimizer, and without counters of the network that is asked for."""
    network = ResNetFCN(2, 1, 2, width=2)
    optimizer = {"state": {0: {"exp_avg": torch.ones(2)}, 1: {"exp_avg": torch.ones(2)}}, "param_groups": []}
    torch.save({"objects": {"optimizer": optimizer, "network": network.state_dict()}}, tmp_path / "resume.pt")
    text = r"below objects.network, .* holds a ResNetFCN, expected a UNet \(--student_architecture ResNetFCN, or the "
    with pytest.raises(ValueError, match=text):
        load_weights(UNet(2, 1, 2, width=2), tmp_path / "resume.pt")
