"""The command and its runs from Python, as notebooks use them: a command that fails raises, a finished run is opened again."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from medkd.networks import FeatureTaps, default_taps, load_weights

from .folder import RunFolder

__all__ = ["Examples", "FinishedRun"]


class Examples(NamedTuple):
    """Training images as the networks see them, not augmented."""

    names: list[str]
    images: Tensor
    """(N, C, *spatial)"""
    labels: Tensor
    """(N, 1, *spatial), integers"""


class FinishedRun:
    """A run's output folder, opened again by the record that lies in it: its network on the CPU, and its data.

    Args:
        folder: of a run of a student, teacher or assistant; its data set must be where it was.

    Raises:
        FileNotFoundError: without the record ``config.yaml``, or the weights.
        ValueError: when the weights are not those of the recorded network.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._config = RunFolder(folder).load_parser()
        self.network: nn.Module = load_weights(self.value("network_def"), folder).eval().requires_grad_(False)

    def value(self, name: str) -> Any:
        """What an id of its configuration stands for: ``value("image_size")``, ``value("test::data")``."""
        return self._config.get_parsed_content(name)

    @property
    def taps(self) -> FeatureTaps:
        """The network with its default taps."""
        return FeatureTaps(self.network, **default_taps(self.network))

    def examples(self, count: int) -> Examples:
        """Training images that hold the target, spread evenly over the data set; of 3-D runs random patches.

        Raises:
            ValueError: when there are fewer.
        """
        source = self.value("train::shown")
        items = [item for item in (source[index] for index in range(len(source))) if np.any(np.asarray(item["label"]))]
        if not 1 <= count <= len(items):
            raise ValueError(f"examples: {count} found, expected 1 to {len(items)}, the training images with a target")
        chosen = [items[place] for place in np.linspace(0, len(items) - 1, count).round().astype(int)]
        names = [str(item["case"]) + (f", slice {item['slice']}" if "slice" in item else "") for item in chosen]
        images, labels = (torch.stack([_plain(item[key]) for item in chosen]) for key in ("image", "label"))
        return Examples(names, images.float(), labels.long())


def _plain(x: Any) -> Tensor:
    return torch.as_tensor(x).as_subclass(Tensor)
