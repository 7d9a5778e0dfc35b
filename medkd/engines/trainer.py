"""MONAI's supervised trainer, with a teacher in the loss call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, TypeVar

import torch
from ignite.engine import Events
from ignite.metrics import Average
from monai.engines import SupervisedTrainer
from monai.engines.utils import IterationEvents
from monai.handlers import ParamSchedulerHandler
from monai.inferers import Inferer, SimpleInferer
from monai.utils.enums import CommonKeys
from torch import Tensor, nn
from torch.optim import Optimizer

from medkd.correction import TeacherTeam
from medkd.losses import CombinedLoss
from medkd.networks import Features, FeatureTaps
from medkd.parallel.ddp import share_state, with_shared_gradients, with_shared_statistics
from medkd.teachers.cached import CachedTeacher

__all__ = ["DistillationTrainer", "frozen"]

Teacher = TypeVar("Teacher", bound=nn.Module)


def frozen(teacher: Teacher) -> Teacher:
    """The teacher in eval mode, its parameters without gradient."""
    return teacher.eval().requires_grad_(False)


class DistillationTrainer(SupervisedTrainer):
    """Trains a student on labels and on what a frozen teacher shows of the same batch.

    Everything but the loss call is MONAI's `SupervisedTrainer`. ``network`` is the plain student, so checkpoints,
    federated weights and exports never see taps or adaptors. Without a teacher it is the supervised baseline, on the
    same batches and through the same code. In several processes each trains on its batches with the mean gradient of all.

    Args:
        device: where the networks and the loss already are.
        max_epochs: epochs in all.
        train_data_loader: batches ``{"image": (N, C, *spatial), "label": (N, 1, *spatial)}``.
        student: the tapped student.
        optimizer: must hold the parameters of the student and the ``adaptors()`` of the loss.
        loss: see `CombinedLoss`. Its ramps are scheduled here, and its ``step`` follows the student's. Its named values go
            into ``state.output["terms"]`` each step, and as means over the epoch into ``state.metrics`` ("loss",
            "loss/task", "loss/kd", ...).
        teacher: the tapped teacher, a team that corrects it, or a `CachedTeacher`; frozen here, run once a step in eval mode
            without gradient.
        inferer: how the student is called, MONAI's `SimpleInferer` when None.
        amp: mixed precision of the device: float16 with gradient scaling on CUDA, bfloat16 elsewhere. The loss itself is
            always computed in float32.
        clip_norm: largest L2 norm of the whole gradient; None does not clip.
        eval_modules: parts of the student that stay in eval mode, such as batch norms whose statistics are to stay.
        train_handlers: attached after the means of the loss terms, so that they can read these.
        **supervised: further keywords of MONAI's `SupervisedTrainer` (accumulation_steps, ...).

    Raises:
        ValueError: when a learnable part of student or loss is not in the optimizer.
    """

    def __init__(
        self,
        device: str | torch.device,
        max_epochs: int,
        train_data_loader: Iterable,
        student: FeatureTaps,
        optimizer: Optimizer,
        loss: CombinedLoss,
        teacher: FeatureTaps | TeacherTeam | CachedTeacher | None = None,
        inferer: Inferer | None = None,
        amp: bool = False,
        clip_norm: float | None = None,
        eval_modules: Sequence[nn.Module] = (),
        train_handlers: Sequence = (),
        **supervised: Any,
    ) -> None:
        device = torch.device(device)
        _check_optimized(optimizer, student, loss)
        self.student, self.loss = student, loss
        self.eval_modules = tuple(eval_modules)
        self._share_training()
        self.teacher = None if teacher is None else frozen(teacher)
        self._inferer = SimpleInferer() if inferer is None else inferer
        # MONAI's amp is CUDA's: autocast and scaler. Elsewhere bfloat16 needs no scaler, and our own autocast is enough.
        on_cuda = device.type == "cuda"
        self._autocast = {
            "device_type": device.type,
            "enabled": amp,
            "dtype": torch.float16 if on_cuda else torch.bfloat16,
            **supervised.get("amp_kwargs", {}),
        }
        super().__init__(
            device=device,
            max_epochs=max_epochs,
            train_data_loader=train_data_loader,
            network=student.network,
            optimizer=optimizer,
            loss_function=self._distil,
            inferer=self._forward,
            amp=amp and on_cuda,
            decollate=False,
            **supervised,
        )
        if clip_norm is not None:
            # Runs inside optimizer.step, hence after MONAI's scaler has unscaled the gradients.
            optimizer.register_step_pre_hook(partial(_clip, clip_norm=clip_norm))
        if self.teacher is not None and not isinstance(self.teacher, FeatureTaps):
            # its memory is a function of the epoch's batches alone, as resume needs it
            self.add_event_handler(Events.EPOCH_STARTED, self.teacher.correction.memory.forget)
        # of all processes, the first one's norms are validated and saved
        self.add_event_handler(Events.EPOCH_COMPLETED, lambda: share_state(self.network, self.loss))
        self._schedule_weights()
        self.add_event_handler(IterationEvents.MODEL_COMPLETED, self._step_of_the_loss)
        self._average("loss", lambda output: output[CommonKeys.LOSS].detach())
        for name in ("task", *loss.losses, *loss.components):
            self._average(f"loss/{name}", lambda output, name=name: output["terms"][name])
        self._register_handlers(train_handlers)

    def _share_training(self) -> None:
        """How student and loss are called: by themselves, or in a run of several processes with the means of gradients."""
        if not self.eval_modules:  # norms that stay in eval mode have no statistics to share
            with_shared_statistics(self.student)
        for loss in self.loss.adaptor_losses():
            with_shared_statistics(loss)
        self._call_student = with_shared_gradients(self.student, self.student.parameters())
        self._call_loss = with_shared_gradients(self.loss, self.loss.adaptors())

    def _schedule_weights(self) -> None:
        """Weights that grow over epochs; a function of the epoch alone, so a resumed run has the same."""
        for name, (start, end) in self.loss.ramps.items():
            if end >= self.state.max_epochs > 1:
                print(f"note: of {self.state.max_epochs} epochs, {end} are the warm-up of the term {name}", flush=True)
            ParamSchedulerHandler(
                partial(self.loss.weights.__setitem__, name),
                "linear",
                {
                    "initial_value": 0.0,
                    "step_constant": start,
                    "step_max_value": end,
                    "max_value": self.loss.weights[name],
                },
                epoch_level=True,
                event=Events.EPOCH_STARTED,
            ).attach(self)

    def _step_of_the_loss(self) -> None:
        """A discriminator's step comes after the student's: before it, it would change weights that backward needs."""
        self.loss.step()
        self.state.output["terms"].update(self.loss.components)

    def _average(self, name: str, value: Any) -> None:
        Average(output_transform=value, device=self.state.device).attach(self, name)

    def _forward(self, image: Tensor, network: nn.Module) -> Tensor:
        """Around MONAI's inferer: the same student, called through its taps."""
        for module in self.eval_modules:  # MONAI calls network.train() before every step
            module.eval()
        with torch.autocast(**self._autocast):
            self._student_features: Features | None = self._inferer(image, self._call_student)
        return self._student_features.logits

    def _distil(self, prediction: Tensor, target: Tensor) -> Tensor:
        """In the place of MONAI's loss function; the image is in ``state.output`` by then."""
        student, self._student_features = self._student_features, None
        teacher = None
        if self.teacher is not None:
            with torch.no_grad(), torch.autocast(**self._autocast):
                teacher = self._guidance(self.state.output[CommonKeys.IMAGE], target)
        value = self._call_loss(student, teacher, target)
        self.state.output["terms"] = {**self.loss.values, **self.loss.components}
        return value

    def _guidance(self, image: Tensor, target: Tensor) -> Features:
        """A single teacher sees the image; a team, or a stored teacher, what it reads of the batch, and the labels."""
        if isinstance(self.teacher, FeatureTaps):
            return self.teacher(image)
        given = image if self.teacher.reads == CommonKeys.IMAGE else self.state.batch[self.teacher.reads]
        return self.teacher(given.to(image.device, non_blocking=True), target)


def _parameters(optimizer: Optimizer) -> list[nn.Parameter]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _clip(optimizer: Optimizer, args: Any, kwargs: Any, clip_norm: float) -> None:
    nn.utils.clip_grad_norm_(_parameters(optimizer), clip_norm)


def _check_optimized(optimizer: Optimizer, student: nn.Module, loss: CombinedLoss) -> None:
    held = {id(parameter) for parameter in _parameters(optimizer)}
    names = {id(p): f"student parameter {name}" for name, p in student.named_parameters()}
    names |= {id(p): f"loss parameter {name}" for name, p in loss.named_parameters()}
    for parameter in (*student.parameters(), *loss.adaptors()):
        if parameter.requires_grad and id(parameter) not in held:
            raise ValueError(f"DistillationTrainer: {names[id(parameter)]} is not in the optimizer")
