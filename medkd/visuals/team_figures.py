"""Figures of a teacher team on training images: soft labels along the chain, boundary transform, false pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from monai.transforms import DivisiblePad
from torch import Tensor

from medkd.correction import FalsePixelQueue, TeacherTeam, is_correct
from medkd.networks import required_multiple
from medkd.runs.case_names import check_case_name
from medkd.teachers import Teacher

from ._panels import slice_title
from .boundary_figures import plot_boundary_transform
from .false_pixel_figures import plot_false_pixels
from .soft_label_figures import plot_progression

__all__ = ["plot_team"]

_CANDIDATES = 48  # images from which the shown ones are picked and the queue of the false-pixel figure is filled
_PIXELS = 256  # false pixels per class and image, as in training


class _Item(NamedTuple):
    """A training image."""

    name: str
    image: Tensor
    label: Tensor


@torch.no_grad()
def plot_team(
    teacher: Teacher,
    data: Sequence[Mapping[str, Any]],
    output_dir: str | Path,
    device: torch.device | str = "cpu",
    cases: Sequence[str] | None = None,
    width: float = 5,
    ratio: float = 1.0,
    seed: int = 0,
) -> list[Path]:
    """Write figures of what PLC-KD does to its training images: Figures 1 (left), 2 and 4 of the paper, on this data.

    The candidates are up to 48 images with a lesion, spread evenly over the data. Of these the figures show the images with
    most, with the median number, and with fewest pixels that the teacher predicts incorrectly.

    Args:
        teacher: a teacher with a team. Any other teacher, and the control ``swap``, has no figures.
        data: training items with "image" (C, *spatial), "label" and "case" (and "slice"), not augmented.
        output_dir: folder of the pictures.
        device: of the networks.
        cases: names of cases to show instead; of several slices of a case, the first with a lesion.
        width: of the boundary transform.
        ratio: of the boundary transform.
        seed: of the random pixels.

    Returns:
        The files: ``soft_labels_<case>.png``, ``boundary_transform_<case>.png``, ``false_pixels.png``.

    Raises:
        ValueError: if a named case is not in the data, or has no lesion.
    """
    team = teacher.team
    if team is None or team.correction.swap:
        return []
    team.eval()
    multiple = math.lcm(*(required_multiple(network, fallback=1) for network in team.networks))
    candidates = _candidates(data, multiple) if cases is None else _named_cases(data, cases, multiple)
    if not candidates:
        print(f"no figures of the team: none of {min(_CANDIDATES, len(data))} labelled images has a lesion", flush=True)
        return []
    probabilities = [_probabilities(team, item.image, device) for item in candidates]
    errors = [int((~is_correct(p, item.label[None])).sum()) for p, item in zip(probabilities, candidates, strict=True)]
    order = np.argsort(errors, kind="stable")[::-1]
    ranks = range(len(order)) if cases else dict.fromkeys((0, len(order) // 2, len(order) - 1))
    selected = [candidates[order[rank]] for rank in ranks]
    folder, generator = Path(output_dir), torch.Generator().manual_seed(seed)
    files = []
    for name, image, label in selected:
        stages = team.soft_labels(image[None].to(device), label[None].to(device))
        files.append(plot_progression(image, label, stages, folder / f"soft_labels_{_file_name(name)}.png", name))
    name, image, label = selected[len(selected) // 2]
    file = folder / f"boundary_transform_{_file_name(name)}.png"
    files.append(plot_boundary_transform(image, label, file, name, width, ratio, generator))
    if false_pixels := _plot_queue(candidates, probabilities, selected, folder / "false_pixels.png", generator):
        files.append(false_pixels)
    return files


def _candidates(data: Sequence[Mapping[str, Any]], multiple: int) -> list[_Item]:
    indices = np.unique(np.linspace(0, len(data) - 1, min(_CANDIDATES, len(data))).round().astype(int))
    items = (data[int(index)] for index in indices)
    return [_padded(item, multiple) for item in items if _has_lesion(item)]


def _named_cases(data: Sequence[Mapping[str, Any]], cases: Sequence[str], multiple: int) -> list[_Item]:
    names = list(dict.fromkeys(map(str, cases)))
    items: dict[str, _Item] = {}
    for item in data:
        name = str(item["case"])
        if name in names and name not in items and _has_lesion(item):
            items[name] = _padded(item, multiple)
    if missing := [name for name in names if name not in items]:
        raise ValueError(f"--cases: {', '.join(missing)} not among the training images, or without a lesion")
    return [items[name] for name in names]


def _has_lesion(item: Mapping[str, Any]) -> bool:
    return bool((torch.as_tensor(item["label"]) > 0).any())


def _padded(item: Mapping[str, Any], multiple: int) -> _Item:
    # networks do not take each size of a whole slice
    pad = DivisiblePad(multiple, mode="edge", method="end")
    image, label = (pad(torch.as_tensor(item[key])).as_subclass(Tensor) for key in ("image", "label"))
    return _Item(slice_title(str(item["case"]), item.get("slice")), image.float(), label.long())


def _file_name(name: str) -> str:
    return check_case_name(name.replace(", slice ", "_"))


def _probabilities(team: TeacherTeam, image: Tensor, device: torch.device | str) -> Tensor:
    """Return the probabilities of the teacher for one image: (1, K, *spatial), on the CPU."""
    return torch.softmax(team.teacher(image[None].to(device)).logits.float(), dim=1).cpu()


def _plot_queue(
    candidates: Sequence[_Item],
    probabilities: Sequence[Tensor],
    selected: Sequence[_Item],
    path: Path,
    generator: torch.Generator,
) -> Path | None:
    """Write the figure of false pixels; None if the teacher makes no error on a class of the selected images."""
    predictions = {item.name: p.argmax(1, keepdim=True) for item, p in zip(candidates, probabilities, strict=True)}
    classes = probabilities[0].shape[1]
    queue = FalsePixelQueue(candidates[0].image.shape[0], classes, _PIXELS * len(candidates))
    for name, image, label in candidates:
        queue.push(image[None], label[None], predictions[name], _PIXELS)
    present = torch.cat([item.label.unique() for item in selected]).unique()
    if not bool((queue.filled[present] > 0).all()):
        return None
    # a figure holds images of one size
    names, images, labels = zip(
        *(item for item in selected if item.image.shape == selected[0].image.shape), strict=True
    )
    labels_of_teacher = torch.cat([predictions[name] for name in names])
    title = f"the teacher's false pixels in {len(candidates)} training images"
    return plot_false_pixels(
        torch.stack(images), torch.stack(labels), labels_of_teacher, queue, path, title, generator, names
    )
