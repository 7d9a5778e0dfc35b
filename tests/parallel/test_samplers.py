"""Shares of one order: equal in all processes, without gaps, another order each epoch, other draws undisturbed."""

import pytest
import torch
from torch.utils.data import RandomSampler, WeightedRandomSampler

from medkd.parallel import samplers
from medkd.parallel.samplers import DistributedEvalSampler, DistributedSamplerWrapper


def shares_of(monkeypatch, sampler, count, seed=0, epoch=1):
    shares = []
    for rank in range(count):
        monkeypatch.setattr(samplers, "processes", lambda: count)
        monkeypatch.setattr(samplers, "rank", lambda rank=rank: rank)
        torch.manual_seed(rank)  # as `ResumableRun` leaves them: different
        order = DistributedSamplerWrapper(sampler, seed)
        order.set_epoch(epoch)
        before = torch.get_rng_state()
        shares.append(list(order))
        assert torch.equal(torch.get_rng_state(), before) and len(order) == len(shares[-1])
    return shares


def test_shares_are_disjoint_and_complete(monkeypatch):
    first, second = shares_of(monkeypatch, RandomSampler(range(10)), 2)
    assert sorted(first + second) == list(range(10))
    assert first != sorted(first)


def test_shares_are_equally_long(monkeypatch):
    shares = shares_of(monkeypatch, RandomSampler(range(7)), 3)
    assert [len(share) for share in shares] == [3, 3, 3] and set(sum(shares, [])) == set(range(7))
    assert [len(share) for share in shares_of(monkeypatch, RandomSampler(range(2)), 5)] == [1] * 5


def test_the_order_is_one_of_seed_and_epoch(monkeypatch):
    sampler = WeightedRandomSampler([1.0, 2.0, 3.0] * 9, 20)
    once = shares_of(monkeypatch, sampler, 2)
    assert shares_of(monkeypatch, sampler, 2) == once
    assert shares_of(monkeypatch, sampler, 2, epoch=2) != once
    assert shares_of(monkeypatch, sampler, 2, seed=1) != once


@pytest.mark.parametrize(("cases", "expected"), [(5, [[0, 2, 4], [1, 3]]), (1, [[0], [0]])])
def test_cases_are_divided_unless_they_are_too_few(monkeypatch, cases, expected):
    monkeypatch.setattr("medkd.parallel.group.processes", lambda: 2)
    for rank, indices in enumerate(expected):
        monkeypatch.setattr("medkd.parallel.group.rank", lambda rank=rank: rank)
        sampler = DistributedEvalSampler(range(cases))
        assert list(sampler) == indices and len(sampler) == len(indices)
