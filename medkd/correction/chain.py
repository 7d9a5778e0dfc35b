"""The correction chain of PLC-KD: T, then TA_f, then TA_b, then similarity, each on the pixels that are still wrong."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import torch
from torch import Tensor

from .correctness import is_correct
from .similarity import correct_by_similarity

__all__ = ["SoftLabels", "correct_soft_labels"]


class SoftLabels(NamedTuple):
    """Probabilities (N, K, *spatial) along the chain: Y^I, Y^F, Y^B, Y^U of the paper."""

    initial: Tensor
    false_pixel: Tensor
    boundary: Tensor
    ultimate: Tensor


def correct_soft_labels(
    teacher: Tensor,
    label: Tensor,
    false_pixel: Tensor | None = None,
    boundary: Tensor | None = None,
    embedding: Tensor | None = None,
    similarity: bool = True,
    max_candidates: int | None = None,
    tally: Counter | None = None,
    memory: Tensor | None = None,
) -> SoftLabels:
    """Corrects a teacher's wrong pixels, for training images alone: labels say which pixels are wrong.

    An assistant's probabilities replace those of a pixel that is wrong so far, where the assistant is right; right pixels
    are never touched. What is wrong after both is copied from the most similar right pixel (`correct_by_similarity`). The
    rows of the paper's Table 2 are switches: T + SC (no assistants), T + TA_f (``similarity=False``), T + TA_b, T + TA_f +
    TA_b, and all.

    Args:
        teacher, false_pixel, boundary: probabilities (N, K, *spatial) of T, TA_f and TA_b on the same image; an assistant
            that is None is left out.
        label: (N, 1, *spatial) integers.
        embedding: features (N, D, *spatial) in which similarity is measured, of T's penultimate map say; None measures it
            between the probabilities themselves.
        similarity: whether the last step is taken. With it argmax(ultimate) == label everywhere.
        max_candidates, tally, memory: see `correct_by_similarity`.

    Returns:
        The four stages; a step that is left out repeats the one before. Right pixels are bit-identical to ``initial``.

    Raises:
        ValueError: when shapes do not fit.

    Reference: Wang et al., PLC-KD, MICCAI 2024. The paper says "refine" and "correct" without saying how; taking over an
    assistant's pixel only where it is right is our reading, under which the number of wrong pixels never grows and right
    ones stay.
    """
    with torch.no_grad():
        initial = teacher.detach()
        first = _taken_over(initial, false_pixel, label, "false_pixel")
        second = _taken_over(first, boundary, label, "boundary")
        ultimate = second
        if similarity:
            phi = second if embedding is None else embedding.detach()
            ultimate = correct_by_similarity(second, phi, label, max_candidates, tally, memory)
    return SoftLabels(initial, first, second, ultimate)


def _taken_over(current: Tensor, assistant: Tensor | None, label: Tensor, name: str) -> Tensor:
    if assistant is None:
        return current
    if assistant.shape != current.shape:
        raise ValueError(
            f"correct_soft_labels: {name} {tuple(assistant.shape)} and teacher {tuple(current.shape)} differ"
        )
    assistant = assistant.detach().to(current.dtype)
    return torch.where(is_correct(assistant, label) & ~is_correct(current, label), assistant, current)
