"""Similarity correction: an incorrect pixel takes the probabilities of the most similar correct pixel of its class."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import torch
from scipy.spatial import cKDTree
from torch import Tensor
from torch.nn import functional as F

from .correctness import is_correct, swap_incorrect

__all__ = ["correct_by_similarity", "most_similar"]

# A KD-tree is faster in few dimensions: in more it visits every candidate. Few pairs do not pay for building it.
_TREE_DIMENSIONS = 8
_TREE_PAIRS = 2**23
# Products in one block: 8 MiB of float32 stay in a processor's cache, 64 MiB keep a GPU busy.
_BLOCKS = {"cpu": 2**21, "cuda": 2**24}


def correct_by_similarity(
    probabilities: Tensor,
    embedding: Tensor,
    label: Tensor,
    max_candidates: int | None = None,
    tally: Counter | None = None,
    memory: Tensor | None = None,
) -> Tensor:
    """Give every incorrect pixel the probabilities of the most similar correct pixel of its class.

    The candidates are the correct pixels of the class in the same image. If there are none, they are those in the whole
    batch. If there are none either, the pixel takes the class's row of ``memory``. If that row is not correct, the pixel's
    own probabilities are exchanged (`swap_incorrect`).

    Args:
        probabilities: (N, K, *spatial).
        embedding: (N, D, *any). Similarity is the cosine, in float32. A map of another size is resized to the probabilities.
        label: (N, 1, *spatial) integers.
        max_candidates: largest number of candidates of a class and image, sampled at random; None takes all, which is
            exact.
        tally: counts pixels by the source of their new value: "image", "batch", "memory", "swap".
        memory: (K, K), row k holds probabilities that are correct for class k, or zeros; see `CorrectMemory`.

    Returns:
        Probabilities with the label as argmax everywhere. Correct pixels are bit-identical.

    Raises:
        ValueError: If shapes do not fit.

    Reference: Wang et al., PLC-KD, MICCAI 2024 (similarity-based correction). The paper restricts candidates to correct
    pixels. The restriction to the pixel's own class is ours: without it a copy may be as incorrect as before. The order of
    the fallbacks is ours too.

    Example:
        >>> probabilities = torch.tensor([[[[0.9, 0.8, 0.3]], [[0.1, 0.2, 0.7]]]])
        >>> label = torch.tensor([[[[0, 1, 1]]]])
        >>> correct_by_similarity(probabilities, torch.rand(1, 4, 1, 3), label)[0, 1]
        tensor([[0.1000, 0.7000, 0.7000]])
    """
    if embedding.shape[0] != probabilities.shape[0] or embedding.ndim != probabilities.ndim:
        raise ValueError(
            f"correct_by_similarity: embedding {tuple(embedding.shape)} does not fit "
            f"the probabilities {tuple(probabilities.shape)}"
        )
    # float32 under mixed precision too: rounded cosines would tie
    with torch.autocast(probabilities.device.type, enabled=False):
        return _correct(probabilities, embedding.float(), label, max_candidates, tally, memory)


def _correct(
    probabilities: Tensor,
    phi: Tensor,
    label: Tensor,
    max_candidates: int | None,
    tally: Counter | None,
    memory: Tensor | None,
) -> Tensor:
    if phi.shape[2:] != probabilities.shape[2:]:
        mode = "bilinear" if phi.ndim == 4 else "trilinear"
        phi = F.interpolate(phi, size=probabilities.shape[2:], mode=mode, align_corners=False)
    correct, classes = is_correct(probabilities, label).flatten(1), label.flatten(1).long()
    source, has_none, counts = _find_sources(correct, classes, _pixel_rows(phi), max_candidates)
    corrected = _pixel_rows(probabilities)[source]
    if counts["none"]:
        swapped = _pixel_rows(swap_incorrect(probabilities, label))
        remembered, is_usable = _memory_rows(memory, swapped, classes.flatten())
        corrected = torch.where(has_none[:, None], torch.where(is_usable[:, None], remembered, swapped), corrected)
        counts["memory"] = int((has_none & is_usable).sum())
        counts["swap"] = counts["none"] - counts["memory"]
    if tally is not None:
        tally.update({kind: count for kind, count in counts.items() if count and kind != "none"})
    restored = corrected.reshape(*correct.shape, -1).transpose(1, 2)
    return restored.reshape(probabilities.shape)


def _memory_rows(memory: Tensor | None, like: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
    """Return the memory's row of each pixel's class (N P, K), and whether that row is correct (N P,)."""
    if memory is None:
        return like, torch.zeros_like(classes, dtype=torch.bool)
    memory = memory.to(like)
    row_classes = torch.arange(len(memory), device=memory.device)[:, None, None]
    return memory[classes], is_correct(memory[:, :, None], row_classes).flatten()[classes]


def _pixel_rows(maps: Tensor) -> Tensor:
    """Return one row for each pixel: (N, C, *spatial) to (N P, C)."""
    return maps.flatten(2).transpose(1, 2).flatten(0, 1)


def _find_sources(
    correct: Tensor, classes: Tensor, phi: Tensor, max_candidates: int | None
) -> tuple[Tensor, Tensor, Counter]:
    """Find for each pixel the pixel that its value comes from.

    The number of incorrect pixels is not known in advance: this is the one function in which the host waits for a GPU.

    Args:
        correct: (N, P).
        classes: (N, P).
        phi: (N P, D).
        max_candidates: see `correct_by_similarity`.

    Returns:
        The source of each pixel (N P,), the pixels that have none (N P,), and the number of pixels by kind of source.
    """
    positions = correct.shape[1]
    correct, classes = correct.flatten(), classes.flatten()
    source = torch.arange(len(correct), device=correct.device)
    has_none = torch.zeros_like(correct)
    counts: Counter = Counter()
    incorrect = (~correct).nonzero().flatten()
    count = int(classes.max()) + 1
    groups = incorrect // positions * count + classes[incorrect]
    for group in groups.unique().tolist():
        image, k = divmod(group, count)
        queries = incorrect[groups == group]
        in_batch = (correct & (classes == k)).nonzero().flatten()
        in_image = in_batch[in_batch // positions == image]
        candidates, kind = (in_image, "image") if len(in_image) else (in_batch, "batch")
        if not len(candidates):
            has_none[queries], kind = True, "none"
        else:
            if max_candidates is not None and len(candidates) > max_candidates:
                chosen = torch.randperm(len(candidates), device=candidates.device)[:max_candidates]
                candidates = candidates[chosen.sort().values]
            source[queries] = candidates[most_similar(phi[queries], phi[candidates])]
        counts[kind] += len(queries)
    return source, has_none, counts


def most_similar(queries: Tensor, candidates: Tensor) -> Tensor:
    """Return the index of the candidate with the largest cosine to each query, the lowest of equals.

    Many pairs in few dimensions are searched by a KD-tree of the unit vectors on a CPU, all others by products in blocks.
    Memory grows with W + C. An all-zero vector has cosine 0 with everything.

    Args:
        queries: (W, D).
        candidates: (C, D).

    Returns:
        Indices (W,).

    Example:
        >>> most_similar(torch.tensor([[1.0, 0.1]]), torch.tensor([[0.0, 1.0], [2.0, 0.0]]))
        tensor([1])
    """
    queries, candidates = (F.normalize(x.float(), dim=1, eps=1e-30) for x in (queries, candidates))
    pairs = queries.shape[0] * candidates.shape[0]
    if queries.device.type == "cpu" and queries.shape[1] <= _TREE_DIMENSIONS and pairs > _TREE_PAIRS:
        return _search_tree(queries.numpy(), candidates.numpy())
    return _search_products(queries, candidates)


def _search_products(queries: Tensor, candidates: Tensor) -> Tensor:
    if not len(queries):
        return torch.zeros(0, dtype=torch.long, device=queries.device)
    block = max(1, _BLOCKS.get(queries.device.type, 2**24) // candidates.shape[0])
    products = (chunk @ candidates.T for chunk in queries.split(block))
    if queries.device.type == "cpu":
        # NumPy's argmax is several times faster; both return the first of equals
        return torch.from_numpy(np.concatenate([product.numpy().argmax(axis=1) for product in products]))
    return torch.cat([product.argmax(dim=1) for product in products])


def _search_tree(queries: np.ndarray, candidates: np.ndarray) -> Tensor:
    """Search the nearest unit vector, which has the largest cosine. Of equal vectors the tree holds the first."""
    is_zero = ~candidates.any(axis=1)
    first = np.flatnonzero(~is_zero & ~pd.DataFrame(candidates).duplicated().to_numpy())
    nearest = np.zeros(len(queries), dtype=np.int64)
    if len(first):
        # each query is searched once: a tree that is built fast is better than one that is searched fast
        tree = cKDTree(candidates[first], balanced_tree=False, compact_nodes=False)
        distances, neighbours = tree.query(queries, k=2)
        nearest = first[np.minimum(neighbours[:, 0], len(first) - 1)]
        # different vectors may be equally near, and a zero vector (cosine 0) is better than one that points away
        is_unclear = distances[:, 0] == distances[:, 1]
        if is_zero.any():
            is_unclear |= np.einsum("ij,ij->i", queries, candidates[nearest]) <= 0
        nearest[is_unclear] = _search_products(
            torch.from_numpy(queries[is_unclear]), torch.from_numpy(candidates)
        ).numpy()
    nearest[~queries.any(axis=1)] = 0
    return torch.from_numpy(nearest)
