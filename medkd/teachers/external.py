"""An external network with what its files state, and its adaptation to a task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeVar

import torch
from torch import nn

from medkd.io.normalise import PERCENTILES, RANGE, channel_flags, channel_windows
from medkd.networks.features import input_spec

from .adapter import TeacherAdapter
from .channels import choose_channels
from .geometry import Geometry, network_axes, task_grid
from .intensity import INTENSITY_FORMS, Intensity, Window, scaling_of_option
from .outputs import OutputKind
from .scalings import Chain, RescaleTo01, Scaling, ZScore, range_scaling

__all__ = ["PICTURE_WINDOW", "ExternalModel", "Task", "adapt_model"]

T = TypeVar("T")
# A task without a window has pictures, of which 0..255 are scaled to -1..1.
PICTURE_WINDOW = (0, 255)
_OF_PICTURES = [range_scaling(*PICTURE_WINDOW, -1, 1, clip) for clip in (True, False)]
_UNITS = {False: "HU (intensities of the file)", True: "percentiles of each case"}


class ExternalModel(NamedTuple):
    """An external network with its weights, and what its files state about its images."""

    network: nn.Module
    source: str
    """Name of the network in messages."""
    scalings: Sequence[Scaling | None] = (None,)
    """Intensity scaling of each channel, or one for all; None where it is not known."""
    geometry: Geometry = Geometry()
    """Axes, spacing and patch of its volumes."""
    multiple: Sequence[int] | None = None
    """Number of which each edge must be a multiple; None if any size is accepted."""
    code: str = ""
    """Tells networks with equal weights and equal repr apart."""
    problem: str = ""
    """Why the intensity scaling that its files state cannot be repeated; empty if it can, or if they state none."""
    per_case: Sequence[bool] = (False,)
    """For each channel, or for all: whether the scaling is in units of each case's percentiles, not in HU."""
    channels: Sequence[str] = ()
    """Names of its channels; empty if its files do not state them."""


@dataclass(frozen=True)
class Task:
    """What a teacher must suit.

    Args:
        network: the task's own teacher, without weights.
        num_classes: K.
        window: the HU of -1 and 1 in the task's images, of several channels a pair for each; None without a window.
        per_case: whether the window is in units of each case's percentiles, not in HU; of several channels, for each.
        spacing: mm per voxel of slices, rows, columns; None: the volumes' own.
        channels: names of the channels; None: they have none.
        taken: number of the channels that the teacher takes; None: all.
    """

    network: nn.Module
    num_classes: int
    window: Window | None = None
    per_case: bool | Sequence[bool] = False
    spacing: Sequence[float] | None = None
    channels: Sequence[str] | None = None
    taken: int | None = None

    @property
    def is_pictures(self) -> bool:
        """Whether images are whole pictures, not slices or patches of volumes."""
        return self.window is None and input_spec(self.network)[0] == 2


def adapt_model(
    model: ExternalModel,
    task: Task,
    intensity: Sequence[float] | str | None = None,
    classes: Sequence[int] | None = None,
    fallback: Sequence[float] | str | None = None,
    output: OutputKind = "auto",
    channels: str | int | Sequence[str | int] | None = None,
) -> TeacherAdapter:
    """Return the model as a network that takes the task's images and gives the task's classes.

    Args:
        model: the external network.
        task: what it must suit.
        intensity: what replaces the scaling that its files state, see `scaling_of_option`.
        classes: for each channel, the class of the task that it stands for.
        fallback: as ``intensity``, used only if the files state no scaling that is possible here.
        output: what the network returns, see `TeacherAdapter`.
        channels: for each channel of its image, name or number of the task's channel, see `choose_channels`.

    Raises:
        ValueError: If the network does not suit the task, or an option does not suit the network.
    """
    spec, dims = input_spec(task.network), _spatial_dims(model.network)
    if dims not in (None, spec[0]):
        raise ValueError(
            f"--teacher {model.source}: found a {dims}-D network, expected {spec[0]}-D as the task's images"
        )
    names = task.channels if task.channels and len(task.channels) == spec[1] else list(map(str, range(spec[1])))
    chosen = choose_channels(channels, names, model.channels, model.source, _count_channels(model))
    task = task if chosen is None else _with_channels(task, chosen)
    scale = _choose_intensity(model, task, intensity, fallback)
    axes = network_axes(model.source, model.geometry, task.spacing) if spec[0] == 3 else None
    return TeacherAdapter(
        model.network,
        model.source,
        spec,
        task.num_classes,
        classes=classes,
        intensity=scale,
        multiple=model.multiple,
        network_axes=axes,
        code=model.code,
        output=output,
        channels=chosen,
        grid=task_grid(model.geometry) if spec[0] == 3 else None,
    )


def _spatial_dims(network: nn.Module) -> int | None:
    """Return 2 or 3. A script has no classes to ask: its first convolution-like parameter decides; None without one."""
    if not isinstance(network, torch.jit.ScriptModule):
        return input_spec(network)[0]
    return next((value.ndim - 2 for value in network.parameters() if value.ndim in (4, 5)), None)


