"""The newest vectors of each class, kept as buffers and filled without waiting for a GPU."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["ClassQueue", "ClassSlots"]


class ClassSlots(nn.Module):
    """Keep the newest ``capacity`` vectors of each class in buffers, which are part of the checkpoint.

    A vector is whatever the subclass stores: `ClassQueue` unit feature vectors, PLC-KD's queue the raw channels of pixels.

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
        """Return the number of slots of each class that hold a vector: (K,)."""
        return self.pushed.clamp_max(self.capacity)

    @torch.no_grad()
    def write(self, vectors: Tensor, valid: Tensor) -> None:
        """Write vectors (K, M, C) where ``valid`` (K, M) is true. The oldest vectors are overwritten."""
        # at most ``capacity`` at a time: two vectors must not be written into one slot
        for chunk, is_valid in zip(vectors.split(self.capacity, 1), valid.split(self.capacity, 1), strict=True):
            self._write_chunk(chunk, is_valid)

    def _write_chunk(self, vectors: Tensor, valid: Tensor) -> None:
        """Write at most ``capacity`` vectors of each class."""
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

    Example:
        >>> queue = ClassQueue(num_classes=2, capacity=3, channels=4)
        >>> queue.push(torch.rand(2, 5, 4), valid=torch.tensor([[True] * 5, [True, False, False, False, False]]))
        >>> queue.filled
        tensor([3, 1])
    """

    def push(self, vectors: Tensor, valid: Tensor) -> None:
        """Write vectors (K, M, C) where ``valid`` (K, M) is true. The oldest vectors are overwritten."""
        self.write(vectors, valid)

    @torch.no_grad()
    def sample(self, count: int) -> tuple[Tensor, Tensor]:
        """Sample vectors of each class without replacement.

        Args:
            count: vectors a class; at most the capacity is sampled.

        Returns:
            Vectors (K, M, C), M the smaller of ``count`` and the capacity, and which of them are valid (K, M). Slots that
            were never filled are sampled only after all others, and are not valid.
        """
        filled = torch.arange(self.capacity, device=self.slots.device) < self.filled[:, None]
        order = torch.rand(filled.shape, device=self.slots.device).masked_fill(~filled, -1.0)
        index = order.topk(min(count, self.capacity), dim=1, sorted=False).indices
        vectors = self.slots.gather(1, index[..., None].expand(-1, -1, self.slots.shape[2]))
        return vectors, filled.gather(1, index)
