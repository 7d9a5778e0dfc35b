"""Divergences between the softmaxes of two networks' pixel similarities, the terms of CIRKD."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from medkd.parallel import concat_all_gather

__all__ = ["contrast_divergence", "image_pair_divergence"]

_MASK = 1e4


def image_pair_divergence(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Return the mean over pairs of images and over rows of KL(softmax(S^t_ij) || softmax(S^s_ij)), S_ij = X_i X_j^T / T.

    The columns are the images of all processes. Memory: (N n)^2 numbers.

    Args:
        student: unit vectors (N, n, Cs) of n nodes an image.
        teacher: unit vectors (N, n, Ct) of the same nodes.
        temperature: T.

    Example:
        >>> nodes = torch.eye(3)[None]
        >>> image_pair_divergence(nodes, nodes, 0.1).abs().item() < 1e-6
        True
    """
    images, nodes, _ = student.shape
    rows = []
    for x in (student, teacher):
        vectors = x.flatten(0, 1)
        columns = concat_all_gather(vectors)
        # T as a factor of the product: x / T would be one more copy for the backward
        products = torch.addmm(x.new_zeros(()), vectors, columns.T, beta=0, alpha=1 / temperature)
        rows.append(products.reshape(images * nodes, -1, nodes))
    return _divergence(*rows)


def contrast_divergence(student: Tensor, teacher: Tensor, keys: Tensor, valid: Tensor, temperature: float) -> Tensor:
    """Return the mean over anchors of the KL between the softmaxes of their similarities to the same keys.

    Args:
        student: unit vectors (A, C) of A anchors.
        teacher: unit vectors (A, C) of the same anchors.
        keys: unit vectors (M, C).
        valid: boolean (M,), false for keys that do not count. Without any valid key the value is 0.
        temperature: T.

    Example:
        >>> anchors = torch.eye(3)
        >>> contrast_divergence(anchors, anchors, torch.eye(3), torch.tensor([True, True, False]), 0.1).abs().item() < 1e-6
        True
    """
    # not -inf: where no key is valid, the softmax must stay finite
    bias = torch.where(valid, 0.0, -_MASK).to(student.dtype)
    rows = (torch.addmm(bias, anchors, keys.T, alpha=1 / temperature) for anchors in (student, teacher))
    return _divergence(*rows) * valid.any()


def _divergence(student: Tensor, teacher: Tensor) -> Tensor:
    """Return the mean over rows of KL(softmax(teacher) || softmax(student)), over the last axis."""
    # a dot product saves copies of the large matrices
    difference = F.log_softmax(student, dim=-1) - F.log_softmax(teacher, dim=-1)
    return -torch.dot(F.softmax(teacher, dim=-1).flatten(), difference.flatten()) / teacher[..., 0].numel()
