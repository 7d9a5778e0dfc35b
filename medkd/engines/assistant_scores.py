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

__all__ = ["beyond_teacher", "score_assistants"]

_DRAWS = 500


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
        loader: batches of one ``{"image", "label"}``; where sizes differ logits are resized to the label's.
        inferer: how a network is called, MONAI's `SimpleInferer` when None.

    Returns:
        name -> ``{"dice": mean over images with a lesion, "n": their number}``, and of the assistants

        - right_on_false_negatives, right_on_false_positives: share of the teacher's wrong pixels that it has right; a coin
          has 0.5 of each, and a network that says "lesion" everywhere 1 and 0.
        - wrong_where_teacher_right: share of the teacher's right pixels that it has wrong.
        - beyond_teacher, interval: see `beyond_teacher`.
    """
    counts: dict[str, list[Tensor]] = {name: [] for name in networks}
    dice: dict[str, list[float]] = {name: [] for name in networks}
    call = SimpleInferer() if inferer is None else inferer
    for batch in tqdm(loader, desc="assistants", leave=False, disable=None):
        image, truth = batch["image"].to(device), batch["label"].to(device) > 0
        found = {name: _lesion(call(image, network), truth.shape[2:]) for name, network in networks.items()}
        teacher = next(iter(found.values()))
        for name, decision in found.items():
            place = 4 * teacher.long() + 2 * truth.long() + decision.long()
            counts[name].append(torch.bincount(place.flatten(), minlength=8).reshape(2, 2, 2).cpu())
            if bool(truth.any()):
                dice[name].append(float(compute_dice(decision.float(), truth.float()).mean()))
    scores = {name: {"dice": float(np.mean(values)), "n": len(values)} for name, values in dice.items()}
    for name in list(networks)[1:]:
        scores[name] |= _of_assistant(torch.stack(counts[name]).double().numpy())
    return scores


def _lesion(logits: Tensor, size: tuple[int, ...]) -> Tensor:
    if logits.shape[2:] != size:
        logits = F.interpolate(logits, size, mode="bilinear" if len(size) == 2 else "trilinear")
    return logits.argmax(dim=1, keepdim=True) > 0


def _of_assistant(counts: np.ndarray) -> dict[str, Any]:
    """From counts (images, teacher's answer, truth, assistant's answer)."""
    total = counts.sum(axis=0)
    low, high = np.nanquantile(_resampled(counts), [0.025, 0.975])
    right = total[0, 0].sum() + total[1, 1].sum()
    return {
        "right_on_false_negatives": _share(total[0, 1, 1], total[0, 1].sum()),
        "right_on_false_positives": _share(total[1, 0, 0], total[1, 0].sum()),
        "wrong_where_teacher_right": _share(total[0, 0, 1] + total[1, 1, 0], right),
        "beyond_teacher": float(beyond_teacher(total)),
        "interval": [float(low), float(high)],
    }


def beyond_teacher(counts: np.ndarray) -> np.ndarray:
    """What an assistant's answer tells of the truth when the teacher's answer is known already.

    Youden's index, P(says lesion | lesion) - P(says lesion | background), among the pixels that the teacher calls lesion and
    among those that it calls background, and the mean of the two. 1 for a network that is always right; 0 for a coin, for a
    copy of the teacher, for a network that always contradicts it, and for one that says the same everywhere.

    Args:
        counts: pixels (..., teacher's answer, truth, assistant's answer), each 0 for background and 1 for lesion.
    """
    with np.errstate(invalid="ignore"):
        says_lesion = counts[..., 1] / counts.sum(axis=-1)
    return np.nanmean(says_lesion[..., 1] - says_lesion[..., 0], axis=-1)


def _resampled(counts: np.ndarray) -> np.ndarray:
    """`beyond_teacher` of data sets drawn from the images with replacement."""
    drawn = np.random.default_rng(0).multinomial(len(counts), np.full(len(counts), 1 / len(counts)), size=_DRAWS)
    return beyond_teacher(np.tensordot(drawn, counts, axes=1))


def _share(part: float, whole: float) -> float | None:
    return float(part / whole) if whole else None
