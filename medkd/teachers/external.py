"""An external network with what its files state, and its adaptation to a task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn

from medkd.networks.features import input_spec

from .adapter import TeacherAdapter
from .geometry import Geometry, network_axes
from .intensity import Intensity, Linear, Scaling, range_scaling
from .outputs import OutputKind

__all__ = ["ExternalModel", "Task", "adapt_model"]


class ExternalModel(NamedTuple):
    """An external network with its weights, and what its files state about its images."""

    network: nn.Module
    source: str
    """Name of the network in messages."""
    scalings: Sequence[Scaling | None] = (None,)
    """Intensity scaling of each channel, or one for all; None where it is not known or cannot be repeated here."""
    geometry: Geometry = Geometry()
    """Axes and spacing of its volumes."""
    multiple: Sequence[int] | None = None
    """Number of which each edge must be a multiple; None if any size is accepted."""
    code: str = ""
    """Tells networks with equal weights and equal repr apart."""
    problem: str = ""
    """Why the intensity scaling that its files state cannot be read; empty if it can, or if they state none."""
    per_case: bool = False
    """Whether the scaling is in units of each case's percentiles, not in HU."""


@dataclass(frozen=True)
class Task:
    """What a teacher must suit.

    Args:
        network: the task's own teacher, without weights.
        num_classes: K.
        window: the HU of -1 and 1 in the task's images; None without a window.
        per_case: whether the window is in units of each case's percentiles, not in HU.
        spacing: mm per voxel of slices, rows, columns; None: the volumes' own.
    """

    network: nn.Module
    num_classes: int
    window: Sequence[float] | None = None
    per_case: bool = False
    spacing: Sequence[float] | None = None


def adapt_model(
    model: ExternalModel,
    task: Task,
    intensity: Sequence[float] | None = None,
    classes: Sequence[int] | None = None,
    fallback: Sequence[float] | None = None,
    output: OutputKind = "auto",
) -> TeacherAdapter:
    """Return the model as a network that takes the task's images and gives the task's classes.

    Args:
        model: the external network.
        task: what it must suit.
        intensity: (a_min, a_max, b_min, b_max), which replaces the scaling that its files state.
        classes: for each channel, the class of the task that it stands for.
        fallback: as ``intensity``, used only if the files state no scaling.
        output: what the network returns, see `TeacherAdapter`.

    Raises:
        ValueError: If the network does not suit the task, or an option does not suit the network.
    """
    spec, dims = input_spec(task.network), _spatial_dims(model.network)
    if dims not in (None, spec[0]):
        raise ValueError(f"teacher {model.source}: found a {dims}-D network, expected {spec[0]}-D as the task's images")
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
    )


def _spatial_dims(network: nn.Module) -> int | None:
    """Return 2 or 3. A script has no classes to ask: its first convolution-like parameter decides; None without one."""
    if not isinstance(network, torch.jit.ScriptModule):
        return input_spec(network)[0]
    return next((value.ndim - 2 for value in network.parameters() if value.ndim in (4, 5)), None)


def _choose_intensity(
    model: ExternalModel, task: Task, intensity: Sequence[float] | None, fallback: Sequence[float] | None
) -> Intensity | None:
    """Return the conversion of the options, else that of the model's files, else none with a note."""
    has_unit = task.window is not None and task.per_case == model.per_case
    scalings = [scaling for scaling in model.scalings if scaling is not None]
    is_complete = len(scalings) == len(model.scalings)
    is_usable = is_complete and (has_unit or not any(isinstance(scaling, Linear) for scaling in scalings))
    values = fallback if intensity is None and not is_usable else intensity
    if values is not None:
        if len(values) != 4 or not all(isinstance(number, int | float) for number in values):
            raise ValueError(f"--teacher_intensity: found {list(values)}, expected a_min, a_max, b_min, b_max")
        a_min, a_max, b_min, b_max = values
        return Intensity((range_scaling(a_min, a_max, b_min, b_max),), task.window)
    if is_usable:
        return Intensity(tuple(scalings), task.window)
    if model.problem:
        raise ValueError(f"teacher {model.problem}: give --teacher_intensity a_min a_max b_min b_max")
    unit = "percentiles of each case" if model.per_case else "HU"
    reason = (
        f"applies to {unit}, which this task's images do not have" if is_complete and not has_unit else "is not known"
    )
    print(
        f"note: {model.source}: intensity scaling {reason}, images are passed on unscaled (--teacher_intensity)",
        flush=True,
    )
    return None
