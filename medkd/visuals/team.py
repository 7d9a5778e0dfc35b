"""The figures of one teacher team, on training images: soft labels along the chain, boundary transform, false pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.transforms import DivisiblePad
from torch import Tensor, nn

from medkd.correction import FalsePixelQueue, TeacherTeam, is_correct

from .boundary import plot_boundary_transform
from .false_pixels import plot_false_pixels
from .progression import plot_progression

__all__ = ["plot_team"]

# Images among which those shown are picked, and from which the queue of the false-pixel figure is filled.
_LOOKED_AT = 48
_MULTIPLE = 32
_PIXELS = 256  # false pixels a class and image, as in training


@torch.no_grad()
def plot_team(
    team: nn.Module,
    data: Sequence[Mapping[str, Any]],
    output_dir: str | Path,
    device: torch.device | str = "cpu",
    cases: Sequence[str] | None = None,
    width: float = 5,
    ratio: float = 1.0,
    seed: int = 0,
) -> list[Path]:
    """Writes what PLC-KD does to its training images: Figures 1 (left), 2 and 4 of the paper, on this data.

    Shown are, of up to 48 images spread evenly over the data that have a lesion, those with most, with the median and with
    fewest pixels that the teacher has wrong.

    Args:
        team: a `TeacherTeam`; for any other teacher, and for the control swap, nothing is drawn.
        data: training items with "image" (C, *spatial), "label" and "case" (and "slice"), not augmented.
        output_dir: of the pictures.
        cases: names of cases to show instead; of several slices of one, the first that has a lesion.
        width, ratio: of the boundary transform.
        seed: of the random pixels.

    Returns:
        The files: ``soft_labels_<case>.png``, ``boundary_transform_<case>.png``, ``false_pixels.png``.

    Raises:
        ValueError: when a named case is not in the data, or has no lesion.
    """
    if not isinstance(team, TeacherTeam) or team.correction.swap:
        return []
    team = team.eval()
    found = _with_lesions(data, cases)
    if not found:
        print(f"no figures of the team: none of the {_LOOKED_AT} images looked at has a lesion", flush=True)
        return []
    wrong = [int((~is_correct(_probabilities(team, image, device), label[None])).sum()) for _, image, label in found]
    order = np.argsort(wrong, kind="stable")[::-1]
    places = range(len(order)) if cases else dict.fromkeys((0, len(order) // 2, len(order) - 1))
    shown = [found[order[place]] for place in places]
    folder, generator = Path(output_dir), torch.Generator().manual_seed(seed)
    written = []
    for name, image, label in shown:
        stages = team.soft_labels(image[None].to(device), label[None].to(device))
        written.append(plot_progression(image, label, stages, folder / f"soft_labels_{_file(name)}.png", name))
    name, image, label = shown[len(shown) // 2]
    path = folder / f"boundary_transform_{_file(name)}.png"
    written.append(plot_boundary_transform(image, label, path, name, width, ratio, generator))
    if path := _draw_false_pixels(team, found, shown, folder / "false_pixels.png", generator, device):
        written.append(path)
    return written


Item = tuple[str, Tensor, Tensor]


def _with_lesions(data: Sequence[Mapping[str, Any]], cases: Sequence[str] | None) -> list[Item]:
    """Name, image and label of the items that are looked at."""
    if cases is None:
        indices = np.unique(np.linspace(0, len(data) - 1, min(_LOOKED_AT, len(data))).round().astype(int))
        items = (data[int(index)] for index in indices)
        return [_item(item) for item in items if bool((torch.as_tensor(item["label"]) > 0).any())]
    wanted = dict.fromkeys(map(str, cases))
    for item in data:
        if wanted.get(str(item["case"]), "") is None and bool((torch.as_tensor(item["label"]) > 0).any()):
            wanted[str(item["case"])] = _item(item)
    if missing := [case for case, item in wanted.items() if item is None]:
        raise ValueError(f"cases: {', '.join(missing)} not among the training images, or without lesion")
    return list(wanted.values())


def _item(item: Mapping[str, Any]) -> Item:
    name = str(item["case"]) + (f", slice {item['slice']}" if "slice" in item else "")
    # a whole slice may have edges that networks do not take
    pad = DivisiblePad(_MULTIPLE, mode="edge", method="end")
    image, label = (pad(torch.as_tensor(item[key])).as_subclass(Tensor) for key in ("image", "label"))
    return name, image.float(), label.long()


def _file(name: str) -> str:
    return name.replace(", slice ", "_")


def _probabilities(team: TeacherTeam, image: Tensor, device: torch.device | str) -> Tensor:
    return torch.softmax(team.teacher(image[None].to(device)).logits.float(), dim=1).cpu()


def _draw_false_pixels(
    team: TeacherTeam,
    found: Sequence[Item],
    shown: Sequence[Item],
    path: Path,
    generator: torch.Generator,
    device: torch.device | str,
) -> Path | None:
    """None where the teacher makes no error on a class of these images: there is no pixel to draw from."""
    classes = team.teacher.channels.logits
    queue = FalsePixelQueue(found[0][1].shape[0], classes, _PIXELS * len(found))
    guesses = {name: _probabilities(team, image, device).argmax(1, keepdim=True) for name, image, _ in found}
    for name, image, label in found:
        queue.push(image[None], label[None], guesses[name], _PIXELS)
    present = torch.cat([label.unique() for _, _, label in shown]).unique()
    if not bool((queue.filled[present] > 0).all()):
        return None
    # one figure has images of one size
    names, images, labels = zip(*(item for item in shown if item[1].shape == shown[0][1].shape), strict=True)
    guess = torch.cat([guesses[name] for name in names])
    title = f"the teacher's false pixels in {len(found)} training images"
    return plot_false_pixels(torch.stack(images), torch.stack(labels), guess, queue, path, title, generator, names)
