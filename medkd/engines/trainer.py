"""MONAI's supervised trainer with a teacher in the loss call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from ignite.engine import Events
from ignite.metrics import Average
from monai.engines import SupervisedTrainer
from monai.engines.utils import IterationEvents, default_prepare_batch
from monai.handlers import ParamSchedulerHandler
from monai.inferers import Inferer, SimpleInferer
from monai.utils.enums import CommonKeys
from torch import Tensor, nn
from torch.optim import Optimizer

from medkd.losses import CombinedLoss
from medkd.networks import Features, FeatureTaps
from medkd.networks.memory_format import MemoryFormat, choose_memory_format, contiguous_logits, store_channels_last
from medkd.parallel.ddp import broadcast_state, convert_sync_batchnorm, wrap_ddp
from medkd.teachers import Teacher, as_teacher, frozen

from .batch import channels_last_batch, plain_batch
from .clipping import clip_gradients, optimized_parameters
from .compiled import compile_student
from .finite import check_finite
from .fused import keep_fused
from .precision import Amp, autocast_arguments, note_missing_units, precision_name

__all__ = ["DistillationTrainer"]


class DistillationTrainer(SupervisedTrainer):
    """Train a student on labels and on the guidance of a frozen teacher for the same batch.

    Everything except the loss call is MONAI's `SupervisedTrainer`. ``network`` is the plain student, so checkpoints,
    federated weights and exports never hold taps or adaptors. Without a teacher it trains the supervised baseline, on the
    same batches and through the same code. In a run of several processes, each trains on its own batches with the mean
    gradient of all.

    Args:
        device: device of the networks and the loss, which are already there.
        max_epochs: last epoch.
        train_data_loader: batches ``{"image": (N, C, *spatial), "label": (N, 1, *spatial)}``. Where some images have no label,
            also ``"labelled"``: (N,) booleans on the CPU; the label of any other image is a placeholder that nothing reads.
        student: the tapped student.
        optimizer: holds the parameters of the student and the ``adaptors()`` of the loss.
        loss: see `CombinedLoss`. The trainer schedules its ramps and calls its ``step`` after each step of the student. Its
            named values are in ``state.output["terms"]`` after each step, and their means over the epoch in
            ``state.metrics`` ("loss", "loss/task", "loss/kd", ...).
        teacher: a tapped network, or a `Teacher` such as a team or a `CachedTeacher`. The trainer freezes it and calls it
            once a step, in evaluation mode and without gradient.
        inferer: calls the student; MONAI's `SimpleInferer` if None.
        amp: mixed precision of the device: float16 with gradient scaling on CUDA, bfloat16 elsewhere. The loss itself is
            always computed in float32. ``auto``: see `autocast_arguments`.
        clip_norm: largest L2 norm of the whole gradient; None does not clip.
        compile: whether the tapped student is compiled, see `compile_student`. Its network, and so every checkpoint, keeps
            the names of its weights.
        eval_modules: parts of the student that stay in evaluation mode, such as batch norms that keep their statistics.
        train_handlers: attached after the means of the loss terms, which they can then read.
        memory_format: of networks and images, see `choose_memory_format`. The networks' own weights are stored so.
        **supervised: further arguments of MONAI's `SupervisedTrainer` (accumulation_steps, ...).

    Attributes:
        settings: what ``auto`` chose, for the record of the run: precision and memory format.

    Raises:
        ValueError: If a learnable parameter of student or loss is not in the optimizer; during the training see `check_finite`.

    Example:
        >>> from monai.data import DataLoader
        >>> from monai.losses import DiceCELoss
        >>> from medkd import methods
        >>> from medkd.networks import UNet
        >>> student, teacher = (FeatureTaps(UNet(2, 1, 2, width=width)) for width in (2, 4))
        >>> loss = methods.build("kd", DiceCELoss(softmax=True, to_onehot_y=True), student, teacher, {"warmup": 0})
        >>> item = {"image": torch.rand(1, 32, 32), "label": torch.ones(1, 32, 32)}
        >>> optimizer = torch.optim.SGD([*student.parameters(), *loss.adaptors()], lr=0.1)
        >>> trainer = DistillationTrainer("cpu", 1, DataLoader([item] * 2), student, optimizer, loss, teacher)
        >>> trainer.run()
        >>> sorted(trainer.state.metrics)
        ['loss', 'loss/kd', 'loss/task']
    """

    def __init__(
        self,
        device: str | torch.device,
        max_epochs: int,
        train_data_loader: Iterable,
        student: FeatureTaps,
        optimizer: Optimizer,
        loss: CombinedLoss,
        teacher: FeatureTaps | Teacher | None = None,
        inferer: Inferer | None = None,
        amp: Amp = False,
        clip_norm: float | None = None,
        compile: bool = False,
        eval_modules: Sequence[nn.Module] = (),
        train_handlers: Sequence = (),
        memory_format: MemoryFormat = "auto",
        **supervised: Any,
    ) -> None:
        device = torch.device(device)
        _check_optimized(optimizer, student, loss)
        self.student, self.loss = student, loss
        self.eval_modules = tuple(eval_modules)
        if compile:
            compile_student(student, device)
        self.teacher = None if teacher is None else frozen(as_teacher(teacher))
        prepare_batch = partial(plain_batch, supervised.get("prepare_batch", default_prepare_batch))
        memory_format = choose_memory_format(memory_format, device, student.network)
        if memory_format == "channels_last":
            prepare_batch = partial(channels_last_batch, prepare_batch)
            for network in (student.network, *getattr(self.teacher, "networks", ())):
                store_channels_last(network)
        self._wrap_for_processes()
        self._inferer = SimpleInferer() if inferer is None else inferer
        # MONAI's amp is that of CUDA: autocast and scaler. Elsewhere bfloat16 needs no scaler: this autocast is enough.
        self._autocast = autocast_arguments(amp, device, **supervised.get("amp_kwargs", {}))
        note_missing_units(self._autocast)
        self.settings = {"precision": precision_name(self._autocast), "memory_format": memory_format}
        super().__init__(
            device=device,
            max_epochs=max_epochs,
            train_data_loader=train_data_loader,
            network=student.network,
            optimizer=optimizer,
            loss_function=self._compute_loss,
            inferer=_StudentInferer(self._forward),
            amp=self._autocast["enabled"] and device.type == "cuda",
            decollate=False,
            **{"non_blocking": True, **supervised, "prepare_batch": prepare_batch},
        )
        optimizer.register_load_state_dict_pre_hook(keep_fused)
        if clip_norm is not None:
            optimizer.register_step_pre_hook(partial(clip_gradients, clip_norm=clip_norm))
        if self.teacher is not None:
            self.add_event_handler(Events.EPOCH_STARTED, self.teacher.start_epoch)
        # the main process validates and saves: all processes take over the statistics of its norms
        self.add_event_handler(Events.EPOCH_COMPLETED, lambda: broadcast_state(self.network, self.loss))
        self._schedule_weights()
        self.add_event_handler(IterationEvents.MODEL_COMPLETED, self._step_loss)
        self._average("loss", lambda output: output[CommonKeys.LOSS].detach())
        for name in ("task", *loss.losses, *loss.components):
            self._average(f"loss/{name}", partial(_term, name=name))
        self.add_event_handler(
            Events.EPOCH_COMPLETED, check_finite, network=student.network, precision=self.settings["precision"]
        )
        self._register_handlers(train_handlers)

    def _wrap_for_processes(self) -> None:
        """Wrap student and loss for a run of several processes, which shares gradients and statistics."""
        if not self.eval_modules:  # norms in evaluation mode have no statistics to share
            convert_sync_batchnorm(self.student)
        for loss in self.loss.adaptor_losses():
            convert_sync_batchnorm(loss)
        self._call_student = wrap_ddp(self.student, self.student.parameters())
        self._call_loss = wrap_ddp(self.loss, self.loss.adaptors())

    def _schedule_weights(self) -> None:
        """Schedule the ramps of the weights, as functions of the epoch alone: a resumed run has the same weights."""
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
                event=Events.EPOCH_STARTED,  # type: ignore[arg-type]  # MONAI's annotation says str, ignite takes events
            ).attach(self)

    def _step_loss(self) -> None:
        """Step a discriminator after the student: before, it would change weights that the student's backward needs."""
        self.loss.step()
        self.state.output["terms"].update(self.loss.components)

    def _average(self, name: str, value: Callable[[Any], Tensor]) -> None:
        Average(output_transform=value, device=self.state.device).attach(self, name)

    def _forward(self, image: Tensor, network: nn.Module) -> Tensor:
        """Call the student through its taps, in the place of ``network``, and return its logits."""
        for module in self.eval_modules:  # MONAI calls network.train() before every step
            module.eval()
        with torch.autocast(**self._autocast):
            features = self._inferer(image, self._call_student)
        self._student_features: Features | None = contiguous_logits(features)
        return self._student_features.logits

    def _compute_loss(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the loss of the features that `_forward` kept, in the place of MONAI's loss function."""
        student, self._student_features = self._student_features, None
        # without unlabelled images, teachers and losses that know nothing of them are called as ever
        labelled = {} if (indices := self._labelled_indices(target.device)) is None else {"labelled": indices}
        teacher = self._guidance(target, labelled)
        value = self._call_loss(student, teacher, target, **labelled)
        self.state.output["terms"] = {**self.loss.values, **self.loss.components}
        return value

    def _labelled_indices(self, device: torch.device) -> Tensor | None:
        """Return the indices of the labelled images of the batch; None if all have labels. The flags lie on the CPU."""
        batch = self.state.batch
        flags = batch.get("labelled") if isinstance(batch, Mapping) else None
        return None if flags is None else torch.as_tensor(flags).nonzero().flatten().to(device, non_blocking=True)

    @torch.no_grad()
    def _guidance(self, target: Tensor, labelled: dict[str, Tensor]) -> Features | None:
        """Call the teacher with what it reads of the batch; None without a teacher."""
        if self.teacher is None:
            return None
        image = self.state.output[CommonKeys.IMAGE]  # MONAI puts the image there before it calls the loss
        if self.teacher.reads != CommonKeys.IMAGE:
            image = self.state.batch[self.teacher.reads].as_subclass(Tensor).to(image.device, non_blocking=True)
        with torch.autocast(**self._autocast):
            return contiguous_logits(self.teacher(image, target, **labelled))


class _StudentInferer(Inferer):
    """The trainer's own forward as an inferer of MONAI."""

    def __init__(self, forward: Callable[[Tensor, nn.Module], Tensor]) -> None:
        super().__init__()
        self.forward = forward

    def __call__(self, inputs: Tensor, network: Any, *args: Any, **kwargs: Any) -> Tensor:
        return self.forward(inputs, network)


def _term(output: dict[str, Any], name: str) -> Tensor:
    return output["terms"][name]


def _check_optimized(optimizer: Optimizer, student: nn.Module, loss: CombinedLoss) -> None:
    optimized = {id(parameter) for parameter in optimized_parameters(optimizer)}
    names = {id(parameter): f"student parameter {name}" for name, parameter in student.named_parameters()}
    names |= {id(parameter): f"loss parameter {name}" for name, parameter in loss.named_parameters()}
    for parameter in (*student.parameters(), *loss.adaptors()):
        if parameter.requires_grad and id(parameter) not in optimized:
            raise ValueError(f"DistillationTrainer: {names[id(parameter)]} is not in the optimizer")
