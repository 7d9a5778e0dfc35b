"""The newest vectors of each class, kept as buffers and filled without waiting for a GPU."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["ClassQueue", "ClassSlots"]


class ClassSlots(nn.Module):
    """A ring of the newest ``capacity`` vectors of each class.

    Args:
        num_classes: K.
        capacity: slots of each class.
        channels: length of a vector.
    """

    slots: Tensor
    pushed: Tensor

    def __init__(self, num_classes: int, capacity: int, channels: int) -> None:
        super().__init__()
        self.capacity = capacity
        # One slot more than the capacity takes the vectors that are not valid: shapes must not depend on values.
        self.register_buffer("slots", torch.zeros(num_classes, capacity + 1, channels))
        self.register_buffer("pushed", torch.zeros(num_classes, dtype=torch.long))

    @property
    def filled(self) -> Tensor:
        """Number of slots of each class that hold a vector: (K,)."""
        return self.pushed.clamp_max(self.capacity)

    @torch.no_grad()
    def write(self, vectors: Tensor, valid: Tensor) -> None:
        """Write vectors (K, M, C) where ``valid`` (K, M) is true. The oldest vectors are overwritten."""
        # at most ``capacity`` at a time: two vectors must not be written into one slot
        for chunk, is_valid in zip(vectors.split(self.capacity, 1), valid.split(self.capacity, 1), strict=True):
            self._write_chunk(chunk, is_valid)

    def _write_chunk(self, vectors: Tensor, valid: Tensor) -> None:
        rank = valid.long().cumsum(dim=1) - 1  # of a valid vector among those of its class
        index = torch.where(valid, (self.pushed[:, None] + rank) % self.capacity, self.capacity)
        self.slots.scatter_(1, index[..., None].expand(-1, -1, vectors.shape[2]), vectors.to(self.slots.dtype))
        self.pushed += valid.sum(dim=1)


class ClassQueue(ClassSlots):
    """Slots that are sampled without replacement: the queue of CIRKD's memory terms.

    Args:
        num_classes: K.
        capacity: slots of each class.
        channels: length of a vector.
    """

    def push(self, vectors: Tensor, valid: Tensor) -> None:
        """Write vectors (K, M, C) where ``valid`` (K, M) is true. The oldest vectors are overwritten."""
        self.write(vectors, valid)

    @torch.no_grad()
    def sample(self, count: int) -> tuple[Tensor, Tensor]:
        """Vectors (K, M, C) drawn without replacement, M the smaller of ``count`` and the capacity; which are real (K, M).

        Slots that were never filled are drawn only when no others are left, and are not real.
        """
        filled = torch.arange(self.capacity, device=self.slots.device) < self.filled[:, None]
        order = torch.rand(filled.shape, device=self.slots.device).masked_fill(~filled, -1.0)
        index = order.topk(min(count, self.capacity), dim=1, sorted=False).indices
        vectors = self.slots.gather(1, index[..., None].expand(-1, -1, self.slots.shape[2]))
        return vectors, filled.gather(1, index)
