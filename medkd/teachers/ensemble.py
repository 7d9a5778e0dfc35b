"""Several teachers as one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

__all__ = ["Ensemble"]

# A smaller probability carries no information, and its logarithm would dominate the loss.
_FLOOR = 1e-6


class Ensemble(nn.Module):
    """The logarithm of the mean of several networks' probabilities, floored at 1e-6. It has no feature maps.

    Args:
        members: networks from (N, C, *spatial) to logits (N, K, *spatial).
        input_spec: spatial axes and channels of the task's images.

    Example:
        >>> ensemble = Ensemble([nn.Conv2d(1, 2, 1), nn.Conv2d(1, 2, 1)], input_spec=(2, 1))
        >>> ensemble(torch.rand(1, 1, 8, 8)).shape
        torch.Size([1, 2, 8, 8])
    """

    def __init__(self, members: Sequence[nn.Module], input_spec: tuple[int, int]) -> None:
        super().__init__()
        self.members, self.input_spec = nn.ModuleList(members), input_spec
        self.source = f"ensemble of {len(members)}"

    def forward(self, image: Tensor) -> Tensor:
        """Return logits (N, K, *spatial) of an image (N, C, *spatial)."""
        return self.mean_logits(member(image) for member in self.members)

    def mean_logits(self, logits: Iterable[Tensor]) -> Tensor:
        """Return the ensemble's logits (N, K, *spatial) for those of each member."""
        total: Tensor | None = None
        for member in logits:
            probabilities = torch.softmax(member.float(), dim=1)
            total = probabilities if total is None else total + probabilities
        assert total is not None
        return (total / len(self.members)).clamp_min(_FLOOR).log()

    def default_taps(self) -> dict[str, tuple[str, ...]]:
        """Return no taps: the members' feature maps cannot be averaged."""
        return {}
