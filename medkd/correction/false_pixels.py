"""False-pixel images of PLC-KD: every pixel is one that the teacher predicts incorrectly."""

from __future__ import annotations

import torch
from torch import Tensor

from medkd.losses.class_queue import ClassSlots
from medkd.parallel import concat_all_gather

__all__ = ["FalsePixelQueue", "false_pixel_images"]


class FalsePixelQueue(ClassSlots):
    """The newest incorrectly predicted pixels of each class, held in buffers and hence in the checkpoint.

    With two classes, the slots of the lesion hold false negatives (Q^+ in the paper) and those of the background false
    positives (Q^-).

    Args:
        channels: channels of the images (D in the paper).
        num_classes: K.
        capacity: pixels of each class (M and N in the paper, which does not state them; 16384 is ours).

    Example:
        >>> queue = FalsePixelQueue(channels=3, num_classes=2, capacity=4)
        >>> label = torch.tensor([[[[0, 1]]]])
        >>> queue.push(torch.rand(1, 3, 1, 2), label, prediction=1 - label, k=1)
        >>> queue.filled.tolist(), queue.sample(5, label=1).shape
        ([1, 1], torch.Size([5, 3]))
    """

    def __init__(self, channels: int, num_classes: int, capacity: int) -> None:
        super().__init__(num_classes, capacity, channels)

    @property
    def is_full(self) -> Tensor:
        """Whether the slots of every class are full: a boolean tensor.

        Reading it makes the host wait for a GPU: look once an epoch.
        """
        return (self.filled >= self.capacity).all()

    @torch.no_grad()
    def push(self, image: Tensor, label: Tensor, prediction: Tensor, k: int) -> None:
        """Add at most k random incorrect pixels of each class and image, of the images of all processes.

        Args:
            image: (N, C, *spatial), with the intensities that the networks see.
            label: (N, 1, *spatial) integers.
            prediction: (N, 1, *spatial) integers.
            k: pixels of a class and image (the paper does not state it; 256 is ours).

        Raises:
            ValueError: If shapes do not fit.
        """
        if label.shape != prediction.shape or label.shape != (image.shape[0], 1, *image.shape[2:]):
            raise ValueError(
                f"FalsePixelQueue: found image {tuple(image.shape)}, label {tuple(label.shape)} and prediction "
                f"{tuple(prediction.shape)}, expected (N, C, *spatial) and twice (N, 1, *spatial)"
            )
        classes = torch.arange(self.slots.shape[0], device=image.device)[:, None]
        label, prediction, pixels = label.flatten(1), prediction.flatten(1), image.flatten(2)
        incorrect = (label[:, None] == classes) & (prediction != label)[:, None]  # (N, K, P)
        count = min(k, incorrect.shape[2])
        keys = torch.rand(incorrect.shape, device=image.device).masked_fill(~incorrect, -1.0)
        positions = keys.topk(count, dim=2, sorted=False).indices
        picked = (
            pixels[:, None]
            .expand(-1, len(classes), -1, -1)
            .gather(3, positions[:, :, None].expand(-1, -1, pixels.shape[1], -1))
        )
        # (N, K, C, k) to (K, N k, C)
        vectors, valid = concat_all_gather(picked), concat_all_gather(incorrect.gather(2, positions))
        self.write(vectors.permute(1, 0, 3, 2).flatten(1, 2), valid.transpose(0, 1).flatten(1))

    @torch.no_grad()
    def sample(self, n: int, label: int) -> Tensor:
        """Sample n pixels of a class independently, with replacement.

        Args:
            n: number of pixels.
            label: class of the pixels.

        Returns:
            Pixels (n, C).

        Raises:
            ValueError: If no pixel of the class was pushed. The check makes the host wait for a GPU.
        """
        filled = int(self.filled[label])
        if not filled:
            raise ValueError(f"FalsePixelQueue: class {label} holds no pixel: the teacher has made no error on it")
        return self.slots[label, torch.randint(filled, (n,), device=self.slots.device)]


@torch.no_grad()
def false_pixel_images(
    queue: FalsePixelQueue, labels: Tensor, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """Build images in which every pixel is an independent sample from the queue of its label.

    No spatial structure of real images is left.

    Args:
        queue: holds at least one pixel of every class in ``labels``. This is asserted, on a GPU without waiting.
        labels: (N, 1, *spatial) integers, the ground truth of real images.
        generator: random generator of the samples, on the device of the labels.

    Returns:
        Images (N, C, *spatial) and the labels.

    Raises:
        RuntimeError: If a class in ``labels`` has no pixel in the queue.

    Example:
        >>> queue, label = FalsePixelQueue(channels=3, num_classes=2, capacity=4), torch.tensor([[[[0, 1]]]])
        >>> queue.push(torch.rand(1, 3, 1, 2), label, 1 - label, k=1)
        >>> false_pixel_images(queue, torch.randint(0, 2, (2, 1, 8, 8)))[0].shape
        torch.Size([2, 3, 8, 8])
    """
    index = labels.flatten(1).long()
    filled = queue.filled[index]
    torch._assert_async((filled > 0).all(), "false_pixel_images: a class of the labels has no pixel in the queue")
    uniform = torch.rand(index.shape, device=labels.device, generator=generator)
    # the product may be rounded up to the number of pixels itself
    slot = torch.minimum((uniform * filled).long(), filled - 1)
    image = queue.slots[index, slot].transpose(1, 2).reshape(labels.shape[0], -1, *labels.shape[2:])
    return image, labels
