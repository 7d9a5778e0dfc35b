"""False-pixel images of PLC-KD: images made of nothing but pixels that the teacher gets wrong."""

from __future__ import annotations

import torch
from torch import Tensor

from medkd.losses.class_queue import ClassQueue
from medkd.parallel import concat_all_gather

__all__ = ["FalsePixelQueue", "false_pixel_images"]


class FalsePixelQueue(ClassQueue):
    """For each class, the newest pixels of it that the teacher takes for another: buffers, hence in the checkpoint.

    Of two classes, that of the lesion holds false negatives (Q^+ of the paper), that of the background false positives (Q^-).

    Args:
        channels: of the images (the paper's D).
        num_classes: K.
        capacity: pixels a class (M and N of the paper, which does not state them; 16384 is ours).
    """

    def __init__(self, channels: int, num_classes: int, capacity: int) -> None:
        super().__init__(num_classes, capacity, channels)

    @property
    def is_full(self) -> Tensor:
        """Whether every class is: a boolean tensor; reading it waits for a GPU, so look once an epoch."""
        return (self.filled >= self.capacity).all()

    @torch.no_grad()
    def push(self, image: Tensor, label: Tensor, prediction: Tensor, k: int) -> None:
        """Adds at most k random wrong pixels a class and image, of the images of all processes.

        Args:
            image: (N, C, *spatial), as the networks see it.
            label, prediction: (N, 1, *spatial) integers.
            k: the paper's k, not stated there (256 is ours).

        Raises:
            ValueError: when shapes do not fit.
        """
        if label.shape != prediction.shape or label.shape != (image.shape[0], 1, *image.shape[2:]):
            raise ValueError(
                f"FalsePixelQueue: image {tuple(image.shape)}, label {tuple(label.shape)} and prediction "
                f"{tuple(prediction.shape)} do not fit: expected (N, C, *spatial) and twice (N, 1, *spatial)"
            )
        classes = torch.arange(self.slots.shape[0], device=image.device)[:, None]
        label, prediction, pixels = label.flatten(1), prediction.flatten(1), image.flatten(2)
        wrong = (label[:, None] == classes) & (prediction != label)[:, None]  # (N, K, P)
        count = min(k, wrong.shape[2])
        draws = torch.rand(wrong.shape, device=image.device).masked_fill(~wrong, -1.0)
        places = draws.topk(count, dim=2, sorted=False).indices
        picked = (
            pixels[:, None]
            .expand(-1, len(classes), -1, -1)
            .gather(3, places[:, :, None].expand(-1, -1, pixels.shape[1], -1))
        )
        # (N, K, C, k) to (K, N k, C)
        vectors, valid = concat_all_gather(picked), concat_all_gather(wrong.gather(2, places))
        rows, valid = vectors.permute(1, 0, 3, 2).flatten(1, 2), valid.transpose(0, 1).flatten(1)
        super().push(rows, valid)

    @torch.no_grad()
    def sample(self, n: int, label: int) -> Tensor:
        """n pixels (n, C) of a class, drawn independently, with replacement.

        Raises:
            ValueError: when nothing of the class has been pushed (looking waits for a GPU).
        """
        filled = int(self.filled[label])
        if not filled:
            raise ValueError(f"FalsePixelQueue: class {label} holds no pixel: the teacher has made no error on it")
        return self.slots[label, torch.randint(filled, (n,), device=self.slots.device)]


@torch.no_grad()
def false_pixel_images(
    queue: FalsePixelQueue, labels: Tensor, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """Images in which every pixel is an independent draw from the queue of its label; no spatial structure is left.

    Args:
        queue: holds at least one pixel of every class in ``labels``; asserted, on a GPU without waiting.
        labels: (N, 1, *spatial) integers, the ground truth of real images.
        generator: of the draws, on the device of the labels.

    Returns:
        Images (N, C, *spatial) and the labels.
    """
    index = labels.flatten(1).long()
    filled = queue.filled[index]
    torch._assert_async((filled > 0).all(), "false_pixel_images: a class of the labels has no pixel in the queue")
    draws = torch.rand(index.shape, device=labels.device, generator=generator)
    # a product may round up to the number of pixels itself
    slot = torch.minimum((draws * filled).long(), filled - 1)
    image = queue.slots[index, slot].transpose(1, 2).reshape(labels.shape[0], -1, *labels.shape[2:])
    return image, labels
