"""Load a teacher from a path: a medkd run, an external network, or several of these as an ensemble."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from monai.networks.utils import eval_mode
from torch import nn

from medkd.networks.checkpoints import load_weights, weights_file
from medkd.networks.features import FeatureTaps, input_spec
from medkd.runs.file_kind import file_kind
from medkd.runs.folder import RunFolder

from .bundle_folder import bundle_config, read_bundle
from .ensemble import Ensemble
from .external import ExternalModel, Task, adapt_model
from .intensity import INTENSITY_FORMS, Window
from .nnunet_folder import nnunet_folder, read_nnunet
from .outputs import OutputKind, check_kind, probability_scale
from .torchscript import read_torchscript

__all__ = ["PathOrPaths", "entry_per_teacher", "load_teacher", "teacher_kind"]

PathOrPaths = str | Path | Sequence[str | Path]

_READERS: dict[str, Callable[[Path], ExternalModel]] = {
    "nnunet": read_nnunet,
    "bundle": read_bundle,
    "torchscript": read_torchscript,
}


def teacher_kind(path: str | Path) -> str:
    """Return what a path holds: "weights" (a medkd run or a state dict), "nnunet", "bundle" or "torchscript".

    Raises:
        FileNotFoundError: If the path holds none of these.
    """
    path = Path(path)
    # data alone is read of a run: beside its record, nothing that looks like a bundle is executed
    if path.is_dir() and RunFolder(path).model.is_file() and RunFolder(path).read_content() is not None:
        return "weights"
    if path.exists() and nnunet_folder(path) is not None:
        return "nnunet"
    if path.is_dir() and bundle_config(path) is not None:
        return "bundle"
    kind = file_kind(weights_file(path, "teacher")).name
    return kind if kind in _READERS else "weights"


def load_teacher(
    teacher: PathOrPaths,
    network: nn.Module,
    num_classes: int,
    window: Window | None = None,
    intensity: Sequence[Any] | str | None = None,
    classes: Sequence[Any] | None = None,
    per_case: bool | Sequence[bool] = False,
    spacing: Sequence[float] | None = None,
    output: str = "auto",
    channels: Sequence[Any] | None = None,
    channel_names: Sequence[str] | None = None,
) -> nn.Module:
    """Return a network with weights, from images of the task to logits (N, K, *spatial).

    A path holds one of these:

    - a run's folder or a state dict: its weights are loaded into ``network``;
    - a MONAI bundle, a folder or a zip: its ``network_def``. This executes code of its configuration: load bundles that you
      trust;
    - a TorchScript file, which gives logits alone: its stages have no names here;
    - a model folder of nnU-Net v2, a fold of it, or a checkpoint: the network of its plans.

    Args:
        teacher: one path, or several for an `Ensemble`, whose members' probabilities are averaged.
        network: the task's own teacher, which also tells the spatial axes and channels of the task's images.
        num_classes: K.
        window: the HU of -1 and 1 in the task's images; None if the task has no window.
        intensity: (a_min, a_max, b_min, b_max): the external teacher was trained with HU a_min..a_max as b_min..b_max.
            Without a window, a_min and a_max are values of the task's images. Or a word, see `scaling_of_option`. None takes
            what its files state. For several teachers: a list with one entry each, or one for all whose files state nothing.
        classes: for each channel of an external teacher, the class of the task that it stands for. For several teachers
            also a list with one entry each.
        per_case: whether the window is in units of each case's percentiles, not in HU. A scaling of HU is then not used.
        spacing: mm per voxel of 3-D images; None: the volumes' own. Nothing is resampled: a note names a difference.
        output: what an external teacher returns: "logits"; "probabilities", whose logarithm is taken (of several teachers:
            of those that return them); or "auto", logits, and probabilities are refused.
        channels: for each channel of an external teacher's image, name or number of the task's channel. For several
            teachers also a list with one entry each. None: by the names that its files state, else all in their order.
        channel_names: names of the task's channels.

    Raises:
        FileNotFoundError: If a path holds none of these.
        ValueError: If files cannot be read, a network does not suit the task, or an option does not suit a network.
    """
    if classes is not None and (isinstance(classes, str) or not isinstance(classes, Sequence)):
        raise ValueError(f"--teacher_classes: found {classes!r}, expected a list")
    if intensity is not None and not isinstance(intensity, Sequence):
        raise ValueError(f"--teacher_intensity: found {intensity!r}, expected {INTENSITY_FORMS}")
    if isinstance(channels, bool) or not isinstance(channels, str | int | Sequence | None):
        raise ValueError(f"--teacher_channels: found {channels!r}, expected names or numbers")
    task, kind = Task(network, num_classes, window, per_case, spacing, channel_names), check_kind(output)
    if isinstance(teacher, str | Path):
        return _load_one(teacher, task, intensity, classes, output=kind, channels=channels)
    if len(teacher) < 2:
        raise ValueError(f"--teacher: found {list(teacher)}, expected a path, or several")
    return _load_ensemble(teacher, task, intensity, classes, channels, "detect" if kind == "probabilities" else kind)


def _load_ensemble(
    paths: Sequence[str | Path],
    task: Task,
    intensity: Sequence[Any] | str | None,
    classes: Sequence[Any] | None,
    channels: Sequence[Any] | None,
    output: OutputKind,
) -> Ensemble:
    has_entries = _hasentry_per_teacher(intensity)
    intensities = entry_per_teacher("intensity", intensity if has_entries else None, len(paths))
    all_classes = entry_per_teacher("classes", classes, len(paths))
    fallback = None if has_entries else intensity
    members = []
    # Of names, a list is for all teachers; in a list of lists, each teacher has its own.
    has_own = channels is not None and any(entry is None or isinstance(entry, list | tuple) for entry in channels)
    all_channels = entry_per_teacher("channels", channels, len(paths)) if has_own else [channels] * len(paths)
    for path, own_intensity, own_classes, own_channels in zip(
        paths, intensities, all_classes, all_channels, strict=True
    ):
        if teacher_kind(path) == "weights":  # options for all are not for medkd runs, and each needs its own weights
            members.append(_load_one(path, replace(task, network=copy.deepcopy(task.network))))
        else:
            members.append(_load_one(path, task, own_intensity, own_classes, fallback, output, own_channels))
    if output == "detect" and not any(getattr(member, "takes_logarithm", False) for member in members):
        raise ValueError("--teacher_output probabilities: no teacher returns probabilities: leave it out for logits")
    return Ensemble(members, input_spec(task.network))


def entry_per_teacher(name: str, option: Sequence[Any] | None, count: int) -> Sequence[Any]:
    """Return one entry for each teacher: those of the option, or the same for all."""
    if option is None or not _hasentry_per_teacher(option):
        return [option] * count
    if len(option) != count:
        raise ValueError(f"--teacher_{name}: found {len(option)} entries, expected one for each of {count} teachers")
    return option


def _hasentry_per_teacher(option: Sequence[Any] | None) -> bool:
    if option is None or isinstance(option, str):
        return False
    return any(entry is None or isinstance(entry, Sequence) for entry in option)


def _load_one(
    path: str | Path,
    task: Task,
    intensity: Sequence[float] | str | None = None,
    classes: Sequence[int] | None = None,
    fallback: Sequence[float] | str | None = None,
    output: OutputKind = "auto",
    channels: str | int | Sequence[str | int] | None = None,
) -> nn.Module:
    kind = teacher_kind(path)
    if kind != "weights":
        return adapt_model(_READERS[kind](Path(path)), task, intensity, classes, fallback, output, channels)
    given = {
        "intensity": intensity is not None,
        "classes": classes is not None,
        "output": output == "probabilities",
        "channels": channels is not None,
    }
    if names := [f"--teacher_{name}" for name, is_given in given.items() if is_given]:
        raise ValueError(f"{', '.join(names)}: found {path}, a medkd run, expected an external teacher")
    network = load_weights(task.network, path, "teacher")
    if not type(network).__module__.startswith("medkd.networks.") and output != "logits":
        _require_logits(network, path)
    return network


def _require_logits(network: nn.Module, path: str | Path) -> None:
    """Check that a network of the user's own ``teacher_def`` returns logits, which those of medkd do."""
    shape, source = FeatureTaps(network).shapes.logits.shape, f"--teacher {path}"
    image = torch.rand((1, input_spec(network)[1], *shape[2:]), generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad(), eval_mode(network):
        if probability_scale(network(image), network, network, image, source) is not None:
            raise ValueError(f"{source}: found probabilities, expected logits: leave the softmax out of teacher_def")
