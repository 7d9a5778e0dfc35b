"""Probabilities and labels for the tests of the correction."""

import torch

from medkd.correction import is_correct


def make_case(seed, classes=2, size=(5, 6), batch=2, sharp=2.0):
    """Probabilities of three networks, an embedding and labels; sharp 0 makes every pixel a tie."""
    draw = torch.Generator().manual_seed(seed)
    nets = [torch.softmax(sharp * torch.randn(batch, classes, *size, generator=draw), 1) for _ in range(3)]
    phi = torch.randn(batch, 4, *size, generator=draw)
    return *nets, phi, torch.randint(0, classes, (batch, 1, *size), generator=draw)


def count_incorrect(probabilities, label):
    return int((~is_correct(probabilities, label)).sum())


def make_pixels(*rows):
    """Probabilities (1, K, 1, P) of P pixels."""
    return torch.tensor(rows).T[None, :, None]
