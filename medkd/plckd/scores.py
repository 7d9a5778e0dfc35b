"""How much an assistant knows by itself: on real validation images, without labels saying when it is asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from monai.inferers import Inferer, SimpleInferer
from monai.metrics import compute_dice
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from medkd.parallel.group import gather_in_order, progress_disabled

__all__ = ["beyond_teacher", "score_assistants"]

_DRAWS = 500
_FEWEST = 5  # images for an interval


@torch.no_grad()
def score_assistants(
    networks: Mapping[str, nn.Module],
    loader: Iterable[Mapping[str, Any]],
    device: torch.device | str,
    inferer: Inferer | None = None,
) -> dict[str, dict[str, Any]]:
    """Scores on images that no network was trained on; classes above 0 count as one, the lesion.

    "Errors corrected" under labels flatters: a network that always contradicted the teacher would correct them all. What the
    teacher's answer does not tell is measured by ``beyond_teacher``.

    Args:
        networks: name -> network, the teacher first.
        loader: batches of one ``{"image", "label"}``, in several processes each its share; where sizes differ logits are
            resized to the label's.
        inferer: how a network is called, MONAI's `SimpleInferer` when None.

    Returns:
        name -> ``{"dice": mean over images with a lesion, "n": their number}``, and of the assistants

        - right_on_false_negatives, right_on_false_positives: share of the teacher's wrong pixels that it has right; a coin
          has 0.5 of each, and a network that says "lesion" everywhere 1 and 0.
        - wrong_where_teacher_right: share of the teacher's right pixels that it has wrong.
        - beyond_teacher, interval: see `beyond_teacher`; 95 % over images drawn anew.

        None stands for what these images cannot tell.
    """
    images: list[dict[str, tuple[Tensor, float | None]]] = []  # of each: counts, and Dice where there is a lesion
    call = SimpleInferer() if inferer is None else inferer
    for batch in tqdm(loader, desc="assistants", leave=False, disable=progress_disabled()):
        image, truth = batch["image"].to(device), batch["label"].to(device) > 0
        found = {name: _lesion(call(image, network), truth.shape[2:]) for name, network in networks.items()}
        teacher = next(iter(found.values()))
        images.append({name: _of_image(teacher, truth, decision) for name, decision in found.items()})
    images = gather_in_order(images, len(getattr(loader, "dataset", images)))
    scores: dict[str, dict[str, Any]] = {}
    for name in networks:
        dice = [image[name][1] for image in images if image[name][1] is not None]
        scores[name] = {"dice": float(np.mean(dice)) if dice else None, "n": len(dice)}
    for name in list(networks)[1:]:
        scores[name] |= _of_assistant(torch.stack([image[name][0] for image in images]).double().numpy())
    return scores


def _of_image(teacher: Tensor, truth: Tensor, decision: Tensor) -> tuple[Tensor, float | None]:
    place = 4 * teacher.long() + 2 * truth.long() + decision.long()
    counts = torch.bincount(place.flatten(), minlength=8).reshape(2, 2, 2).cpu()
    return counts, float(compute_dice(decision.float(), truth.float()).mean()) if bool(truth.any()) else None


def _lesion(logits: Tensor, size: tuple[int, ...]) -> Tensor:
    if logits.shape[1] == 1:  # decided by the inferer
        return logits > 0
    if logits.shape[2:] != size:
        logits = F.interpolate(logits, size, mode="bilinear" if len(size) == 2 else "trilinear")
    return logits.argmax(dim=1, keepdim=True) > 0


def _of_assistant(counts: np.ndarray) -> dict[str, Any]:
    """From counts (images, teacher's answer, truth, assistant's answer)."""
    total = counts.sum(axis=0)
    right = total[0, 0].sum() + total[1, 1].sum()
    return {
        "right_on_false_negatives": _share(total[0, 1, 1], total[0, 1].sum()),
        "right_on_false_positives": _share(total[1, 0, 0], total[1, 0].sum()),
        "wrong_where_teacher_right": _share(total[0, 0, 1] + total[1, 1, 0], right),
        "beyond_teacher": _number(beyond_teacher(total)),
        "interval": _interval(counts),
    }


def beyond_teacher(counts: np.ndarray) -> np.ndarray:
    """What an assistant's answer tells of the truth when the teacher's answer is known already.

    Youden's index, P(says lesion | lesion) - P(says lesion | background), among the pixels that the teacher calls lesion and
    among those that it calls background, and the mean of the two. 1 for a network that is always right; 0 for a coin, for a
    copy of the teacher, for a network that always contradicts it, and for one that says the same everywhere.

    Args:
        counts: pixels (..., teacher's answer, truth, assistant's answer), each 0 for background and 1 for lesion.

    Returns:
        (...); NaN where the teacher makes no error of one of the two kinds, or has nothing of the kind right.
    """
    with np.errstate(invalid="ignore"):
        says_lesion = counts[..., 1] / counts.sum(axis=-1)
    return (says_lesion[..., 1] - says_lesion[..., 0]).mean(axis=-1)


def _interval(counts: np.ndarray) -> list[float] | None:
    """95 % of data sets drawn from the images with replacement; None for too few images, or too few with both errors."""
    drawn = np.random.default_rng(0).multinomial(len(counts), np.full(len(counts), 1 / len(counts)), size=_DRAWS)
    values = beyond_teacher(np.tensordot(drawn, counts, axes=1))
    values = values[np.isfinite(values)]
    if len(counts) < _FEWEST or len(values) < _DRAWS / 2:
        return None
    return [float(value) for value in np.quantile(values, [0.025, 0.975])]


def _number(value: np.ndarray | float) -> float | None:
    """None, which JSON has, in the place of NaN."""
    return float(value) if np.isfinite(value) else None


def _share(part: float, whole: float) -> float | None:
    return float(part / whole) if whole else None
