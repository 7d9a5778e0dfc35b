"""Several processes by NCCL, a GPU each: a step equals that of one process with the joined batch."""

import os
import socket

import pytest
import torch
from monai.data import DataLoader

from .builders import batches, deviation, make, state_vector

pytestmark = [pytest.mark.gpu, pytest.mark.slow]
METHODS = ("none", "hlfd", "at")


def changes(rank, count):
    """Return what one step of each method changed, on the share of this process of four images."""
    found = {}
    for method in METHODS:
        items = batches(2).dataset
        loader = DataLoader(items[rank::count], batch_size=len(items) // count)
        trainer = make(method, "cuda", train_data_loader=loader, fixed_norms=False)
        before = state_vector(trainer)
        trainer.run()
        found[method] = state_vector(trainer) - before
    return found


def work(rank, count, port, folder):
    from medkd import parallel

    torch.backends.cudnn.allow_tf32 = False
    words = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in words.items()})
    parallel.start("cuda")
    found = changes(rank, count)
    if rank == 0:
        torch.save(found, folder / "changes.pt")
    parallel.stop()


@pytest.mark.parametrize("count", [1, 2])
def test_a_step_equals_that_of_one_process(count, tmp_path):
    if torch.cuda.device_count() < count:
        pytest.skip(f"needs {count} GPUs, found {torch.cuda.device_count()}")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(work, (count, port, tmp_path), nprocs=count)
    found, expected = torch.load(tmp_path / "changes.pt"), changes(0, 1)
    for method in METHODS:  # SyncBatchNorm has the statistics of all images
        tolerance = 2e-3 if count == 1 else 5e-2  # soft Dice is a mean over images, batch norms round otherwise
        assert deviation(found[method], expected[method]) < tolerance, method
