"""The teacher team: T and its two assistants, called by the trainer as one teacher with correct soft labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import torch
from monai.utils.enums import CommonKeys
from torch import Tensor, nn

from medkd.networks import Features, FeatureTaps

from .chain import SoftLabels, correct_soft_labels
from .correctness import log_probabilities, swap_incorrect
from .memory import CorrectMemory

__all__ = ["Correction", "TeacherTeam", "TeamOutputs"]


class TeamOutputs(NamedTuple):
    """The outputs of a team's networks on one batch.

    Example:
        >>> TeamOutputs(torch.rand(1, 2, 8, 8)).boundary is None
        True
    """

    teacher: Tensor
    """Logits (N, K, *spatial) of T."""
    false_pixel: Tensor | None = None
    """Logits (N, K, *spatial) of TA_f."""
    boundary: Tensor | None = None
    """Logits (N, K, *spatial) of TA_b."""
    embedding: Tensor | None = None
    """Map (N, D, *any) of T in which similarity is measured."""

    def of_images(self, indices: Tensor) -> TeamOutputs:
        """Return the outputs on some images of the batch, by their int64 indices (L,)."""
        return TeamOutputs._make(None if map_ is None else map_.index_select(0, indices) for map_ in self)


class Correction:
    """The correction chain with its settings, its memory and its counts.

    Args:
        similarity: whether a pixel that is incorrect after the assistants takes the values of the most similar correct one.
        swap: replaces the whole chain by the control `swap_incorrect`.
        max_candidates: see `correct_by_similarity`; None is exact.

    Attributes:
        memory: see `CorrectMemory`.
        tally: counts the pixels that the similarity correction changed, by the source of their new value.

    Example:
        >>> logits, label = torch.randn(2, 2, 8, 8), torch.randint(0, 2, (2, 1, 8, 8))
        >>> soft_labels = Correction()(TeamOutputs(logits), label)
        >>> torch.equal(soft_labels.ultimate.argmax(1, keepdim=True), label)
        True
    """

    def __init__(self, similarity: bool = True, swap: bool = False, max_candidates: int | None = None) -> None:
        self.similarity, self.swap, self.max_candidates = similarity, swap, max_candidates
        self.memory = CorrectMemory()
        self.tally: Counter = Counter()

    def __call__(self, outputs: TeamOutputs, target: Tensor) -> SoftLabels:
        """Return the four stages of the chain, computed in float32 under any autocast.

        Args:
            outputs: logits and embedding of the team.
            target: (N, 1, *spatial) integer labels.

        Returns:
            The stages; of the control swap, the first three are the teacher's probabilities.

        Raises:
            ValueError: If shapes do not fit.
        """
        with torch.autocast(target.device.type, enabled=False):
            return self._correct(outputs, target)

    def _correct(self, outputs: TeamOutputs, target: Tensor) -> SoftLabels:
        # float32, since half precision makes ties at 0.5
        initial = torch.softmax(outputs.teacher.float(), dim=1)
        if self.swap:
            return SoftLabels(initial, initial, initial, swap_incorrect(initial, target))
        soft_labels = correct_soft_labels(
            initial,
            target,
            _softmax(outputs.false_pixel),
            _softmax(outputs.boundary),
            outputs.embedding,
            self.similarity,
            self.max_candidates,
            self.tally,
            self.memory.rows,
        )
        if self.similarity:
            self.memory.update(soft_labels.boundary, target)
        return soft_labels


def _softmax(logits: Tensor | None) -> Tensor | None:
    return None if logits is None else torch.softmax(logits.float(), dim=1)


class TeacherTeam(nn.Module):
    """A teacher with T's `Features`, whose logits are correct at every pixel of a training image.

    It is called ``team(image, target)`` and returns T's features with the logits replaced by `log_probabilities` of the
    ultimate soft labels. It is for training images only, since the labels decide which pixels are incorrect. It answers
    the questions of a `medkd.teachers.NetworkTeacher`.

    Args:
        teacher: T, tapped. Its last decoder map, or its last encoder map if it has no decoder, is the embedding of the
            similarity correction.
        false_pixel: the assistant TA_f; None leaves it out.
        boundary: the assistant TA_b; None leaves it out.
        similarity: see `Correction`.
        swap: see `Correction`.
        max_candidates: see `Correction`.

    Example:
        >>> from medkd.networks import FeatureTaps, UNet
        >>> network = UNet(2, 1, 2, width=2).eval()
        >>> team = TeacherTeam(FeatureTaps(network, **network.default_taps()))
        >>> image, label = torch.rand(1, 1, 32, 32), torch.randint(0, 2, (1, 1, 32, 32))
        >>> torch.equal(team(image, label).logits.argmax(1, keepdim=True), label)
        True
    """

    reads: str = CommonKeys.IMAGE

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

    def forward(self, image: Tensor, target: Tensor, labelled: Tensor | None = None) -> Features:
        """Return T's features with logits that are corrected on labelled images, and T's on all others.

        Args:
            image: (N, C, *spatial).
            target: (N, 1, *spatial) integer labels.
            labelled: (L,) int64 indices of the images that have labels; None: all have.
        """
        features = self.teacher(image)
        return features._replace(logits=self.logits_from(self._add_assistants(image, features), target, labelled))

    def outputs(self, image: Tensor) -> TeamOutputs:
        """Return the outputs of all networks on an image (N, C, *spatial)."""
        return self._add_assistants(image, self.teacher(image))

    def logits_from(self, outputs: TeamOutputs, target: Tensor, labelled: Tensor | None = None) -> Tensor:
        """Return the logits (N, K, *spatial) for outputs of the networks and labels (N, 1, *spatial).

        Args:
            outputs: logits and embedding of the networks.
            target: labels.
            labelled: (L,) int64 indices of the images whose logits are corrected; None: all. The others keep T's logits.
        """
        if labelled is None:
            return log_probabilities(self.correction(outputs, target).ultimate)
        if len(labelled) == 0:
            return outputs.teacher.float()
        corrected = self.logits_from(outputs.of_images(labelled), target.index_select(0, labelled))
        return outputs.teacher.float().index_copy(0, labelled, corrected)

    def soft_labels(self, image: Tensor, target: Tensor) -> SoftLabels:
        """Return the four stages of the chain for an image (N, C, *spatial) and labels (N, 1, *spatial)."""
        return self.correction(self.outputs(image), target)

    def start_epoch(self) -> None:
        """Empty the memory, so that it depends on the batches of this epoch alone, as an exact resume needs it."""
        self.correction.memory.forget()

    def _add_assistants(self, image: Tensor, features: Features) -> TeamOutputs:
        false_pixel, boundary = (None if network is None else network(image) for network in self.assistants.values())
        return TeamOutputs(features.logits, false_pixel, boundary, self.embedding_of(features))

    def embedding_of(self, features: Features) -> Tensor | None:
        """Return the map of T in which similarity is measured; None if the chain does not read it."""
        return (features.decoder or features.encoder)[-1] if self.uses_embedding else None

    @property
    def assistants(self) -> dict[str, nn.Module | None]:
        """The assistants by their names in `TeamOutputs`; None for one that the team does not have."""
        return {"false_pixel": self.false_pixel, "boundary": self.boundary}

    @property
    def uses_embedding(self) -> bool:
        """Whether the similarity correction, which reads the embedding, is part of the chain."""
        return self.correction.similarity and not self.correction.swap

    @property
    def team(self) -> TeacherTeam:
        """The team itself: see `medkd.teachers.Teacher`."""
        return self

    @property
    def taps(self) -> FeatureTaps:
        """T, tapped."""
        return self.teacher

    @property
    def networks(self) -> Sequence[nn.Module]:
        """T and the assistants that the team has."""
        return [self.teacher.network, *(network for network in self.assistants.values() if network is not None)]

    @property
    def output_channels(self) -> dict[str, int]:
        """Channels of each of the `TeamOutputs` that the team gives, in order."""
        shapes = self.teacher.shapes
        logits = ["teacher", *(name for name, network in self.assistants.items() if network is not None)]
        embedding = {"embedding": (shapes.decoder or shapes.encoder)[-1].shape[1]} if self.uses_embedding else {}
        return {**dict.fromkeys(logits, shapes.logits.shape[1]), **embedding}
