"""Samplers of a run in several processes: each has its share of one order."""

from __future__ import annotations

from collections.abc import Iterator, Sized

import numpy as np
import torch
from torch.utils.data import DistributedSampler, Sampler

from .group import processes, rank, shard_indices

__all__ = ["DistributedEvalSampler", "DistributedSamplerWrapper"]


class DistributedSamplerWrapper(DistributedSampler):
    """This process's share of the order that any sampler draws: the same order in all processes, equally long shares.

    ignite's `DistributedProxySampler` knows no seed of the run, and leaves torch's global state equal in all processes, in
    which augmentations should differ. MONAI's engines tell a `DistributedSampler` each epoch's number.

    Args:
        sampler: of fixed length, drawing from torch's global state. The first of its indices fill up the shares.
        seed: of the run.
    """

    def __init__(self, sampler: Sampler[int], seed: int = 0) -> None:
        super().__init__(sampler, num_replicas=processes(), rank=rank(), shuffle=False)
        self.sampler, self.seed = sampler, seed

    def __iter__(self) -> Iterator[int]:
        (word,) = np.random.SeedSequence([self.seed, self.epoch]).generate_state(1)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(int(word))  # torch.manual_seed would set the GPUs' states too
            order = list(self.sampler)
        while len(order) < self.total_size:
            order += order[: self.total_size - len(order)]
        return iter(order[self.rank : self.total_size : self.num_replicas])


class DistributedEvalSampler(Sampler[int]):
    """This process's share of the cases to evaluate, see `medkd.parallel.group.share`.

    MONAI's `DistributedSampler(even_divisible=False)` refuses fewer cases than processes.
    """

    def __init__(self, data: Sized) -> None:
        self.data = data

    def __iter__(self) -> Iterator[int]:
        return iter(shard_indices(len(self.data)))

    def __len__(self) -> int:
        return len(shard_indices(len(self.data)))
