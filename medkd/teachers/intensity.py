"""Intensities of medkd's images on the scale that an external teacher was trained with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from medkd.io.normalise import channel_windows

from .scalings import RescaleTo01, Scaling, ZScore, range_scaling

__all__ = ["INTENSITY_FORMS", "Intensity", "Window", "scaling_of_option"]

# of --teacher_intensity, for messages
INTENSITY_FORMS = "a_min a_max b_min b_max, zscore or minmax (of each image as the student sees it), or unscaled"
# of one channel, or of each
Window = Sequence[float] | Sequence[Sequence[float]]


def scaling_of_option(value: Sequence[float] | str) -> Scaling | None:
    """Return the scaling that ``--teacher_intensity`` means; None for unscaled.

    Args:
        value: (a_min, a_max, b_min, b_max): HU a_min..a_max were b_min..b_max in training; ``zscore`` or ``minmax``: each
            image as the student sees it (picture, slice or patch) is scaled by its own statistics; ``unscaled``: the
            teacher sees the student's image, -1..1.

    Raises:
        ValueError: For any other value.
    """
    words: dict[str, Scaling | None] = {"zscore": ZScore(), "minmax": RescaleTo01(), "unscaled": None}
    if isinstance(value, str) and value in words:
        return words[value]
    if not isinstance(value, str) and len(value) == 4 and all(isinstance(number, int | float) for number in value):
        a_min, a_max, b_min, b_max = value
        return range_scaling(a_min, a_max, b_min, b_max)
    found = value if isinstance(value, str) else list(value)
    raise ValueError(f"--teacher_intensity: found {found}, expected {INTENSITY_FORMS}")


@dataclass(frozen=True)
class Intensity:
    """Convert medkd's intensities, -1..1 inside the task's window, to the teacher's scale.

    Values that the window clipped stay clipped.

    Args:
        scalings: one for each channel, or one for all.
        window: the HU of -1 and 1, of several channels a pair for each; None if the task has no window: the scalings then
            see the values as they are.

    Example:
        >>> to_teacher = Intensity([range_scaling(-200, 300, 0, 1)], window=(-200, 300))
        >>> to_teacher(torch.tensor([[[[-1.0, 0.0, 1.0]]]]))
        tensor([[[[0.0000, 0.5000, 1.0000]]]])
    """

    scalings: Sequence[Scaling]
    window: Window | None = None

    @property
    def depends_on_image(self) -> bool:
        """Whether a channel is scaled by statistics of the image that is passed in."""
        return any(isinstance(scaling, ZScore | RescaleTo01) for scaling in self.scalings)

    def __call__(self, image: Tensor) -> Tensor:
        """Return an image (N, C, *spatial) on the teacher's scale."""
        if self.window is not None:
            windows = channel_windows(self.window)
            channels = [image] if len(windows) == 1 else image.split(1, dim=1)
            pairs = zip(channels, windows, strict=True)
            image = torch.cat([low + (channel + 1) * ((high - low) / 2) for channel, (low, high) in pairs], dim=1)
        if len(self.scalings) == 1:
            return self.scalings[0](image)
        channels = image.split(1, dim=1)
        return torch.cat([scaling(channel) for scaling, channel in zip(self.scalings, channels, strict=True)], dim=1)
