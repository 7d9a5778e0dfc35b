"""Measure what channels-last tensors and bfloat16 bring to a training step on a CPU.

A step is a forward with the task loss, the backward and Adam. Each round measures all variants of a network one after the
other on the same images, in CPU time, so that a noisy machine slows all of them. The table has medians of the ratios within
a round: how many times as fast as contiguous tensors in float32.

    OMP_NUM_THREADS=1 python benchmarks/cpu_training.py
    python benchmarks/cpu_training.py --threads 2 --only "UNet 8"
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import fire
import torch
from monai.losses import DiceCELoss
from torch import Tensor, nn

from medkd.networks import ResNetFCN, TransUNet, UNet, UNetPlusPlus
from medkd.networks.memory_format import store_channels_last, to_channels_last

# title: network, shape of a batch
NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "UNet 8": (lambda: UNet(2, 3, 2, width=8), (8, 3, 64, 64)),
    "UNet 16": (lambda: UNet(2, 3, 2, width=16), (4, 3, 128, 128)),
    "ResNet18-FCN 64": (lambda: ResNetFCN(2, 1, 2), (2, 1, 256, 256)),
    "UNet++ 16": (lambda: UNetPlusPlus(2, 1, 2, width=16), (4, 1, 96, 96)),
    "TransUNet 16": (lambda: TransUNet(2, 3, 2, img_size=64, width=16, num_layers=4), (8, 3, 64, 64)),
    "UNet 8, 3-D": (lambda: UNet(3, 1, 2, width=8), (2, 1, 16, 64, 64)),
    "UNet++ 8, 3-D": (lambda: UNetPlusPlus(3, 1, 2, width=8), (2, 1, 32, 32, 32)),
}
# title: channels last, bfloat16
VARIANTS = {
    "contiguous": (False, False),
    "channels last": (True, False),
    "bfloat16": (False, True),
    "channels last, bfloat16": (True, True),
}


class Step:
    """A training step of one network in one variant.

    Args:
        build: makes the network.
        shape: of the images, (N, C, *spatial).
        channels_last: memory layout.
        bfloat16: whether autocast is on.
    """

    def __init__(
        self, build: Callable[[], nn.Module], shape: tuple[int, ...], channels_last: bool, bfloat16: bool
    ) -> None:
        torch.manual_seed(0)
        self.network, self.channels_last, self.bfloat16 = build().train(), channels_last, bfloat16
        if channels_last:
            store_channels_last(self.network)
        self.image = torch.rand(shape)
        self.label = (torch.rand(shape[0], 1, *shape[2:]) > 0.5).long()
        self.optimizer = torch.optim.Adam(self.network.parameters(), 1e-3)
        self.loss: Callable[[Tensor, Tensor], Tensor] = DiceCELoss(softmax=True, to_onehot_y=True)

    def __call__(self) -> float:
        """Return the CPU seconds of a step, the conversion of the batch included."""
        start = time.process_time()
        image = to_channels_last(self.image) if self.channels_last else self.image
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat16):
            logits = self.network(image)
        self.optimizer.zero_grad()
        self.loss(logits.float().contiguous(), self.label).backward()
        self.optimizer.step()
        return time.process_time() - start


def main(threads: int = 1, rounds: int = 9, only: str = "") -> None:
    """Print a table: network, images, milliseconds of CPU of a contiguous step, and how many times as fast the others are."""
    torch.set_num_threads(threads)
    print(f"| network, width | images | contiguous, ms | {' | '.join(list(VARIANTS)[1:])} |")
    print(f"|{'---|' * (len(VARIANTS) + 2)}")
    for title, (build, shape) in NETWORKS.items():
        if only not in title:
            continue
        steps = {name: Step(build, shape, *variant) for name, variant in VARIANTS.items()}
        seconds: dict[str, list[float]] = {name: [] for name in VARIANTS}
        for number in range(rounds + 1):
            for name, step in steps.items():
                value = step()
                if number:  # the first round fills caches
                    seconds[name].append(value)
        base = seconds["contiguous"]
        ratios = [
            statistics.median(a / b for a, b in zip(base, seconds[name], strict=True)) for name in list(VARIANTS)[1:]
        ]
        cells = [
            title,
            " x ".join(map(str, shape)),
            f"{statistics.median(base) * 1e3:.0f}",
            *(f"{r:.2f}" for r in ratios),
        ]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    fire.Fire(main)
