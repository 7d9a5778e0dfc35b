"""The memory of a step beyond the floor of a method grows no faster than the number of pixels."""

import functools

import pytest
import torch

from medkd import methods

from .builders import batches, make

pytestmark = [pytest.mark.gpu, pytest.mark.filterwarnings("ignore:DKDLoss")]
# MiB that blocks of the allocator, and kernels' work spaces, may differ by
SLACK = 8.0


@functools.cache
def peak(method, edge):
    """Return the MiB of a step beyond what was there before it."""
    trainer = make(method, "cuda", train_data_loader=batches(2, edge))
    trainer.run()  # buffers of the libraries
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    trainer.state.max_epochs = 2
    trainer.run()
    return (torch.cuda.max_memory_allocated() - before) / 2**20


@pytest.mark.parametrize("method", [name for name in methods.names() if name != "none"])
def test_memory_grows_with_the_pixels(method):
    small, large = (peak(method, edge) - peak("none", edge) for edge in (128, 256))
    assert large <= 4 * max(small, 0) + SLACK
