"""nnU-Net's networks: names, shapes and outputs of the originals."""

import numpy as np
import pytest
import torch

from medkd.networks import FeatureTaps
from medkd.teachers.nnunet_plans import build_network

from .nnunet_builders import FACTS, is_second_name, make_weights, plan_of


@pytest.mark.parametrize("name", FACTS)
def test_names_shapes_and_outputs_equal_the_original(name):
    fact = FACTS[name]
    shapes = {key: tuple(shape) for key, shape in fact["state"].items() if not is_second_name(key)}
    classes = next(shape[0] for key, shape in shapes.items() if "seg_layers" in key)
    network = build_network(plan_of(fact), 1, classes).eval()
    assert {key: tuple(value.shape) for key, value in network.state_dict().items()} == shapes
    network.load_state_dict(make_weights(shapes))
    count = int(np.prod(fact["size"]))
    image = torch.cos(torch.arange(count, dtype=torch.float64) * 0.3).float().reshape(1, 1, *fact["size"])
    output = network(image).flatten()
    result = output[:: max(1, output.numel() // 8)][:8].tolist()
    assert result == pytest.approx(fact["output"], abs=1e-5)


@pytest.mark.parametrize("name", FACTS)
def test_taps_are_the_stages(name):
    network = build_network(plan_of(FACTS[name]), 1, 2).eval()
    taps = FeatureTaps(network, **network.default_taps())
    assert [map_.shape[1] for map_ in taps.shapes.encoder] == FACTS[name]["arch_kwargs"]["features_per_stage"]
    assert taps.shapes.decoder[-1].shape[2:] == taps.shapes.logits.shape[2:]
    assert network.multiple == ((2, 4, 4) if name == "plain_3d" else (4, 4))
