"""A teacher by its path: a run of ours, or a network that was trained elsewhere, or several as one."""

from __future__ import annotations

import copy
import hashlib
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from medkd.networks.checkpoints import load_weights, weights_file
from medkd.networks.features import input_spec

from .adapter import Ensemble, TeacherAdapter
from .bundle_folder import bundle_config, read_bundle
from .geometry import Geometry, own_axes
from .intensity import Intensity, Linear, Scaling, range_scaling
from .nnunet_folder import nnunet_folder, read_nnunet

__all__ = ["load_teacher", "teacher_kind"]

PathOrPaths = str | Path | Sequence[str | Path]


class _Task(NamedTuple):
    """What `load_teacher` is told of the task."""

    teacher_def: nn.Module
    num_classes: int
    window: Sequence[float] | None
    per_case: bool
    spacing: Sequence[float] | None


def teacher_kind(path: str | Path) -> str:
    """What a path holds: "weights" (a run of ours), "nnunet", "bundle" or "torchscript".

    Raises:
        FileNotFoundError: when it holds nothing of the kind.
    """
    path = Path(path)
    if path.exists() and nnunet_folder(path) is not None:
        return "nnunet"
    if path.is_dir() and bundle_config(path) is not None:
        return "bundle"
    return "torchscript" if _is_torchscript(weights_file(path, "teacher")) else "weights"


def load_teacher(
    path: PathOrPaths,
    teacher_def: nn.Module,
    num_classes: int,
    window: Sequence[float] | None = None,
    intensity: Sequence[Any] | None = None,
    classes: Sequence[Any] | None = None,
    per_case: bool = False,
    spacing: Sequence[float] | None = None,
) -> nn.Module:
    """A network with its weights, from images of the task to logits (N, K, *spatial).

    - a run's folder, or a state dict: ``teacher_def`` with these weights;
    - a MONAI bundle folder: its ``network_def`` (this executes its configuration's code: load bundles that you trust);
    - a TorchScript file: logits alone, its stages have no names here;
    - a model folder of nnU-Net v2, a fold or a checkpoint in it: the network of its plans.

    Args:
        path: one of these, or several: an `Ensemble`, whose members' probabilities are averaged.
        teacher_def: the task's own teacher; it also tells the spatial axes and channels of the task's images.
        num_classes: K.
        window: the HU of -1 and 1 in our images; None where the task has none.
        intensity: (a_min, a_max, b_min, b_max), the range in HU that a teacher from elsewhere was given as b_min..b_max (of our
            own scale without a window); None takes what its folder says. Of several teachers, a list with one for each, or one
            for all whose folders say nothing.
        classes: for each channel of such a teacher, the class that it stands for; of several also a list with one for each.
        per_case: the window is in units of each case's own percentiles, not in HU: what a folder says of HU is of no use then.
        spacing: of 3-D images, in mm; None: the volumes' own. Nothing is resampled, but a note tells of another one.

    Raises:
        FileNotFoundError: for a path that holds none of these.
        ValueError: for files that cannot be read, or a network that does not suit the task.
    """
    for name, given in (("intensity", intensity), ("classes", classes)):
        if given is not None and (isinstance(given, str) or not isinstance(given, Sequence)):
            raise ValueError(f"--teacher_{name}: found {given!r}, expected a list")
    task = _Task(teacher_def, num_classes, window, per_case, spacing)
    if isinstance(path, str | Path):
        return _one(path, task, intensity, classes)
    if len(path) < 2:
        raise ValueError(f"teacher: found {list(path)}, expected a path, or several")
    fallback = None if _is_for_each(intensity) else intensity
    intensities = _for_each("intensity", intensity if fallback is None else None, len(path))
    all_classes = _for_each("classes", classes, len(path))
    members = []
    for number, one in enumerate(path):
        own = teacher_kind(one) == "weights"
        mapping = (None, None) if own else (intensities[number], all_classes[number])
        copied = task._replace(teacher_def=copy.deepcopy(teacher_def)) if own else task
        members.append(_one(one, copied, *mapping, fallback))
    return Ensemble(members, input_spec(teacher_def))


