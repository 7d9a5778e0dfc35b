"""Gathers over two processes, with their gradients."""

import torch
from torch import distributed, nn

from medkd.parallel import average_gradients, broadcast_state, concat_all_gather


def work(rank, port, results):
    distributed.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    x = torch.full((2, 3), float(rank + 1), requires_grad=True)
    joined = concat_all_gather(x)
    (joined * torch.arange(1.0, 5.0)[:, None]).sum().backward()
    layer = nn.Linear(1, 1)
    nn.init.constant_(layer.weight, float(rank))
    broadcast_state(layer)
    layer(torch.full((1, 1), float(rank))).sum().backward()
    average_gradients(layer)
    results.put((rank, joined[:, 0].tolist(), x.grad[:, 0].tolist(), layer.weight.item(), layer.weight.grad.item()))
    distributed.destroy_process_group()


def test_two_processes(two_processes):
    for rank, joined, gradient, weight, mean in two_processes(work):
        assert joined == [1, 1, 2, 2]
        # Both processes read both rows of this process.
        assert gradient == ([2, 4] if rank == 0 else [6, 8])
        assert (weight, mean) == (0, 0.5)
