"""Similarity correction: a wrong pixel takes the probabilities of the most similar right pixel of its class."""

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

# A KD-tree wins in few dimensions, in more it visits every candidate; and where pairs are many enough to pay for building it.
_TREE_DIMENSIONS = 8
_TREE_PAIRS = 2**23
# Products of one block: 8 MiB of float32 stay in a processor's cache, 64 MiB keep a GPU busy.
_BLOCKS = {"cpu": 2**21, "cuda": 2**24}


def correct_by_similarity(
    probabilities: Tensor,
    embedding: Tensor,
    label: Tensor,
    max_candidates: int | None = None,
    tally: Counter | None = None,
    memory: Tensor | None = None,
) -> Tensor:
    """Gives every wrong pixel the probabilities of the right pixel of its class that is most similar to it.

    Candidates are, in this order: right pixels of the class in the same image, then in the whole batch; where there are
    none, the class's row of ``memory``; failing that too, the pixel's own probabilities are exchanged (`swap_incorrect`).

    Args:
        probabilities: (N, K, *spatial).
        embedding: (N, D, *any); similarity is the cosine, in float32. Resized to the probabilities where it is coarser.
        label: (N, 1, *spatial) integers.
        max_candidates: random candidates a class and image at most; None takes all, exactly.
        tally: counts pixels by the source of their new value: "image", "batch", "memory", "swap".
        memory: (K, K), row k probabilities that are right for class k, zeros where none are known; see `CorrectMemory`.

    Returns:
        Probabilities whose argmax is the label everywhere; right pixels are bit-identical.

    Raises:
        ValueError: when shapes do not fit.

    Reference: Wang et al., PLC-KD, MICCAI 2024 (similarity-based correction). The paper restricts candidates to right
    pixels; that they are of the pixel's own class is ours, since otherwise a copy may be as wrong as before. The order of
    the fallbacks is ours too.
    """
    if embedding.shape[0] != probabilities.shape[0] or embedding.ndim != probabilities.ndim:
        raise ValueError(
            f"correct_by_similarity: embedding {tuple(embedding.shape)} does not fit "
            f"the probabilities {tuple(probabilities.shape)}"
        )
    # in float32 under mixed precision too: rounded cosines are ties
    with torch.autocast(probabilities.device.type, enabled=False):
        return _corrected(probabilities, embedding.float(), label, max_candidates, tally, memory)


