"""The teacher team: T and its two assistants, seen by a loss as one teacher whose soft labels are right."""

from __future__ import annotations

from collections import Counter

import torch
from torch import Tensor, nn

from medkd.networks import Features, FeatureTaps

from .chain import SoftLabels, correct_soft_labels
from .wrong import swap_wrong

__all__ = ["TeacherTeam", "log_probabilities"]

# Below it a probability is as good as none, and its logarithm would rule the loss.
_FLOOR = 1e-6


def log_probabilities(probabilities: Tensor) -> Tensor:
    """Logits whose softmax at temperature T is proportional to probabilities^(1/T): the logarithm, floored at 1e-6."""
    floored = probabilities.clamp_min(_FLOOR)
    return (floored / floored.sum(dim=1, keepdim=True)).log()


class TeacherTeam(nn.Module):
    """T's `Features`, with logits that are right at every pixel of a training image.

    Called ``team(image, target)``; ``needs_target`` tells the trainer so. For training images alone: the label decides what
    is wrong.

    Args:
        teacher: T, tapped; its penultimate map is the embedding of the similarity correction.
        false_pixel, boundary: the assistants TA_f and TA_b; None leaves one out.
        similarity: whether what is still wrong is copied from the most similar right pixel.
        swap: the control in the place of all that: the two values of a wrong pixel are exchanged.
        max_candidates: of the similarity correction, None is exact.

    ``tally`` counts the pixels that similarity corrected, by the source of their new value.
    """

    needs_target = True

    def __init__(
        self,
        teacher: FeatureTaps,
        false_pixel: nn.Module | None = None,
        boundary: nn.Module | None = None,
        similarity: bool = True,
        swap: bool = False,
        max_candidates: int | None = None,
    ) -> None:
        super().__init__()
        self.teacher, self.false_pixel, self.boundary = teacher, false_pixel, boundary
        self.similarity, self.swap, self.max_candidates = similarity, swap, max_candidates
        self.tally: Counter = Counter()

    def forward(self, image: Tensor, target: Tensor) -> Features:
        """Image (N, C, *spatial) and labels (N, 1, *spatial)."""
        features = self.teacher(image)
        if self.swap:
            ultimate = swap_wrong(torch.softmax(features.logits.float(), dim=1), target)
        else:
            ultimate = self.soft_labels(image, target, features).ultimate
        return features._replace(logits=log_probabilities(ultimate))

    def soft_labels(self, image: Tensor, target: Tensor, features: Features | None = None) -> SoftLabels:
        """The four stages of the chain; T's features may be given where they are there already."""
        features = self.teacher(image) if features is None else features
        # float32: half precision makes ties at 0.5
        initial = torch.softmax(features.logits.float(), dim=1)
        first, second = (
            None if network is None else torch.softmax(network(image).float(), dim=1)
            for network in (self.false_pixel, self.boundary)
        )
        embedding = (features.decoder or features.encoder)[-1]
        return correct_soft_labels(
            initial, target, first, second, embedding, self.similarity, self.max_candidates, self.tally
        )
