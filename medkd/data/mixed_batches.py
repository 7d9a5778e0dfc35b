"""Batches of labelled and unlabelled images in a fixed proportion."""

from __future__ import annotations

from collections.abc import Iterator, Sized
from typing import cast

import torch
from monai.data import Dataset
from torch.utils.data import Sampler

from .unlabelled import count_labelled

__all__ = ["MixedSampler", "mixed_sampler", "note_share"]


class MixedSampler(Sampler[int]):
    """Sample batches, each with the same numbers of labelled and unlabelled items. An epoch is once through the labelled ones.

    Each batch has round(batch_size * share) unlabelled items, at least one, and at least one labelled item. With fewer labelled
    items than a batch takes, the epoch is one smaller batch; otherwise an incomplete last batch is left out. Unlabelled items
    are drawn uniformly: each is drawn once before any is drawn again, and each epoch begins anew, as an exact resume needs it.
    The order follows torch's global seed.

    Args:
        labelled: of a fixed length; it samples indices of labelled items.
        unlabelled: indices of the unlabelled items.
        batch_size: items of a batch, 2 or more.
        share: of the unlabelled items in a batch.

    Attributes:
        block: items of each batch. In a run of several processes each takes whole batches.
        left_out: number of labelled items of the incomplete last batch.

    Raises:
        ValueError: for a batch size of 1.

    Example:
        >>> from torch.utils.data import SequentialSampler
        >>> sampler = MixedSampler(SequentialSampler(range(4)), range(4, 5), batch_size=3, share=0.4)
        >>> list(sampler)
        [0, 1, 4, 2, 3, 4]
    """

    def __init__(self, labelled: Sampler[int], unlabelled: range, batch_size: int, share: float) -> None:
        if batch_size < 2:
            raise ValueError(
                f"--batch_size {batch_size}: expected 2 or more, a labelled and an unlabelled image (or --unlabelled none)"
            )
        self.labelled, self.unlabelled = labelled, unlabelled
        total = len(cast(Sized, labelled))
        self._unlabelled_count = min(max(1, round(batch_size * share)), batch_size - 1)
        self._labelled_count = min(total, batch_size - self._unlabelled_count)
        self.block = self._labelled_count + self._unlabelled_count
        self._batches, self.left_out = divmod(total, self._labelled_count)

    def __len__(self) -> int:
        return self._batches * self.block

    def __iter__(self) -> Iterator[int]:
        # drawn at once: workers and the training must not shift the random numbers
        labelled = list(self.labelled)
        needed = self._batches * self._unlabelled_count
        passes = -(-needed // len(self.unlabelled))
        order = torch.cat([torch.randperm(len(self.unlabelled)) for _ in range(passes)]).tolist()
        for batch in range(self._batches):
            yield from labelled[batch * self._labelled_count :][: self._labelled_count]
            yield from (self.unlabelled[i] for i in order[batch * self._unlabelled_count :][: self._unlabelled_count])


def mixed_sampler(labelled: Sampler[int], dataset: Dataset, batch_size: int, share: float) -> Sampler[int]:
    """Return a `MixedSampler` of a data set; the sampler itself if all items, or none, are labelled.

    Args:
        labelled: samples what an epoch goes through, see `medkd.data.epoch_indices`.
        dataset: entries, or slices of entries; those with labels come first.
        batch_size: items of a batch.
        share: of the unlabelled items in a batch.

    Raises:
        ValueError: for a batch size of 1 where there are both.
    """
    count = count_labelled(dataset)
    if count in (0, len(dataset)):
        return labelled
    return MixedSampler(labelled, range(count, len(dataset)), batch_size, share)


def note_share(is_given: bool, labelled: int, unlabelled: int) -> None:
    """Print a note where ``--unlabelled_share`` has no effect.

    Args:
        is_given: whether the command line has the option.
        labelled: number of labelled cases.
        unlabelled: number of unlabelled cases.

    Example:
        >>> note_share(True, labelled=8, unlabelled=0)
        note: --unlabelled_share has no effect: all training cases have labels
    """
    if is_given and not (labelled and unlabelled):
        which = "no training case has a label" if unlabelled else "all training cases have labels"
        print(f"note: --unlabelled_share has no effect: {which}", flush=True)
