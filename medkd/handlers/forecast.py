"""Tell after the first steps of a training how long the whole will take, and what makes it shorter."""

from __future__ import annotations

import statistics
import time

import torch
from ignite.engine import Events
from monai.engines import SupervisedTrainer

from medkd.parallel.group import is_main_process
from medkd.runs.duration import format_duration
from medkd.runs.errors import rounded

__all__ = ["CostForecast", "advice"]

_SKIPPED, _MEASURED = 1, 5  # the first step also compiles kernels and fills caches
_LONG = 2 * 3600  # seconds
_BFLOAT16_UNITS = ("avx512_bf16", "amx_bf16")


class CostForecast:
    """Print once how long the steps of a training will take in all: an estimate from five steps, loading included.

    Validation and test come on top. A training of less than a minute gets no line. Of one that takes hours on a CPU another
    line says which options make it shorter.

    Args:
        title: stands before the line.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self._start = 0.0
        self._seconds: list[float] = []

    def attach(self, trainer: SupervisedTrainer) -> None:
        """Register the handler at a trainer."""
        trainer.add_event_handler(Events.GET_BATCH_STARTED, self._begin_step)
        trainer.add_event_handler(Events.ITERATION_COMPLETED, self._end_step)

    def _begin_step(self) -> None:
        self._start = time.monotonic()

    def _end_step(self, trainer: SupervisedTrainer) -> None:
        if len(self._seconds) == _SKIPPED + _MEASURED:
            return
        if trainer.state.device.type == "cuda":
            torch.cuda.synchronize(trainer.state.device)
        self._seconds.append(time.monotonic() - self._start)
        if len(self._seconds) == _SKIPPED + _MEASURED and is_main_process():
            step = statistics.fmean(self._seconds[_SKIPPED:])
            left = (trainer.state.max_epochs or 0) * (trainer.state.epoch_length or 0) - trainer.state.iteration
            if step * left >= 60:
                print(self._line(trainer, step, left), flush=True)

    def _line(self, trainer: SupervisedTrainer, step: float, left: int) -> str:
        seconds = step * left
        each = f"{rounded(step, 2)} s each"
        line = f"{self.title}: about {format_duration(seconds)} for the {left} steps that are left, of {each}"
        line += f" (estimate from {_MEASURED} steps; validation and test come on top)"
        if trainer.state.device.type == "cpu" and seconds >= _LONG and (ways := advice(trainer)):
            line += f"\n{self.title}: shorter on this CPU: {'; '.join(ways)}"
        return line


def advice(trainer: SupervisedTrainer) -> list[str]:
    """Return the options that make the steps of a training on a CPU shorter, with their effect.

    Args:
        trainer: within its first epoch.
    """
    size = list(trainer.state.output["image"].shape[2:])
    half = " ".join(str(edge // 2) for edge in size)
    ways = [
        f"--{'patch_size' if len(size) == 3 else 'image_size'} {half} (now {' '.join(map(str, size))}: a step computes "
        f"{2 ** len(size)} times as many {'voxels' if len(size) == 3 else 'pixels'})",
        "a smaller --student_width (half of it: about a quarter of the step)",
        f"fewer --max_epochs (now {trainer.state.max_epochs})",
    ]
    teacher = getattr(trainer, "teacher", None)
    if teacher is not None and teacher.reads == "image":
        ways.append("--soft_labels cached (the teacher runs once; for methods that read logits alone)")
    precision = getattr(trainer, "settings", {}).get("precision")
    if precision == "float32" and has_bfloat16_units():
        ways.append("--amp True (this processor computes in bfloat16, up to twice as fast)")
    return ways


def has_bfloat16_units() -> bool:
    """Return whether the processor multiplies bfloat16 itself: others convert, and are slower than in float32.

    PyTorch asks the processor, on any system; versions that cannot tell count as without.
    """
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(capabilities.get(unit) for unit in _BFLOAT16_UNITS)
