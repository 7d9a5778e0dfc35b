"""The batches that the assistants are trained on: boundary transforms and false-pixel images."""

from __future__ import annotations

from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.engines import SupervisedTrainer
from monai.engines.utils import default_prepare_batch
from torch import Tensor, nn
from tqdm import tqdm

from medkd.correction import FalsePixelQueue, boundary_transform, false_pixel_images
from medkd.parallel.group import progress_disabled
from medkd.teachers import frozen

__all__ = ["BoundaryBatches", "FalsePixelBatches", "engine_device", "image_and_label"]


def image_and_label(
    batch: Any, device: torch.device | str | None = None, non_blocking: bool = False, **kwargs: Any
) -> tuple[Tensor, Tensor]:
    """Return image (N, C, *spatial) and label (N, 1, *spatial) of a batch on a device, by MONAI's default.

    Raises:
        ValueError: If the batch has no label.
    """
    image, label = default_prepare_batch(batch, device, non_blocking, **kwargs)[:2]
    if label is None:
        raise ValueError("batch: found no label, expected image and label")
    return image, label


def engine_device(engine: Engine) -> torch.device:
    """Return the device of an engine of MONAI."""
    return engine.state.device  # type: ignore[attr-defined]  # MONAI adds it to ignite's state


class BoundaryBatches:
    """Real images with boundary and interior pixels exchanged: the ``prepare_batch`` of TA_b's trainer.

    Args:
        width: see `boundary_transform`.
        ratio: see `boundary_transform`.
        num_classes: K.

    Example:
        >>> batch = {"image": torch.rand(1, 1, 16, 16), "label": torch.ones(1, 1, 16, 16, dtype=torch.long)}
        >>> image, label = BoundaryBatches(width=2)(batch)
        >>> image.shape, torch.equal(label, batch["label"])
        (torch.Size([1, 1, 16, 16]), True)
    """

    def __init__(self, width: float = 5, ratio: float = 1.0, num_classes: int = 2) -> None:
        self.width, self.ratio, self.num_classes = width, ratio, num_classes

    def __call__(
        self, batch: Any, device: torch.device | str | None = None, non_blocking: bool = False, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Return the transformed image and the unchanged label of a batch."""
        image, label = image_and_label(batch, device, non_blocking, **kwargs)
        return boundary_transform(image, label, self.width, self.ratio, num_classes=self.num_classes), label


class FalsePixelBatches:
    """Images made of the teacher's false pixels: the ``prepare_batch`` of TA_f's trainer.

    The queue is filled from the training images before the first step. Then each batch adds its own false pixels.

    Args:
        teacher: T with its weights; frozen here.
        queue: the queue, part of the run's checkpoint.
        k: pixels of a class and image (ours; the paper does not state it).
        mix_real: share of the images of a batch that stay real (0 is what the paper describes).
        fill_epochs: largest number of passes over the training images to fill the queue.
    """

    def __init__(
        self, teacher: nn.Module, queue: FalsePixelQueue, k: int = 256, mix_real: float = 0.0, fill_epochs: int = 2
    ) -> None:
        self.teacher, self.queue = frozen(teacher), queue
        self.k, self.mix_real, self.fill_epochs = k, mix_real, fill_epochs

    def attach(self, trainer: SupervisedTrainer) -> None:
        """Fill the queue when the trainer starts."""
        trainer.add_event_handler(Events.STARTED, self._fill)

    def __call__(
        self, batch: Any, device: torch.device | str | None = None, non_blocking: bool = False, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Return images and labels: false-pixel images, and real ones in their share."""
        image, label = image_and_label(batch, device, non_blocking, **kwargs)
        self.queue.push(image, label, self._predict(image), self.k)
        synthetic, masks = false_pixel_images(self.queue, _replace_empty_masks(label))
        is_real = (torch.rand(len(image), device=image.device) < self.mix_real).reshape(-1, *[1] * (image.ndim - 1))
        return torch.where(is_real, image, synthetic), torch.where(is_real, label, masks)

    @torch.no_grad()
    def _predict(self, image: Tensor) -> Tensor:
        return self.teacher(image).argmax(dim=1, keepdim=True)

    def _fill(self, trainer: SupervisedTrainer) -> None:
        if trainer.state.iteration > 0:  # the queue of a resumed run comes with the checkpoint
            return
        self._fill_from_errors(trainer)
        if not self.queue.filled.any():
            raise ValueError(
                "the teacher makes no error on the training images: a false-pixel assistant has nothing to learn "
                "(distil without it: --method_args::false_pixel False)"
            )
        self._fill_empty_classes(trainer)
        counts = ", ".join(f"class {k} {n}" for k, n in enumerate(self.queue.filled.tolist()))
        print(f"false pixels of the teacher in the queue ({self.queue.capacity} at most): {counts}", flush=True)

    def _fill_from_errors(self, trainer: SupervisedTrainer) -> None:
        total = self.queue.slots.shape[0] * self.queue.capacity
        with tqdm(total=total, desc="false pixels", unit="pixel", leave=False, disable=progress_disabled()) as bar:
            for _ in range(self.fill_epochs):
                for batch in trainer.data_loader:
                    image, label = image_and_label(batch, engine_device(trainer))
                    self.queue.push(image, label, self._predict(image), self.k)
                    bar.update(int(self.queue.filled.sum()) - bar.n)
                    if self.queue.is_full:
                        return

    @torch.no_grad()
    def _fill_empty_classes(self, trainer: SupervisedTrainer) -> None:
        """Fill a class without any error with its pixels of least probability, which are nearest to the decision."""
        empty = (self.queue.filled == 0).nonzero().flatten().tolist()
        if not empty:
            return
        print(
            f"the teacher makes no error on class {empty}: its pixels of least probability take their place", flush=True
        )
        for batch in trainer.data_loader:
            image, label = image_and_label(batch, engine_device(trainer))
            probabilities = torch.softmax(self.teacher(image).float(), dim=1)
            self.queue.push(image, label.long(), self._pretend_errors(probabilities, label.long(), empty), self.k)

    def _pretend_errors(self, probabilities: Tensor, label: Tensor, classes: list[int]) -> Tensor:
        """Return the label as a prediction that is incorrect in the k least probable pixels of each class."""
        labelled = probabilities.gather(1, label)
        prediction = label.flatten(1)
        for k in classes:
            doubt = torch.where(label == k, 1 - labelled, -1.0).flatten(1)
            positions = doubt.topk(min(self.k, doubt.shape[1]), dim=1).indices
            chosen = prediction.gather(1, positions)
            incorrect = torch.where(chosen == k, (k + 1) % self.queue.slots.shape[0], chosen)
            prediction = prediction.scatter(1, positions, incorrect)
        return prediction.reshape(label.shape)


def _replace_empty_masks(label: Tensor) -> Tensor:
    """Replace a mask without a lesion by another of the batch that has one, if there is any."""
    has_lesion = (label > 0).flatten(1).any(dim=1)
    others = torch.multinomial(has_lesion.float() + 1e-9, len(label), replacement=True)
    return label[torch.where(has_lesion, torch.arange(len(label), device=label.device), others)]