def _corrected(
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
    right, classes = is_correct(probabilities, label).flatten(1), label.flatten(1).long()
    source, lost, counts = _sources(right, classes, _rows(phi), max_candidates)
    corrected = _rows(probabilities)[source]
    if counts["lost"]:
        own = _rows(swap_incorrect(probabilities, label))
        rows, known = _remembered(memory, own, classes.flatten())
        corrected = torch.where(lost[:, None], torch.where(known[:, None], rows, own), corrected)
        counts["memory"] = int((lost & known).sum())
        counts["swap"] = counts["lost"] - counts["memory"]
    if tally is not None:
        tally.update({kind: n for kind, n in counts.items() if n and kind != "lost"})
    restored = corrected.reshape(*right.shape, -1).transpose(1, 2)
    return restored.reshape(probabilities.shape)


def _remembered(memory: Tensor | None, like: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
    """The memory's row of each pixel's class, and whether it is right for it: (N P, K), (N P,)."""
    if memory is None:
        return like, torch.zeros_like(classes, dtype=torch.bool)
    memory = memory.to(like)
    own = torch.arange(len(memory), device=memory.device)[:, None, None]
    return memory[classes], is_correct(memory[:, :, None], own).flatten()[classes]


def _rows(maps: Tensor) -> Tensor:
    """(N, C, *spatial) to one row a pixel: (N P, C)."""
    return maps.flatten(2).transpose(1, 2).flatten(0, 1)


def _sources(right: Tensor, classes: Tensor, phi: Tensor, max_candidates: int | None) -> tuple[Tensor, Tensor, Counter]:
    """From which pixel (N P,) each takes its value, those for which there is none, and how many of each kind there are.

    ``right`` and ``classes`` are (N, P), ``phi`` (N P, D). The number of wrong pixels is not known beforehand: this is the one
    place where the host waits.
    """
    positions = right.shape[1]
    right, classes = right.flatten(), classes.flatten()
    source = torch.arange(len(right), device=right.device)
    lost = torch.zeros_like(right)
    counts: Counter = Counter()
    wrong = (~right).nonzero().flatten()
    count = int(classes.max()) + 1
    groups = wrong // positions * count + classes[wrong]
    for group in groups.unique().tolist():
        image, k = divmod(group, count)
        asking = wrong[groups == group]
        alike = (right & (classes == k)).nonzero().flatten()
        of_image = alike[alike // positions == image]
        offered, kind = (of_image, "image") if len(of_image) else (alike, "batch")
        if not len(offered):
            lost[asking], kind = True, "lost"
        else:
            if max_candidates is not None and len(offered) > max_candidates:
                chosen = torch.randperm(len(offered), device=offered.device)[:max_candidates]
                offered = offered[chosen.sort().values]
            source[asking] = offered[most_similar(phi[asking], phi[offered])]
        counts[kind] += len(asking)
    return source, lost, counts


def most_similar(queries: Tensor, candidates: Tensor) -> Tensor:
    """Index of the candidate with the largest cosine to each query, of equals the lowest: (W, D), (C, D) to (W,).

    A KD-tree on the unit vectors for many pairs in few dimensions on a CPU, else products in blocks; memory grows with
    W + C. An all-zero vector has cosine 0 with everything.
    """
    queries, candidates = (F.normalize(x.float(), dim=1, eps=1e-30) for x in (queries, candidates))
    pairs = queries.shape[0] * candidates.shape[0]
    if queries.device.type == "cpu" and queries.shape[1] <= _TREE_DIMENSIONS and pairs > _TREE_PAIRS:
        return _by_tree(queries.numpy(), candidates.numpy())
    return _by_products(queries, candidates)


def _by_products(queries: Tensor, candidates: Tensor) -> Tensor:
    if not len(queries):
        return torch.zeros(0, dtype=torch.long, device=queries.device)
    block = max(1, _BLOCKS.get(queries.device.type, 2**24) // candidates.shape[0])
    products = (part @ candidates.T for part in queries.split(block))
    if queries.device.type == "cpu":
        # NumPy's search for the largest is several times faster; of equals both give the first
        return torch.from_numpy(np.concatenate([product.numpy().argmax(axis=1) for product in products]))
    return torch.cat([product.argmax(dim=1) for product in products])


def _by_tree(queries: np.ndarray, candidates: np.ndarray) -> Tensor:
    """The nearest unit vector has the largest cosine. Equal vectors are one point of the tree, the first of them."""
    is_zero = ~candidates.any(axis=1)
    first = np.flatnonzero(~is_zero & ~pd.DataFrame(candidates).duplicated().to_numpy())
    nearest = np.zeros(len(queries), dtype=np.int64)
    if len(first):
        # one look-up a query: a tree that is built fast is better than one that is searched fast
        distances, found = cKDTree(candidates[first], balanced_tree=False, compact_nodes=False).query(queries, k=2)
        nearest = first[np.minimum(found[:, 0], len(first) - 1)]
        # of others as near the lowest index counts, and a zero vector, of cosine 0, is better than one that points away
        unclear = distances[:, 0] == distances[:, 1]
        if is_zero.any():
            unclear |= np.einsum("ij,ij->i", queries, candidates[nearest]) <= 0
        nearest[unclear] = _by_products(torch.from_numpy(queries[unclear]), torch.from_numpy(candidates)).numpy()
    nearest[~queries.any(axis=1)] = 0
    return torch.from_numpy(nearest)
