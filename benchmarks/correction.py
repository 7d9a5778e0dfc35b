"""Compare the similarity correction with products of all pairs in blocks: time, agreement, memory.

    python benchmarks/correction.py

The image has two classes and 5 % incorrect pixels. Embeddings have 3 channels (8-bit colours) or 64 (features). "blocks" and
"ours" search for the incorrect pixels of one class; the bounded correction is the whole call, for both classes.
"""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable

import fire
import torch
from torch import Tensor
from torch.nn import functional as F

from medkd.correction import correct_by_similarity
from medkd.correction.similarity import most_similar

_BLOCK = 2**24


def by_products(queries: Tensor, candidates: Tensor) -> Tensor:
    """Return the index of the most similar candidate of each query, by cosines of all pairs, 64 MiB at a time."""
    queries, candidates = F.normalize(queries, dim=1), F.normalize(candidates, dim=1)
    block = max(1, _BLOCK // len(candidates))
    return torch.cat([(rows @ candidates.T).argmax(dim=1) for rows in queries.split(block)])


def seconds(call: Callable[[], Tensor]) -> tuple[float, Tensor]:
    """Return the seconds of a call, and its result."""
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def cosines(queries: Tensor, candidates: Tensor, index: Tensor) -> Tensor:
    """Return the cosine of each query and its candidate."""
    return F.cosine_similarity(queries, candidates[index], dim=1)


def main(sizes: tuple[int, ...] = (128, 256, 512), rounds: int = 3, max_candidates: int = 4096, seed: int = 0) -> None:
    """Print one row per size and embedding: medians over interleaved rounds."""
    torch.manual_seed(seed)
    print(f"{torch.get_num_threads()} thread(s), {rounds} rounds\n")
    columns = ("image", "channels", "blocks, s", "ours, s", "blocks / ours", "difference of similarity")
    print(f"| {' | '.join(columns)} | {max_candidates} candidates, s | blocks / these |")
    print("|---|---|---|---|---|---|---|---|")
    for size in sizes:
        label = (torch.rand(1, 1, size // 16, size // 16) > 0.7).float()
        label = F.interpolate(label, (size, size)).long()
        incorrect = torch.rand(1, 1, size, size) < 0.05
        lesion = torch.where(incorrect, 1 - label, label).float() * 0.8 + 0.1
        probabilities = torch.cat([1 - lesion, lesion], dim=1)
        for channels in (3, 64):
            phi = torch.rand(1, channels, size, size)
            phi = (phi * 255).round() if channels == 3 else phi
            rows = phi.flatten(2)[0].T.contiguous()
            queries = rows[(incorrect & (label == 0)).flatten()]
            candidates = rows[(~incorrect & (label == 0)).flatten()]
            times: dict[str, list[float]] = {"blocks": [], "ours": [], "bounded": []}
            for _ in range(rounds):
                spent, slow = seconds(lambda: by_products(queries, candidates))  # noqa: B023
                times["blocks"].append(spent)
                spent, fast = seconds(lambda: most_similar(queries, candidates))  # noqa: B023
                times["ours"].append(spent)
                spent, _ = seconds(lambda: correct_by_similarity(probabilities, phi, label, max_candidates))  # noqa: B023
                times["bounded"].append(spent)
            difference = (cosines(queries, candidates, slow) - cosines(queries, candidates, fast)).abs().max().item()
            medians = {name: statistics.median(values) for name, values in times.items()}
            print(
                f"| {size} x {size} | {channels} | {medians['blocks']:.3f} | {medians['ours']:.3f} "
                f"| {medians['blocks'] / medians['ours']:.1f} | {difference:.1e} | {medians['bounded']:.3f} "
                f"| {medians['blocks'] / medians['bounded']:.1f} |",
                flush=True,
            )
    print(f"\nlargest memory of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


if __name__ == "__main__":
    fire.Fire(main)
