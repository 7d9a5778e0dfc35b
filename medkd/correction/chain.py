"""The correction chain of PLC-KD: T, TA_f, TA_b, similarity, each on the pixels that are still incorrect."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import torch
from torch import Tensor

from .correctness import is_correct
from .similarity import correct_by_similarity

__all__ = ["SoftLabels", "correct_soft_labels"]


class SoftLabels(NamedTuple):
    """Probabilities (N, K, *spatial) at each stage of the chain.

    Example:
        >>> p = torch.tensor([[[[0.9]], [[0.1]]]])
        >>> SoftLabels(p, p, p, p).ultimate.shape
        torch.Size([1, 2, 1, 1])
    """

    initial: Tensor
    """Of the teacher alone, Y^I in the paper."""
    false_pixel: Tensor
    """After the false-pixel assistant, Y^F in the paper."""
    boundary: Tensor
    """After the boundary assistant, Y^B in the paper."""
    ultimate: Tensor
    """After the similarity correction, Y^U in the paper."""


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
    """Correct the teacher's incorrect pixels, on training images: the labels decide which pixels are incorrect.

    An assistant's probabilities replace those of a pixel that is incorrect so far, if the assistant is correct there.
    Correct pixels are never changed. A pixel that is incorrect after both assistants takes the probabilities of the most
    similar correct pixel (`correct_by_similarity`). The rows of the paper's Table 2 are switches: T + SC (no assistants),
    T + TA_f (``similarity=False``), T + TA_b, T + TA_f + TA_b, and the whole chain.

    Args:
        teacher: probabilities (N, K, *spatial) of T.
        label: (N, 1, *spatial) integers.
        false_pixel: probabilities (N, K, *spatial) of TA_f on the same image; None leaves it out.
        boundary: probabilities (N, K, *spatial) of TA_b on the same image; None leaves it out.
        embedding: features (N, D, *any) in which similarity is measured, such as T's penultimate map. None measures it
            between the probabilities themselves.
        similarity: whether the similarity correction runs. If it does, argmax(ultimate) equals the label everywhere.
        max_candidates: see `correct_by_similarity`.
        tally: see `correct_by_similarity`.
        memory: see `correct_by_similarity`.

    Returns:
        The four stages. A step that is left out repeats the stage before it. Correct pixels are bit-identical to ``initial``.

    Raises:
        ValueError: If shapes do not fit.

    Reference: Wang et al., PLC-KD, MICCAI 2024. The paper says "refine" and "correct" without a formula. Taking an
    assistant's pixel only where the assistant is correct is our reading. Under it the number of incorrect pixels never grows.

    Example:
        >>> teacher = torch.tensor([[[[0.9, 0.8, 0.3]], [[0.1, 0.2, 0.7]]]])
        >>> label = torch.tensor([[[[0, 1, 1]]]])
        >>> correct_soft_labels(teacher, label).ultimate.argmax(1).tolist()
        [[[0, 1, 1]]]
    """
    with torch.no_grad():
        initial = teacher.detach()
        after_false_pixel = _take_correct_pixels(initial, false_pixel, label, "false_pixel")
        after_boundary = _take_correct_pixels(after_false_pixel, boundary, label, "boundary")
        ultimate = after_boundary
        if similarity:
            phi = after_boundary if embedding is None else embedding.detach()
            ultimate = correct_by_similarity(after_boundary, phi, label, max_candidates, tally, memory)
    return SoftLabels(initial, after_false_pixel, after_boundary, ultimate)


def _take_correct_pixels(current: Tensor, assistant: Tensor | None, label: Tensor, name: str) -> Tensor:
    """Replace incorrect pixels by those of an assistant, where the assistant is correct."""
    if assistant is None:
        return current
    if assistant.shape != current.shape:
        raise ValueError(
            f"correct_soft_labels: found {name} {tuple(assistant.shape)}, expected the teacher's {tuple(current.shape)}"
        )
    assistant = assistant.detach().to(current.dtype)
    return torch.where(is_correct(assistant, label) & ~is_correct(current, label), assistant, current)