def _for_each(name: str, given: Sequence[Any] | None, count: int) -> Sequence[Any]:
    """One for each member: as given, or the same for all."""
    if not _is_for_each(given):
        return [given] * count
    if len(given) != count:
        raise ValueError(f"--teacher_{name}: found {len(given)} entries, expected one for each of {count} teachers")
    return given


def _is_for_each(given: Sequence[Any] | None) -> bool:
    return given is not None and any(item is None or isinstance(item, Sequence) for item in given)


def _one(
    path: str | Path,
    task: _Task,
    intensity: Sequence[float] | None,
    classes: Sequence[int] | None,
    fallback: Sequence[float] | None = None,
) -> nn.Module:
    kind, form = teacher_kind(path), input_spec(task.teacher_def)
    if kind == "weights":
        if (intensity, classes) != (None, None):
            raise ValueError(
                f"--teacher_intensity and --teacher_classes are for teachers from elsewhere, {path} is ours"
            )
        return load_weights(task.teacher_def, path, "teacher")
    found = {"nnunet": _nnunet, "bundle": _bundle, "torchscript": _torchscript}[kind](Path(path))
    source, dims = found.source, _spatial_dims(found.network)
    if dims not in (None, form[0]):
        raise ValueError(f"teacher {source} is a {dims}-D network, the task's images are {form[0]}-D")
    scale = _intensity(source, found.scalings, task, intensity, fallback)
    axes = own_axes(source, found.geometry, task.spacing) if form[0] == 3 else None
    # what a script computes is not part of its repr
    code = hashlib.sha256(weights_file(path).read_bytes()).hexdigest()[:16] if kind == "torchscript" else ""
    return TeacherAdapter(found.network, source, form, task.num_classes, classes, scale, found.multiple, axes, code)


class _Found(NamedTuple):
    """A network from elsewhere, and what its folder says of it."""

    network: nn.Module
    source: str
    geometry: Geometry = Geometry()
    scalings: Sequence[Scaling | None] = (None,)
    multiple: Sequence[int] | None = None


def _nnunet(path: Path) -> _Found:
    model = read_nnunet(path)
    return _Found(model.network, f"nnU-Net {model.file}", model.geometry, model.scalings, model.network.multiple)


def _bundle(path: Path) -> _Found:
    model = read_bundle(path)
    return _Found(model.network, f"MONAI bundle {path}", model.geometry, [model.scaling])


def _torchscript(path: Path) -> _Found:
    file = weights_file(path, "teacher")
    try:
        network = torch.jit.load(str(file), map_location="cpu")
    except (RuntimeError, ValueError, EOFError) as error:
        raise ValueError(f"teacher {file}: not a readable TorchScript file: {str(error).splitlines()[0]}") from error
    return _Found(network, f"TorchScript file {file}")


def _is_torchscript(file: Path) -> bool:
    """A file of weights is a zip archive too, but without code."""
    try:
        with zipfile.ZipFile(file) as archive:
            return any("/code/" in name for name in archive.namelist())
    except zipfile.BadZipFile:
        return False


def _spatial_dims(network: nn.Module) -> int | None:
    """Of a script, which has no classes to ask, by the first parameter that looks like a convolution's; None without one."""
    if not isinstance(network, torch.jit.ScriptModule):
        return input_spec(network)[0]
    return next((value.ndim - 2 for value in network.parameters() if value.ndim in (4, 5)), None)


def _intensity(
    source: str,
    scalings: Sequence[Scaling | None],
    task: _Task,
    given: Sequence[float] | None,
    fallback: Sequence[float] | None,
) -> Intensity | None:
    has_hu = task.window is not None and not task.per_case
    is_known = None not in scalings and (has_hu or not any(isinstance(one, Linear) for one in scalings))
    given = fallback if given is None and not is_known else given
    if given is not None:
        if len(given) != 4 or not all(isinstance(number, int | float) for number in given):
            raise ValueError(f"--teacher_intensity: found {list(given)}, expected a_min, a_max, b_min, b_max")
        return Intensity((range_scaling(*given),), task.window)
    if not is_known:
        unknown = "is not known" if None in scalings or has_hu else "says nothing of ours, which have no HU"
        print(
            f"note: how the images of {source} were scaled {unknown}: it sees ours as they are (--teacher_intensity)",
            flush=True,
        )
        return None
    return Intensity(tuple(scalings), task.window)
