"""PLC-KD's teacher team: what its assistants are trained on, and the team that teaches the student."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.engines import SupervisedTrainer
from monai.engines.utils import default_prepare_batch
from torch import Tensor, nn
from tqdm import tqdm

from medkd import methods
from medkd.correction import FalsePixelQueue, TeacherTeam, boundary_transform, false_pixel_images
from medkd.networks import FeatureTaps, load_weights
from medkd.parallel.group import progress_disabled
from medkd.teachers import teacher_kind

__all__ = ["BoundaryBatches", "FalsePixelBatches", "init_assistant", "norm_layers", "teacher_team"]


def teacher_team(
    method: str,
    method_args: Mapping[str, Any],
    teacher: FeatureTaps,
    false_pixel: str | Path,
    boundary: str | Path,
    assistant_def: nn.Module | None = None,
) -> FeatureTaps | TeacherTeam:
    """The teacher that a method wants: corrected by a team where its preset says so, else as it is.

    Args:
        method, method_args: as for `medkd.methods.build`.
        teacher: T, tapped, with its weights.
        false_pixel, boundary: weights of the assistants; read where the method has that assistant.
        assistant_def: the assistants' architecture, T's when None.

    Raises:
        FileNotFoundError, ValueError: as `medkd.networks.load_weights`; when T has no map for the similarity correction.
    """
    wanted = methods.team_arguments(method, method_args)
    if wanted is None:
        return teacher
    methods.check_embedding(method, method_args, any(teacher.names.values()))
    paths = {"false_pixel": false_pixel, "boundary": boundary}
    for role, path in paths.items():
        if wanted.pop(role, False):
            wanted[role] = load_weights(copy.deepcopy(assistant_def or teacher.network), path, f"{role}_assistant")
    return TeacherTeam(teacher, **wanted)


def init_assistant(network: nn.Module, teacher: str | Path | Sequence[str | Path], init: str) -> nn.Module:
    """An assistant at its start: with the teacher's weights (init "teacher"), or as it was made ("scratch")."""
    if init not in ("teacher", "scratch"):
        raise ValueError(f"init: found {init!r}, expected teacher or scratch")
    if init == "teacher" and (not isinstance(teacher, str | Path) or teacher_kind(teacher) != "weights"):
        raise ValueError(
            f"init: an assistant cannot begin from {teacher}, which is not one run of ours: use --init scratch "
            "(--false_pixel_assistant::init scratch and the like in medkd distill)"
        )
    return load_weights(network, teacher, "teacher") if init == "teacher" else network


def norm_layers(network: nn.Module) -> list[nn.Module]:
    """Its batch norms, to be kept from taking up the statistics of made images."""
    return [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]


class BoundaryBatches:
    """In the place of a trainer's ``prepare_batch``: real images with boundary and inner pixels exchanged, for TA_b.

    Args:
        width, ratio: see `boundary_transform`.
        num_classes: K.
    """

    def __init__(self, width: float = 5, ratio: float = 1.0, num_classes: int = 2) -> None:
        self.width, self.ratio, self.num_classes = width, ratio, num_classes

    def __call__(
        self, batch: Any, device: Any = None, non_blocking: bool = False, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        image, label = default_prepare_batch(batch, device, non_blocking, **kwargs)
        return boundary_transform(image, label, self.width, self.ratio, num_classes=self.num_classes), label


class FalsePixelBatches:
    """In the place of a trainer's ``prepare_batch``: images made of the teacher's false pixels, for TA_f.

    Before the first step the queue is filled from the training images, then each batch adds its own false pixels.

    Args:
        teacher: T with its weights; frozen here.
        queue: to be filled; part of the run's checkpoint.
        k: pixels a class and image (ours; the paper does not state it).
        mix_real: share of the images of a batch that stay real (ours: 0, as the paper describes it).
        fill_epochs: passes over the training images after which the queue is taken as it is.
    """

    def __init__(
        self, teacher: nn.Module, queue: FalsePixelQueue, k: int = 256, mix_real: float = 0.0, fill_epochs: int = 2
    ) -> None:
        self.teacher, self.queue = teacher.eval().requires_grad_(False), queue
        self.k, self.mix_real, self.fill_epochs = k, mix_real, fill_epochs

    def attach(self, trainer: SupervisedTrainer) -> None:
        trainer.add_event_handler(Events.STARTED, self._fill)

    def __call__(
        self, batch: Any, device: Any = None, non_blocking: bool = False, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        image, label = default_prepare_batch(batch, device, non_blocking, **kwargs)
        self.queue.push(image, label, self._predict(image), self.k)
        made, masks = false_pixel_images(self.queue, _with_lesions(label))
        real = (torch.rand(len(image), device=image.device) < self.mix_real).reshape(-1, *[1] * (image.ndim - 1))
        return torch.where(real, image, made), torch.where(real, label, masks)

    @torch.no_grad()
    def _predict(self, image: Tensor) -> Tensor:
        return self.teacher(image).argmax(dim=1, keepdim=True)

    def _fill(self, trainer: Engine) -> None:
        """Not on a resumed run, whose queue came with the checkpoint."""
        if trainer.state.iteration > 0:
            return
        loader, device = trainer.data_loader, trainer.state.device
        total = self.queue.slots.shape[0] * self.queue.capacity
        with tqdm(total=total, desc="false pixels", unit="pixel", leave=False, disable=progress_disabled()) as bar:
            for _ in range(self.fill_epochs):
                for batch in loader:
                    image, label = default_prepare_batch(batch, device)
                    self.queue.push(image, label, self._predict(image), self.k)
                    bar.update(int(self.queue.filled.sum()) - bar.n)
                    if self.queue.is_full:
                        break
                if self.queue.is_full:
                    break
        if not self.queue.filled.any():
            raise ValueError(
                "the teacher makes no error on the training images: a false-pixel assistant has nothing to learn "
                "(distil without it: --method_args::false_pixel False)"
            )
        self._fill_empty_classes(trainer)
        counts = ", ".join(f"class {k} {n}" for k, n in enumerate(self.queue.filled.tolist()))
        print(f"false pixels of the teacher in the queue ({self.queue.capacity} at most): {counts}", flush=True)

    @torch.no_grad()
    def _fill_empty_classes(self, trainer: Engine) -> None:
        """A class without any error takes its pixels of least probability: nearest to the decision, though right."""
        empty = (self.queue.filled == 0).nonzero().flatten().tolist()
        if not empty:
            return
        print(
            f"the teacher makes no error on class {empty}: its pixels of least probability take their place", flush=True
        )
        classes = self.queue.slots.shape[0]
        for batch in trainer.data_loader:
            image, label = default_prepare_batch(batch, trainer.state.device)
            own = torch.softmax(self.teacher(image).float(), dim=1).gather(1, label.long())
            pretended = label.long().clone()
            for k in empty:
                doubt = torch.where(label == k, 1 - own, -1.0).flatten(1)
                places = doubt.topk(min(self.k, doubt.shape[1]), dim=1).indices
                flat = pretended.flatten(1)
                chosen = flat.gather(1, places)
                pretended = flat.scatter(1, places, torch.where(chosen == k, (k + 1) % classes, chosen)).reshape(
                    label.shape
                )
            self.queue.push(image, label.long(), pretended, self.k)


def _with_lesions(label: Tensor) -> Tensor:
    """A mask without lesion is replaced by one of the batch that has some, if there is any."""
    has = (label > 0).flatten(1).any(dim=1)
    others = torch.multinomial(has.float() + 1e-9, len(label), replacement=True)
    return label[torch.where(has, torch.arange(len(label), device=label.device), others)]
