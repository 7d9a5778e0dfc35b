"""Networks of slices predict with channels last on a CPU, with the same values."""

import pytest
import torch

from medkd.networks import ResNetFCN, UNet, move_for_inference


@pytest.mark.parametrize("network", [ResNetFCN(2, 1, 2, width=4), UNet(2, 3, 2, width=4), UNet(3, 1, 2, width=4)])
def test_the_layout_changes_no_value(network):
    network.eval()
    dims = 3 if any(parameter.ndim == 5 for parameter in network.parameters()) else 2
    image = torch.rand(2, network.in_channels, *([32] * dims))
    with torch.inference_mode():
        expected, state = network(image), {name: tensor.clone() for name, tensor in network.state_dict().items()}
        moved = move_for_inference(network, "cpu")
        torch.testing.assert_close(moved(image), expected, atol=1e-5, rtol=1e-5)
    assert all(torch.equal(tensor, state[name]) for name, tensor in moved.state_dict().items())
    layouts = {p.is_contiguous(memory_format=torch.channels_last) for p in moved.parameters() if p.ndim == 4}
    assert layouts == ({True} if dims == 2 else set())
