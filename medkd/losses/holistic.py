"""Holistic distillation, the adversarial term of Structured KD."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medkd.parallel import average_gradients

from ._common import check_axes, check_classes, check_positive, check_same_shape, full_precision, no_autocast
from ._discriminator import SMALLEST_EDGE, Discriminator
from .self_optimizing import SelfOptimizing

__all__ = ["HolisticLoss", "gradient_penalty", "hinge_loss", "wasserstein_loss"]


def hinge_loss(on_student: Tensor, on_teacher: Tensor) -> Tensor:
    """Return the discriminator's hinge loss E[relu(1 - D(t))] + E[relu(1 + D(s))].

    Args:
        on_student: scores D(s).
        on_teacher: scores D(t).

    Example:
        >>> hinge_loss(torch.tensor([-1.0]), torch.tensor([1.0]))
        tensor(0.)
    """
    return F.relu(1 - on_teacher).mean() + F.relu(1 + on_student).mean()


def wasserstein_loss(on_student: Tensor, on_teacher: Tensor) -> Tensor:
    """Return the discriminator's Wasserstein loss E[D(s)] - E[D(t)], to which `gradient_penalty` is added.

    Args:
        on_student: scores D(s).
        on_teacher: scores D(t).

    Example:
        >>> wasserstein_loss(torch.tensor([-1.0]), torch.tensor([1.0]))
        tensor(-2.)
    """
    return on_student.mean() - on_teacher.mean()


def gradient_penalty(discriminator: nn.Module, student: Tensor, teacher: Tensor) -> Tensor:
    """Return E[(|grad D(x)|_2 - 1)^2] at x between teacher and student, one random weight an image.

    The discriminator is differentiated twice.

    Args:
        discriminator: returns a tuple of scores.
        student: logits (N, K, *spatial).
        teacher: logits of the same shape.
    """
    weight = torch.rand(student.shape[0], *[1] * (student.ndim - 1), dtype=student.dtype, device=student.device)
    between = (weight * teacher + (1 - weight) * student).requires_grad_()
    (gradient,) = torch.autograd.grad(discriminator(between)[0].sum(), between, create_graph=True)
    return (torch.linalg.vector_norm(gradient.flatten(1), dim=1) - 1).square().mean()


class HolisticLoss(SelfOptimizing):
    r"""Teach the student segmentations that a discriminator cannot tell from the teacher's, each seen as a whole.

    .. math:: L^S = -E[D(z^s)], \quad L^D = E[relu(1 - D(z^t))] + E[relu(1 + D(z^s))]

    or, with ``mode="wgan-gp"``, L^D = E[D(z^s)] - E[D(z^t)] + 10 E[(\|\|grad D\|\| - 1)^2].

    `forward` computes the student's term, in which the discriminator is constant. The trainer calls `step` after the
    student's step: it updates the discriminator on the maps of the last training forward. The optimizer is part of
    ``state_dict``. ``components["discriminator"]`` is L^D of the last step.

    Args:
        spatial_dims: 2 or 3.
        num_classes: K of the logits.
        mode: "hinge" or "wgan-gp" (slower: a second derivative).
        learning_rate: learning rate of the discriminator's Adam, with betas (0.9, 0.99) as in CIRKD's code.
        penalty: weight of the gradient penalty (authors' code: 10).
        edge: shortest edge in pixels, at least 64, that average pooling of the logits may leave: they are pooled by the
            largest such factor. None: no pooling. (The authors' networks give logits at an eighth of the image, 65 x 65.)

    Shape:
        student, teacher: logits (N, K, *spatial) of equal shape, every edge at least 64.

    Raises:
        ValueError: for an unknown mode, other shapes, another number of classes, or an edge below 64.

    Example:
        >>> loss = HolisticLoss(spatial_dims=2, num_classes=2)
        >>> logits = torch.rand(1, 2, 64, 64)
        >>> loss(logits, logits).shape
        torch.Size([])

    Reference: Liu et al., Structured Knowledge Distillation for Dense Prediction, TPAMI 2020. As in the authors' code, the
    discriminator sees the logits alone; that of the paper is conditioned on the image as well. Differs from that code:
    Adam instead of SGD; keys and values of the attention are pooled to 16 cells an axis, so that memory grows with the
    pixels and not with their square (the same up to edges of 128); no attention in 3-D. Under Adam the weight 0.1 that
    their scripts give L^D has no effect, and is left out. With two classes this is a weak signal.

    In a preset: ``holistic: {tap: logits, weight: 0.001, loss: {_target_: medkd.losses.HolisticLoss, spatial_dims: 2, ...}}``
    """

    def __init__(
        self,
        spatial_dims: int,
        num_classes: int,
        mode: str = "hinge",
        learning_rate: float = 4e-4,
        penalty: float = 10.0,
        edge: int | None = None,
    ) -> None:
        super().__init__()
        if mode not in ("hinge", "wgan-gp"):
            raise ValueError(f"HolisticLoss: mode must be 'hinge' or 'wgan-gp', found {mode!r}")
        check_positive("HolisticLoss", learning_rate=learning_rate)
        if edge is not None and edge < SMALLEST_EDGE:
            raise ValueError(f"HolisticLoss: edge {edge} found, expected at least {SMALLEST_EDGE}")
        self.edge, self.spatial_dims = edge, spatial_dims
        self.mode, self.penalty, self.num_classes = mode, penalty, num_classes
        self.discriminator = Discriminator(spatial_dims, num_classes)
        self.optimizer = torch.optim.Adam(self.discriminator.parameters(), learning_rate, (0.9, 0.99), fused=True)
        self.components = {"discriminator": torch.zeros(())}
        self._seen: tuple[Tensor, Tensor] | None = None

    def forward(self, student: Tensor, teacher: Tensor, target: Tensor | None = None) -> Tensor:
        """Compute the student's term on two tensors of logits (N, K, *spatial); target is not used."""
        self._check(student, teacher)
        with no_autocast(student), _constant(self.discriminator):
            z_s, z_t = self._pool(student), self._pool(teacher.detach())
            if self.training and torch.is_grad_enabled():
                self._seen = z_s.detach(), z_t
            return -self.discriminator(z_s)[0].mean()

    def discriminator_loss(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return L^D on two tensors of logits (N, K, *spatial), neither of which gets a gradient."""
        self._check(student, teacher)
        with no_autocast(student):
            z_s, z_t = self._pool(student.detach()), self._pool(teacher.detach())
            scores = self.discriminator(z_s, z_t)
            if self.mode == "hinge":
                return hinge_loss(*scores)
            return wasserstein_loss(*scores) + self.penalty * gradient_penalty(self.discriminator, z_s, z_t)

    def step(self) -> None:
        """Update the discriminator on the maps of the last training forward. No gradient is left."""
        if self._seen is None:
            return
        seen, self._seen = self._seen, None
        self.optimizer.zero_grad(set_to_none=True)
        value = self.discriminator_loss(*seen)  # they are pooled: a second pooling changes nothing
        value.backward()
        average_gradients(self.discriminator)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.components = {"discriminator": value.detach()}

    def get_extra_state(self) -> dict[str, Any]:
        """Return the state of the optimizer, a part of ``state_dict``."""
        return self.optimizer.state_dict()

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Load the state of the optimizer from a ``state_dict``."""
        self.optimizer.load_state_dict(state)

    def _pool(self, logits: Tensor) -> Tensor:
        """Average-pool logits (N, K, *spatial) by the largest factor that leaves their shortest edge at ``edge`` or more."""
        factor = 1 if self.edge is None else min(logits.shape[2:]) // self.edge
        pool = F.avg_pool2d if logits.ndim == 4 else F.avg_pool3d
        return full_precision(logits) if factor <= 1 else pool(full_precision(logits), factor)

    def _check(self, student: Tensor, teacher: Tensor) -> None:
        """Raise ValueError unless the logits fit the discriminator."""
        check_same_shape("HolisticLoss", student, teacher)
        check_classes("HolisticLoss", student)
        check_axes("HolisticLoss", self.spatial_dims, student, teacher)
        if student.shape[1] != self.num_classes or min(student.shape[2:]) < SMALLEST_EDGE:
            raise ValueError(
                f"HolisticLoss: student {tuple(student.shape)} and teacher {tuple(teacher.shape)} must have "
                f"{self.num_classes} classes and edges of at least {SMALLEST_EDGE}"
            )


@contextmanager
def _constant(module: nn.Module) -> Iterator[None]:
    """Build no graph for the parameters of a module: a backward leaves their gradients as they are."""
    module.requires_grad_(False)
    try:
        yield
    finally:
        module.requires_grad_(True)
