"""Windows of intensities, one for each channel, as a dictionary transform."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.config import KeysCollection, NdarrayOrTensor
from monai.transforms import MapTransform, ScaleIntensityRange
from monai.utils import convert_to_dst_type

from medkd.io import channel_windows, check_windows

from .transforms import image_name

__all__ = ["ScaleWindowd"]


class ScaleWindowd(MapTransform):
    """Dictionary transform that maps the window of each channel to -1..1 and clips what lies outside, float32.

    Args:
        keys: keys of images ``(C, *spatial)``.
        window: lowest and highest intensity, the same for all channels; or a list with one such pair for each channel.
        channels: names of the channels, each of which must have a window; None: not checked.
        allow_missing_keys: whether an item may lack a key.

    Raises:
        ValueError: another number of windows than of channels.

    Example:
        >>> ScaleWindowd("image", [[0, 2], [0, 4]])({"image": torch.tensor([[2.0], [2.0]])})["image"].tolist()
        [[1.0], [0.0]]
    """

    def __init__(
        self,
        keys: KeysCollection,
        window: Sequence[float] | Sequence[Sequence[float]],
        channels: Sequence[str] | None = None,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        windows = channel_windows(window) if channels is None else check_windows(window, channels)
        self.scalings = [ScaleIntensityRange(low, high, -1, 1, clip=True) for low, high in windows]

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the item with scaled images."""
        item = dict(data)
        for key in self.key_iterator(item):
            item[key] = self._scale(item[key], image_name(item, key))
        return item

    def _scale(self, image: NdarrayOrTensor, name: str) -> NdarrayOrTensor:
        if len(self.scalings) == 1:
            return self.scalings[0](image)
        if len(image) != len(self.scalings):
            raise ValueError(f"{name}: found {len(image)} channels, expected {len(self.scalings)}, one for each window")
        channels = [torch.as_tensor(scale(channel)) for scale, channel in zip(self.scalings, image, strict=True)]
        return convert_to_dst_type(torch.stack(channels), image, dtype=torch.float32)[0]
