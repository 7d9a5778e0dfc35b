"""The teacher team: T and its two assistants, seen by a loss as one teacher whose soft labels are right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import torch
from monai.utils.enums import CommonKeys
from torch import Tensor, nn

from medkd.networks import Features, FeatureTaps

from .chain import SoftLabels, correct_soft_labels
from .correctness import swap_incorrect
from .memory import CorrectMemory

__all__ = ["Correction", "TeacherTeam", "TeamOutputs", "log_probabilities"]

# Below it a probability is as good as none, and its logarithm would rule the loss.
_FLOOR = 1e-6


def log_probabilities(probabilities: Tensor) -> Tensor:
    """Logits whose softmax at temperature T is proportional to probabilities^(1/T): the logarithm, floored at 1e-6."""
    floored = probabilities.clamp_min(_FLOOR)
    return (floored / floored.sum(dim=1, keepdim=True)).log()


class TeamOutputs(NamedTuple):
    """What the networks of a team say of a batch: logits (N, K, *spatial), T's embedding (N, D, *any)."""

    teacher: Tensor
    false_pixel: Tensor | None = None
    boundary: Tensor | None = None
    embedding: Tensor | None = None


class Correction:
    """From the outputs of a team to right soft labels: the chain with its settings, its memory and its counts.

    Args:
        similarity: whether what is still wrong after the assistants is copied from the most similar right pixel.
        swap: the control in the place of all that: the two values of a wrong pixel are exchanged.
        max_candidates: of the similarity correction, None is exact.

    ``tally`` counts the pixels that similarity corrected, by the source of their new value.
    """

    def __init__(self, similarity: bool = True, swap: bool = False, max_candidates: int | None = None) -> None:
        self.similarity, self.swap, self.max_candidates = similarity, swap, max_candidates
        self.memory = CorrectMemory()
        self.tally: Counter = Counter()

    def __call__(self, outputs: TeamOutputs, target: Tensor) -> SoftLabels:
        """The four stages for labels (N, 1, *spatial), in float32 whatever the precision; swap has its result in the last."""
        with torch.autocast(target.device.type, enabled=False):
            return self._corrected(outputs, target)

    def _corrected(self, outputs: TeamOutputs, target: Tensor) -> SoftLabels:
        # float32: half precision makes ties at 0.5
        initial, first, second = (None if z is None else torch.softmax(z.float(), dim=1) for z in outputs[:3])
        if self.swap:
            return SoftLabels(initial, initial, initial, swap_incorrect(initial, target))
        settings = (self.similarity, self.max_candidates, self.tally, self.memory.rows)
        labels = correct_soft_labels(initial, target, first, second, outputs.embedding, *settings)
        if self.similarity:
            self.memory.update(labels.boundary, target)
        return labels


class TeacherTeam(nn.Module):
    """T's `Features`, with logits that are right at every pixel of a training image.

    Called ``team(image, target)``. For training images alone: the label decides what is wrong.

    Args:
        teacher: T, tapped; its penultimate map is the embedding of the similarity correction.
        false_pixel, boundary: the assistants TA_f and TA_b; None leaves one out.
        similarity, swap, max_candidates: see `Correction`.
    """

    reads = CommonKeys.IMAGE  # what of a batch it is called with, beside the labels

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
        self.correction = Correction(similarity, swap, max_candidates)

    def forward(self, image: Tensor, target: Tensor) -> Features:
        """Image (N, C, *spatial) and labels (N, 1, *spatial)."""
        features = self.teacher(image)
        ultimate = self.correction(self._outputs(image, features), target).ultimate
        return features._replace(logits=log_probabilities(ultimate))

    def soft_labels(self, image: Tensor, target: Tensor) -> SoftLabels:
        """The four stages of the chain."""
        return self.correction(self.outputs(image), target)

    def outputs(self, image: Tensor) -> TeamOutputs:
        """Of all its networks."""
        return self._outputs(image, self.teacher(image))

    def _outputs(self, image: Tensor, features: Features) -> TeamOutputs:
        assistants = (None if network is None else network(image) for network in (self.false_pixel, self.boundary))
        embedding = (features.decoder or features.encoder)[-1] if self.searches else None
        return TeamOutputs(features.logits, *assistants, embedding)

    @property
    def searches(self) -> bool:
        """Whether the similarity correction is part of it, which reads the embedding."""
        return self.correction.similarity and not self.correction.swap

    @property
    def members(self) -> Sequence[nn.Module]:
        """Its networks: T and the assistants that it has."""
        return [network for network in (self.teacher.network, self.false_pixel, self.boundary) if network is not None]
