"""Tell before the first step of a training that it will not fit into memory: a dry step that computes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Events
from monai.engines import SupervisedEvaluator, SupervisedTrainer
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.module import register_module_forward_hook

from medkd.parallel.group import is_main_process

from .validation_memory import note_of_validation

__all__ = ["MemoryCheck", "free_memory", "kept_bytes", "largest_layer_bytes"]

_GIB = 2**30
# No network at hand keeps so many bytes for a byte of its images: where they would fit, nothing is measured.
_MOST_KEPT = 10_000


class MemoryCheck:
    """Compare what the first step needs with what is free, and print a note if it cannot fit.

    The student runs on PyTorch's meta device, where tensors have sizes and no content: weights, batch norms and random
    generators stay as they are. Counted are gradients, the states of Adam, what the student keeps for its backward, and the
    largest layer of the teacher. Temporary tensors and the loss are not: a note means that memory is too small for certain.
    The validation of whole volumes is checked in the same way, see `note_of_validation`.

    Args:
        evaluator: of the validation; None: it is not checked.
    """

    def __init__(self, evaluator: SupervisedEvaluator | None = None) -> None:
        self.evaluator = evaluator

    def attach(self, trainer: SupervisedTrainer) -> None:
        """Register the handler at a trainer."""
        trainer.add_event_handler(Events.ITERATION_STARTED(once=1), self)

    def __call__(self, trainer: SupervisedTrainer) -> None:
        """Check the first batch, which is loaded."""
        image = trainer.state.batch["image"] if isinstance(trainer.state.batch, dict) else None
        free = free_memory(trainer.state.device)
        if image is None or free is None or not is_main_process():
            return
        weights = sum(p.nbytes for p in trainer.network.parameters() if p.requires_grad)
        states = weights * (3 if "betas" in trainer.optimizer.defaults else 1)  # gradients, and the two means of Adam
        if self.evaluator is not None and (note := note_of_validation(self.evaluator, image.shape, free - states)):
            print(note, flush=True)
        if image.nbytes * _MOST_KEPT + states < free:
            return
        kept, teacher = _try(kept_bytes, [trainer.network], image), _try(largest_layer_bytes, _networks(trainer), image)
        if getattr(trainer, "settings", {}).get("precision", "float32") != "float32":
            kept, teacher = kept // 2, teacher // 2
        if (needed := states + kept + teacher) > free:
            print(_note(image, needed, free, states), flush=True)


def _networks(trainer: SupervisedTrainer) -> Iterable[nn.Module]:
    """Return the teacher's networks that run in a step."""
    teacher = getattr(trainer, "teacher", None)
    return getattr(teacher, "networks", ()) if teacher is not None and teacher.reads == "image" else ()


def _note(image: Tensor, needed: int, free: int, states: int) -> str:
    batch, size = len(image), " ".join(map(str, image.shape[2:]))
    fitting = int(batch * (free - states) / max(needed - states, 1))
    lower = f"--batch_size {fitting} at most (now {batch})" if fitting > 0 else "a smaller --student_width"
    option = "--patch_size" if image.ndim == 5 else "--image_size"
    return (
        f"note: a training step needs {needed / _GIB:.1f} GiB or more, {free / _GIB:.1f} GiB are free: it will not fit into "
        f"memory; {lower}, or {option} smaller than {size}, lowers it"
    )


def _try(measure: Any, networks: Iterable[nn.Module], image: Tensor) -> int:
    """Return a sum over networks; those that do not run without content, such as TorchScript's, count nothing."""
    total = 0
    for network in networks:
        try:
            total += measure(network, tuple(image.shape))
        except Exception:  # whatever a foreign network raises without content: it is no error of the training
            continue
    return total


def kept_bytes(network: nn.Module, shape: tuple[int, ...]) -> int:
    """Return the bytes that autograd keeps for the backward of a network, beside its weights and its input.

    Args:
        network: stays as it is.
        shape: of the images, (N, C, *spatial).

    Example:
        >>> kept_bytes(nn.Sequential(nn.Conv2d(1, 4, 1), nn.ReLU()), (1, 1, 8, 8))
        1024
    """
    tensors, image = _without_content(network), torch.empty(shape, device="meta")
    others = {value.untyped_storage()._cdata for value in (*tensors.values(), image)}
    kept: dict[int, Tensor] = {}  # by storage; the tensors stay alive, so that no address is used again

    def keep(tensor: Tensor) -> Tensor:
        if (storage := tensor.untyped_storage()._cdata) not in others:
            kept[storage] = tensor
        return tensor

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        functional_call(network, tensors, (image,))
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


def largest_layer_bytes(network: nn.Module, shape: tuple[int, ...]) -> int:
    """Return the bytes of input and output of the largest layer of a network, which a forward without gradient needs.

    Args:
        network: stays as it is.
        shape: of the images, (N, C, *spatial).

    Example:
        >>> largest_layer_bytes(nn.Sequential(nn.Conv2d(1, 4, 1), nn.ReLU()), (1, 1, 8, 8))
        2048
    """
    largest = 0

    def measure(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        nonlocal largest
        if not any(module.children()):
            largest = max(largest, sum(value.nbytes for value in (*inputs, output) if isinstance(value, Tensor)))

    handle = register_module_forward_hook(measure)
    try:
        with torch.no_grad():
            functional_call(network, _without_content(network), (torch.empty(shape, device="meta"),))
    finally:
        handle.remove()
    return largest


def _without_content(network: nn.Module) -> dict[str, Tensor]:
    named = (*network.named_parameters(), *network.named_buffers())
    return {name: torch.empty_like(value, device="meta").requires_grad_(value.requires_grad) for name, value in named}


def free_memory(device: torch.device) -> int | None:
    """Return the bytes that a process may still allocate on a device; None where the system does not tell."""
    if device.type == "cuda":
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + cached
    return _free_of_machine() if device.type == "cpu" else None


def _free_of_machine(proc: Path = Path("/proc"), cgroup: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Return the free memory of a Linux machine, or of its container where that has less."""
    try:
        lines = dict(line.split(":", 1) for line in (proc / "meminfo").read_text().splitlines())
        free = int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None
    try:
        limit, used = (int((cgroup / f"memory.{name}").read_text()) for name in ("max", "current"))
        stat = dict(line.split() for line in (cgroup / "memory.stat").read_text().splitlines())
        return min(free, limit - used + int(stat["file"]))  # the cache of files is given back
    except (OSError, KeyError, ValueError):  # no container, or one without a limit
        return free
