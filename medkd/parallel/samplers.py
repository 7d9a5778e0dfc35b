"""Samplers of a run in several processes, each of which reads other cases."""

from __future__ import annotations

from collections.abc import Iterator, Sized
from typing import cast

import numpy as np
import torch
from torch.utils.data import Dataset, DistributedSampler, Sampler

from .group import processes, rank, shard_indices

__all__ = ["DistributedEvalSampler", "DistributedSamplerWrapper"]


class DistributedSamplerWrapper(DistributedSampler[int]):
    """Divide the indices of any sampler among the processes, into shards of equal length.

    All processes compute the same order, from the seed and the epoch. MONAI's engines set the epoch of a
    `DistributedSampler`. ignite's `DistributedProxySampler` does not know the seed of a run, and leaves the global state of
    torch equal in all processes, so that their augmentations would be equal too.

    Args:
        sampler: of a fixed length; it samples by torch's global generator. Its first indices fill up the shards. If it has a
            ``block``, each process takes whole blocks of that many indices: batches of a fixed composition.
        seed: of the run.

    Example:
        >>> from torch.utils.data import SequentialSampler
        >>> list(DistributedSamplerWrapper(SequentialSampler(range(3))))
        [0, 1, 2]
    """

    def __init__(self, sampler: Sampler[int], seed: int = 0) -> None:
        if not isinstance(sampler, Sized):
            raise TypeError(f"{type(sampler).__name__} has no length, expected a sampler of a fixed length")
        # torch asks a data set for nothing but its length here.
        self.block = getattr(sampler, "block", 1)
        blocks = range(len(sampler) // self.block)
        super().__init__(cast(Dataset[int], blocks), num_replicas=processes(), rank=rank(), shuffle=False)
        self.num_samples *= self.block
        self.total_size *= self.block
        self.sampler, self.seed = sampler, seed

    def __iter__(self) -> Iterator[int]:
        (state,) = np.random.SeedSequence([self.seed, self.epoch]).generate_state(1)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(int(state))  # torch.manual_seed would set the GPUs' states too
            order = list(self.sampler)
        while len(order) < self.total_size:
            order += order[: self.total_size - len(order)]
        starts = range(self.rank * self.block, self.total_size, self.num_replicas * self.block)
        return iter([index for start in starts for index in order[start : start + self.block]])


class DistributedEvalSampler(Sampler[int]):
    """Divide cases among the processes for an evaluation, see `medkd.parallel.shard_indices`.

    MONAI's ``DistributedSampler(even_divisible=False)`` refuses fewer cases than processes.

    Args:
        data: the data set.

    Example:
        >>> list(DistributedEvalSampler(["case_1", "case_2"]))
        [0, 1]
    """

    def __init__(self, data: Sized) -> None:
        self.data = data

    def __iter__(self) -> Iterator[int]:
        return iter(shard_indices(len(self.data)))

    def __len__(self) -> int:
        return len(shard_indices(len(self.data)))
