"""Two processes: what is gathered, and that gradients are those of one process with the joined batch."""

import pytest
import torch
from torch import distributed

from medkd.losses import CIRKDLoss, HolisticLoss


def maps(channels, seed, size=6):
    return torch.randn(4, channels, size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def cirkd(memory=0.0):
    torch.manual_seed(0)
    return CIRKDLoss(
        2, 3, 5, 2, pixel_weight=memory, region_weight=memory, pixels_per_image=36, pixel_queue=500
    ).double()


def labels():
    return torch.randint(0, 2, (4, 1, 6, 6), generator=torch.Generator().manual_seed(9))


def work(rank, port, results):
    distributed.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    mine = slice(2 * rank, 2 * rank + 2)
    student = maps(3, 1)[mine].requires_grad_()
    cirkd()(student, maps(5, 2)[mine], labels()[mine]).backward()
    queues = cirkd(memory=0.1)
    queues(maps(3, 1)[mine], maps(5, 2)[mine], labels()[mine])
    holistic = HolisticLoss(2, 2).double()
    for value in (*holistic.parameters(), *holistic.buffers()):
        distributed.broadcast(value.data, 0)
    torch.manual_seed(rank)
    logits = torch.randn(2, 2, 2, 64, 64, dtype=torch.float64)
    holistic(*logits)
    holistic.step()
    state = {name: value.tolist() for name, value in queues.queues.state_dict().items()}
    results.put((rank, student.grad.tolist(), state, holistic.discriminator.layers[0].weight.tolist()))
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def ranks(two_processes):
    return two_processes(work)


def test_image_pairs_cross_processes(ranks):
    student = maps(3, 1).requires_grad_()
    cirkd()(student, maps(5, 2), labels()).backward()
    # each process has the mean over its own rows: averaged, as DistributedDataParallel does, it is the joined mean
    joined = torch.cat([torch.tensor(gradient, dtype=torch.float64) for _, gradient, _, _ in ranks]) / 2
    torch.testing.assert_close(joined, student.grad, rtol=1e-9, atol=1e-12)


def test_every_process_has_the_queue_of_the_joined_batch(ranks):
    (_, _, first, _), (_, _, second, _) = ranks
    assert first == second
    one = cirkd(memory=0.1)
    one(maps(3, 1), maps(5, 2), labels())
    alone = {name: value.tolist() for name, value in one.queues.state_dict().items()}
    for name in ("pixel", "region"):
        assert first[f"{name}.pushed"] == alone[f"{name}.pushed"]
        for k, count in enumerate(first[f"{name}.pushed"]):
            # the pixels of an image come in random order
            joined, expected = (sorted(state[f"{name}.slots"][k][:count]) for state in (first, alone))
            torch.testing.assert_close(torch.tensor(joined), torch.tensor(expected))


def test_discriminators_stay_equal(ranks):
    assert ranks[0][3] == ranks[1][3]
