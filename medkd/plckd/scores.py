"""Score assistants by themselves on real validation images, without labels deciding when they are asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from monai.inferers import Inferer, SimpleInferer
from monai.metrics import compute_dice
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from medkd.parallel.group import gather_in_order, progress_disabled

__all__ = ["beyond_teacher", "score_assistants"]

_RESAMPLES = 500
_FEWEST = 5  # patients for an interval


class _ImageScore(NamedTuple):
    """One network on one image."""

    counts: Tensor
    """Pixels (teacher's answer, ground truth, network's answer), each 0 for background and 1 for lesion."""
    dice: float | None
    """None for an image without a lesion."""


@torch.no_grad()
def score_assistants(
    networks: Mapping[str, nn.Module],
    loader: Iterable[Mapping[str, Any]],
    device: torch.device | str,
    inferer: Inferer | None = None,
) -> dict[str, dict[str, Any]]:
    """Score networks on images that none was trained on. Classes above 0 count as one, the lesion.

    The share of errors that labels let an assistant correct flatters it: a network that always contradicted the teacher
    would correct them all. ``beyond_teacher`` measures what the teacher's answer does not tell.

    Args:
        networks: name -> network, the teacher first.
        loader: batches of one ``{"image", "label"}``, perhaps with "patient", which may have several; in a run of several
            processes each has its shard. Logits of another size are resized to the label's.
        device: device of the networks.
        inferer: calls a network; MONAI's `SimpleInferer` if None.

    Returns:
        name -> ``{"dice": mean over images with a lesion, "n": their number}``, and for the assistants

        - right_on_false_negatives, right_on_false_positives: share of the teacher's incorrect pixels that the assistant has
          correct. A coin has 0.5 of each, a network that answers "lesion" everywhere 1 and 0.
        - wrong_where_teacher_right: share of the teacher's correct pixels that the assistant has incorrect.
        - beyond_teacher, interval: see `beyond_teacher`; 95 % over patients resampled with replacement; over images where
          patients are unknown, or all images are of one.

        None stands for what these images cannot tell.
    """
    images: list[dict[str, _ImageScore]] = []
    patients: list[str] = []  # of each image; empty names where they are unknown
    call = SimpleInferer() if inferer is None else inferer
    for batch in tqdm(loader, desc="assistants", leave=False, disable=progress_disabled()):
        image, truth = batch["image"].to(device), batch["label"].to(device) > 0
        decisions = {name: _lesion(call(image, network), truth.shape[2:]) for name, network in networks.items()}
        teacher = next(iter(decisions.values()))
        images.append({name: _score_image(teacher, truth, decision) for name, decision in decisions.items()})
        patients.append(str(batch["patient"][0]) if "patient" in batch else "")
    images = gather_in_order(images, len(getattr(loader, "dataset", images)))
    patients = gather_in_order(patients, len(getattr(loader, "dataset", patients)))
    scores: dict[str, dict[str, Any]] = {}
    for name in networks:
        dice = [image[name].dice for image in images]
        with_lesion = [value for value in dice if value is not None]
        scores[name] = {"dice": float(np.mean(with_lesion)) if with_lesion else None, "n": len(with_lesion)}
    for name in list(networks)[1:]:
        counts = torch.stack([image[name].counts for image in images]).double().numpy()
        scores[name] |= _score_assistant(_by_patient(counts, patients))
    return scores


def _score_image(teacher: Tensor, truth: Tensor, decision: Tensor) -> _ImageScore:
    index = 4 * teacher.long() + 2 * truth.long() + decision.long()
    counts = torch.bincount(index.flatten(), minlength=8).reshape(2, 2, 2).cpu()
    has_lesion = bool(truth.any())
    return _ImageScore(counts, float(compute_dice(decision.float(), truth.float()).mean()) if has_lesion else None)


def _lesion(logits: Tensor, size: tuple[int, ...]) -> Tensor:
    """Return the mask (N, 1, *spatial) of the lesion that the logits decide for."""
    if logits.shape[1] == 1:  # the inferer has decided already
        return logits > 0
    if logits.shape[2:] != size:
        logits = F.interpolate(logits, size, mode="bilinear" if len(size) == 2 else "trilinear")
    return logits.argmax(dim=1, keepdim=True) > 0


def _by_patient(counts: np.ndarray, patients: Sequence[str]) -> np.ndarray:
    """Return counts (patients, ...) of counts (images, ...), which stay as they are where each image is a patient.

    They do so too where patients are unknown, or all images are of one.
    """
    if not 2 <= len(set(patients)) < len(counts):
        return counts
    index = np.unique(patients, return_inverse=True)[1]
    return np.stack([counts[index == number].sum(axis=0) for number in range(index.max() + 1)])


def _score_assistant(counts: np.ndarray) -> dict[str, Any]:
    """Return the shares for counts (patients or images, teacher's answer, ground truth, assistant's answer)."""
    total = counts.sum(axis=0)
    teacher_correct = total[0, 0].sum() + total[1, 1].sum()
    return {
        "right_on_false_negatives": _share(total[0, 1, 1], total[0, 1].sum()),
        "right_on_false_positives": _share(total[1, 0, 0], total[1, 0].sum()),
        "wrong_where_teacher_right": _share(total[0, 0, 1] + total[1, 1, 0], teacher_correct),
        "beyond_teacher": _finite(beyond_teacher(total)),
        "interval": _interval(counts),
    }


def beyond_teacher(counts: np.ndarray) -> np.ndarray:
    """Return what an assistant's answer tells of the ground truth when the teacher's answer is known already.

    It is the mean of Youden's index, P(answers lesion | lesion) - P(answers lesion | background), among the pixels that the
    teacher calls lesion and among those that it calls background. It is 1 for a network that is always correct. It is 0
    for a coin, for a copy of the teacher, for a network that always contradicts the teacher, and for a constant answer.

    Args:
        counts: pixels (..., teacher's answer, ground truth, assistant's answer), each 0 for background and 1 for lesion.

    Returns:
        (...); NaN if the teacher makes no error of one of the two kinds, or has nothing of one kind correct.

    Example:
        >>> always_correct = np.array([[[8.0, 0.0], [0.0, 2.0]], [[3.0, 0.0], [0.0, 7.0]]])
        >>> float(beyond_teacher(always_correct))
        1.0
    """
    with np.errstate(invalid="ignore"):
        answers_lesion = counts[..., 1] / counts.sum(axis=-1)
    return (answers_lesion[..., 1] - answers_lesion[..., 0]).mean(axis=-1)


def _interval(counts: np.ndarray) -> list[float] | None:
    """Return the 95 % interval over resampled patients; None for too few, or too few with both kinds of errors."""
    shares = np.full(len(counts), 1 / len(counts))
    resamples = np.random.default_rng(0).multinomial(len(counts), shares, size=_RESAMPLES)
    values = beyond_teacher(np.tensordot(resamples, counts, axes=1))
    values = values[np.isfinite(values)]
    if len(counts) < _FEWEST or len(values) < _RESAMPLES / 2:
        return None
    return [float(value) for value in np.quantile(values, [0.025, 0.975])]


def _finite(value: np.ndarray | float) -> float | None:
    """Return None for NaN, which JSON does not have."""
    return float(value) if np.isfinite(value) else None


def _share(count: float, total: float) -> float | None:
    return float(count / total) if total else None