def _count_channels(model: ExternalModel) -> int | None:
    """Return the channels of a model's image; of a script, those that its files describe one by one, None without these."""
    if not isinstance(model.network, torch.jit.ScriptModule):
        return input_spec(model.network)[1]
    count = max(len(model.channels), len(model.scalings))
    return count if count > 1 else None


def _with_channels(task: Task, chosen: Sequence[int]) -> Task:
    """Return the task as a teacher sees it that takes some of its channels."""
    flags = channel_flags(task.per_case)
    windows = None if task.window is None else channel_windows(task.window)
    return replace(
        task,
        window=windows and _one_or_list([windows[n if len(windows) > 1 else 0] for n in chosen]),
        per_case=_one_or_list([flags[n if len(flags) > 1 else 0] for n in chosen]),
        taken=len(chosen),
    )


def _one_or_list(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values


def _choose_intensity(
    model: ExternalModel,
    task: Task,
    intensity: Sequence[float] | str | None,
    fallback: Sequence[float] | str | None,
) -> Intensity | None:
    """Return the conversion of the options, else that of the model's files; None, with a note, if they state none.

    Raises:
        ValueError: If the files state one that this task's images do not allow.
    """
    flags = channel_flags(task.per_case)
    count = max(len(flags), len(model.scalings))
    stated = [_of_channel(model.scalings, n) for n in range(count)]
    scalings = [_for_task(scaling, _of_channel(flags, n)) for n, scaling in enumerate(stated)]
    known = [scaling for scaling in scalings if scaling is not None]
    problems = []
    for n, (old, new) in enumerate(zip(stated, scalings, strict=True)):
        is_per_case = _of_channel(model.per_case, n) or new is not old
        if new is not None:
            problems.append(_find_problem(model, task, new, is_per_case, _of_channel(flags, n)))
    problem = model.problem or next(filter(None, problems), "")
    is_stated = len(known) == len(scalings) and not problem
    option = fallback if intensity is None and not is_stated else intensity
    if option is not None:
        scaling = scaling_of_option(option)
        return None if scaling is None else Intensity((scaling,), task.window)
    if problem:
        raise ValueError(f"--teacher {problem}: give --teacher_intensity {INTENSITY_FORMS}")
    if not is_stated:
        print(
            f"note: {model.source}: intensity scaling is not known, images are passed on unscaled (--teacher_intensity)",
            flush=True,
        )
        return None
    return _stated_intensity(model, task, known)


def _of_channel(values: Sequence[T], channel: int) -> T:
    """Return the value of a channel, of values for each channel or for all."""
    return values[channel if len(values) > 1 else 0]


def _stated_intensity(model: ExternalModel, task: Task, scalings: Sequence[Scaling]) -> Intensity | None:
    if not task.is_pictures and any(isinstance(scaling, ZScore | RescaleTo01) for scaling in scalings):
        print(
            f"note: {model.source}: intensities are scaled by each slice or patch, not by the whole case as in its training "
            "(--mode 3d --soft_labels cached scales whole volumes)",
            flush=True,
        )
    if task.is_pictures and all(scaling in _OF_PICTURES for scaling in scalings):
        return None
    converted = Intensity(tuple(scalings), PICTURE_WINDOW if task.is_pictures else task.window)
    dims, channels = input_spec(task.network)[0], task.taken or input_spec(task.network)[1]
    try:
        converted(torch.linspace(-1, 1, channels * 8**dims).reshape(1, channels, *[8] * dims))
    except Exception as error:  # MONAI's transforms check their arguments when they are used
        reason = " ".join(str(error).split())
        raise ValueError(f"--teacher {model.source}: intensities cannot be scaled: {reason}") from None
    return converted


def _for_task(scaling: Scaling | None, is_per_case: bool) -> Scaling | None:
    """Return the scaling; by percentiles, it is linear for images whose percentiles lie at the same values in each case."""
    if is_per_case and isinstance(scaling, Chain):
        return scaling.with_percentiles_at(PERCENTILES, (0, RANGE))
    return scaling


def _find_problem(model: ExternalModel, task: Task, scaling: Scaling, is_per_case: bool, is_task_per_case: bool) -> str:
    """Return why a scaling is not possible with this task's images; empty if it is."""
    if isinstance(scaling, ZScore | RescaleTo01):
        return ""
    if isinstance(scaling, Chain) and scaling.statistics and not task.is_pictures:
        whole = "the whole volume, of which this task's networks see slices or patches"
        return f"{model.source}: {scaling.statistics} scales by the statistics of {whole}"
    stated, here = _UNITS[is_per_case], _UNITS[is_task_per_case]
    if not task.is_pictures and task.window is None:
        here = "images without a window"
    return "" if stated == here else f"{model.source}: intensity scaling applies to {stated}, found {here} in this task"
