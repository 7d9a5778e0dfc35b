"""The time of a network for one slice: the median of the measured passes, in milliseconds."""

import time

import pytest
import torch
from torch import nn

from medkd.metrics import milliseconds_per_slice


class Recorder(nn.Module):
    """A network that records its input and its mode at each pass."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def forward(self, image):
        self.calls.append((tuple(image.shape), self.training, torch.is_grad_enabled()))
        return image


def test_two_passes_of_warm_up_are_left_out_of_the_median(monkeypatch):
    # start, at any time, and end of each pass: 9 s and 8 s of warm-up, then 1, 2 and 6 ms
    durations = [9.0, 8.0, 0.001, 0.002, 0.006]
    clock = iter([moment for n, duration in enumerate(durations) for moment in (10.0 * n, 10.0 * n + duration)])
    network = Recorder()
    with monkeypatch.context() as patch:
        patch.setattr(time, "perf_counter", lambda: next(clock))
        value = milliseconds_per_slice(network, (1, 4, 6), repeats=3)
    assert value == pytest.approx(2.0)
    assert network.calls == [((1, 1, 4, 6), False, False)] * 5
