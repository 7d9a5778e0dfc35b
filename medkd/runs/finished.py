"""A finished run, opened again from Python, as notebooks do."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from medkd.networks import FeatureTaps, default_taps, load_weights

from .folder import RunFolder
from .rebuild import load_parser

__all__ = ["Examples", "FinishedRun"]


class Examples(NamedTuple):
    """Training images as the networks see them, not augmented."""

    names: list[str]
    """Such as ``case_00001, slice 12``."""
    images: Tensor
    """(N, C, *spatial)"""
    labels: Tensor
    """(N, 1, *spatial), integers"""


class FinishedRun:
    """The network of a run on the CPU, and its data, by the record in the run's output folder.

    Args:
        folder: output folder of a student, teacher or assistant. The data set must still be at its path.
        trust_record: whether the whole record is executed as the run's configuration, see `load_parser`: needed for a run whose
            overlays named networks or transforms beyond medkd's. Without it a stranger's record is data.

    Attributes:
        network: the network with the weights of the best validation, in eval mode.

    Raises:
        FileNotFoundError: if the record ``config.yaml``, or the weights, are missing.
        ValueError: if the weights are not of the recorded network, or see `load_parser`.
    """

    def __init__(self, folder: str | Path, trust_record: bool = False) -> None:
        self.folder = Path(folder)
        self._config = load_parser(RunFolder(folder), trust_record)
        self.network: nn.Module = load_weights(self.value("network_def"), folder).eval().requires_grad_(False)

    def value(self, name: str) -> Any:
        """Build the value of an id of the configuration: ``value("image_size")``, ``value("test::data")``."""
        return self._config.get_parsed_content(name)

    @property
    def taps(self) -> FeatureTaps:
        """The network with its default taps."""
        return FeatureTaps(self.network, **default_taps(self.network))

    def examples(self, count: int) -> Examples:
        """Return training images that hold the target, evenly spread over the data set; of 3-D runs random patches.

        Args:
            count: number of images.

        Raises:
            ValueError: if there are fewer, or if their sizes differ.
        """
        source = self.value("train::shown")
        items = [item for item in (source[index] for index in range(len(source))) if np.any(np.asarray(item["label"]))]
        if not 1 <= count <= len(items):
            raise ValueError(f"examples: found {count}, expected 1 to {len(items)}, the training images with a target")
        chosen = [items[index] for index in np.linspace(0, len(items) - 1, count).round().astype(int)]
        names = [str(item["case"]) + (f", slice {item['slice']}" if "slice" in item else "") for item in chosen]
        if len(sizes := {tuple(item["image"].shape) for item in chosen}) > 1:
            raise ValueError(f"examples: found images of sizes {sorted(sizes)}, expected one size: ask for one example")
        images, labels = (torch.stack([_plain(item[key]) for item in chosen]) for key in ("image", "label"))
        return Examples(names, images.float(), labels.long())


def _plain(x: Any) -> Tensor:
    """Return a tensor without meta data."""
    return torch.as_tensor(x).as_subclass(Tensor)
