"""Hierarchical layer-selective feedback distillation (HLFD)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from monai.networks.layers.factories import Conv
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.loss import _Loss

from medkd.networks import Features

from ._common import check_positive, check_same_batch, full_precision, no_autocast, resize, smallest_size, tempered_kl
from .at import at_loss

__all__ = ["HLFDLoss"]

_TERMS = ("ufd", "ifd", "upd", "ipd")


class HLFDLoss(_Loss):
    r"""Teach shallow student stages what deeper teacher stages see (importance maps) and predict (class distributions).

    With early = encoder[0], mids = encoder[1:-1], late as the argument says, A the importance map (mean over channels of
    \|f\|^p, L2-normalised) and h_j learnable 1x1 convolutions to the K classes:

    - UFD = \|\|A(student early) - A(concat of the teacher's mids)\|\|^2
    - IFD = sum over the student's mids of \|\|A(mid_j) - A(teacher late)\|\|^2
    - UPD = T^2 KL(mean of the distributions of the teacher's tempered auxiliary logits \|\| h_0(student early))
    - IPD = mean over the student's mids of T^2 KL(teacher logits \|\| h_j(mid_j))
    - value = beta (UFD + IFD) + lambda (UPD + IPD); distances are means over images, divergences over pixels as well.

    The auxiliary (deep-supervision) logits are ``Features.maps``. Neither the paper nor this loss has a term on the
    student's final logits.

    Args:
        spatial_dims: 2 or 3.
        student_channels: channels of all the student's encoder taps, bottleneck included, fine to coarse.
        num_classes: K of the teacher's logits.
        beta: weight of the feature terms (paper: 0.9).
        lambda_: weight of the prediction terms (paper: 0.1).
        p: power of the importance map (released code: 4).
        temperature: T (released code: 4).
        preset: "paper", or "repo" for the weights and taps of the released code (below).
        late: what IFD's target is: "bottleneck" for the teacher's encoder[-1], or "final" for its last map before the
            classifier, decoder[-1] (encoder[-1] of a teacher without decoder). Both are readings of the paper (below).
        terms: the terms that are computed, some of "ufd", "ifd", "upd", "ipd"; the others are 0.

    Shape:
        student, teacher: `Features`; encoder taps of equal batch size and number of axes, any channels and sizes.
        The teacher's ``maps``, auxiliary logits (N, K, *any), must not be empty if UPD is computed.

    Raises:
        ValueError: for fewer than three encoder taps, taps that do not fit ``student_channels``, empty teacher maps,
            or an unknown preset, reading of late, or term.

    Example:
        >>> encoder = tuple(torch.rand(1, 3, edge, edge) for edge in (16, 8, 4))
        >>> features = Features(torch.rand(1, 2, 16, 16), encoder, maps=(torch.rand(1, 2, 8, 8),))
        >>> HLFDLoss(2, student_channels=(3, 3, 3), num_classes=2)(features, features).shape
        torch.Size([])

    Reference: Gorade et al., Rethinking Intermediate Layers Design in Knowledge Distillation for Kidney and Liver
    Tumor Segmentation, ISBI 2024. Its equations 1 and 2 print a difference of maps without a norm, and its equations
    3 and 4 the reverse divergence; both are computed here as in the released code.

    Differs from the authors' code, which creates the 1x1 convolutions at random in each call, on the teacher's side as
    well. Here the student's convolutions are trained, and the teacher's predictions are those of its supervised heads,
    averaged as distributions. ``preset="repo"`` follows that code in these points: a factor 0.5 before each term, IPD as
    a sum, UFD with the teacher resized to the student, IFD with the student resized to the teacher, and encoder[-2] as
    the early prediction tap (so IPD takes encoder[:-2]). It does not follow the random convolutions.

    The paper allows two readings of "late". Section 2.2 says "the teacher encoder output z_late^t is passed through
    pre-trained teacher decoder", and section 2.1 takes it from "the pre-trained teacher encoder": the bottleneck, the
    default here, as in the released code. The abstract says that HLFD "transfers final layer knowledge to intermediate
    layers at both the feature and pixel levels": the final map. Section 1, "capturing features from terminal
    representation at an earlier stage", fits both. The bottleneck of a small image has few positions to tell where the
    teacher looks: 16 for 64 x 64 pixels at stride 16, 1024 for the paper's 512 x 512. docs/hlfd.md has measured both.

    In a preset: ``hlfd: {tap: features, weight: 1.0, loss: {_target_: medkd.losses.HLFDLoss, spatial_dims: 2, ...}}``
    """

    def __init__(
        self,
        spatial_dims: int,
        student_channels: Sequence[int],
        num_classes: int,
        beta: float = 0.9,
        lambda_: float = 0.1,
        p: float = 4,
        temperature: float = 4.0,
        preset: str = "paper",
        late: str = "bottleneck",
        terms: Sequence[str] = _TERMS,
    ) -> None:
        super().__init__()
        if preset not in ("paper", "repo"):
            raise ValueError(f"HLFDLoss: preset must be 'paper' or 'repo', found {preset!r}")
        if late not in ("bottleneck", "final"):
            raise ValueError(f"HLFDLoss: late must be 'bottleneck' or 'final', found {late!r}")
        if isinstance(terms, str) or not terms or not set(terms) <= set(_TERMS):
            raise ValueError(f"HLFDLoss: terms must be a list of some of {', '.join(_TERMS)}, found {terms!r}")
        if len(student_channels) < 3:
            raise ValueError(
                f"HLFDLoss: needs at least three encoder taps (early, mid, late), found {len(student_channels)}"
            )
        check_positive("HLFDLoss", temperature=temperature, p=p)
        self.student_channels = tuple(student_channels)
        self.num_classes = num_classes
        self.beta, self.lambda_, self.p, self.temperature = beta, lambda_, p, temperature
        self.preset, self.late = preset, late
        # a term of weight 0 is not computed: UPD alone needs a teacher with auxiliary logits
        weights = dict(zip(_TERMS, (beta, beta, lambda_, lambda_), strict=True))
        self.computed = tuple(term for term in _TERMS if term in terms and weights[term])
        conv = Conv[Conv.CONV, spatial_dims]
        self.heads = nn.ModuleList(conv(channels, num_classes, kernel_size=1) for channels in student_channels[:-1])
        self.components = dict.fromkeys(_TERMS, torch.zeros(()))

    def forward(self, student: Features, teacher: Features, target: Tensor | None = None) -> Tensor:
        """Compute the loss; target is not used. ``components`` keeps the four unweighted terms of the last call, detached."""
        self._check(student, teacher)
        with no_autocast(student.logits):
            student_stages = [full_precision(feature) for feature in student.encoder]
            teacher_stages = [full_precision(feature.detach()) for feature in teacher.encoder]
            late = full_precision(self._late(teacher).detach())
            zero = student_stages[0].new_zeros(())
            mids = student_stages[1:-1]
            ufd = self._unified_features(student_stages[0], teacher_stages[1:-1]) if "ufd" in self.computed else zero
            ifd = self._individual_features(mids, late) if "ifd" in self.computed else zero
            first, others = self._prediction_stages()
            upd = self._unified_predictions(student_stages, first, teacher) if "upd" in self.computed else zero
            ipd = self._individual_predictions(student_stages, others, teacher) if "ipd" in self.computed else zero
            half = 0.5 if self.preset == "repo" else 1.0
            self.components = {k: v.detach() for k, v in zip(_TERMS, (ufd, ifd, upd, ipd), strict=True)}
            return half * (self.beta * (ufd + ifd) + self.lambda_ * (upd + ipd))

    def _late(self, teacher: Features) -> Tensor:
        """Return the teacher's map that IFD teaches."""
        return teacher.decoder[-1] if self.late == "final" and teacher.decoder else teacher.encoder[-1]

    def _unified_features(self, early: Tensor, mids: list[Tensor]) -> Tensor:
        """Return UFD of the student's early map and the teacher's middle maps."""
        joined = torch.cat([resize(mid, smallest_size(mids)) for mid in mids], dim=1)
        size = tuple(early.shape[2:]) if self.preset == "repo" else smallest_size([early, joined])
        return at_loss(resize(early, size), resize(joined, size), self.p)

    def _individual_features(self, mids: list[Tensor], late: Tensor) -> Tensor:
        """Return IFD of the student's middle maps and the teacher's late map."""
        distances = []
        for mid in mids:
            size = tuple(late.shape[2:]) if self.preset == "repo" else smallest_size([mid, late])
            distances.append(at_loss(resize(mid, size), resize(late, size), self.p))
        return torch.stack(distances).sum()

    def _prediction_stages(self) -> tuple[int, list[int]]:
        """Return the stages that UPD and IPD teach: the bottleneck has no head."""
        stages = list(range(len(self.heads)))
        return (stages[-1], stages[:-1]) if self.preset == "repo" else (stages[0], stages[1:])

    def _predict(self, stages: list[Tensor], index: int, teacher: Features) -> Tensor:
        """Return a stage's logits at the teacher's size; the head runs at the stage's, so that K channels alone are resized."""
        return resize(self.heads[index](stages[index]), teacher.logits.shape[2:])

    def _unified_predictions(self, stages: list[Tensor], early: int, teacher: Features) -> Tensor:
        """Return UPD of a stage's logits and the mean distribution of the teacher's auxiliary logits."""
        size = teacher.logits.shape[2:]
        heads = [F.log_softmax(resize(full_precision(m.detach()), size) / self.temperature, 1) for m in teacher.maps]
        unified = torch.logsumexp(torch.stack(heads), dim=0) - math.log(len(heads))
        return tempered_kl(self._predict(stages, early, teacher), unified, self.temperature)

    def _individual_predictions(self, stages: list[Tensor], mids: list[int], teacher: Features) -> Tensor:
        """Return IPD of the stages' logits and the teacher's logits."""
        late = F.log_softmax(full_precision(teacher.logits.detach()) / self.temperature, dim=1)
        divergences = [tempered_kl(self._predict(stages, mid, teacher), late, self.temperature) for mid in mids]
        return torch.stack(divergences).sum() if self.preset == "repo" else torch.stack(divergences).mean()

    def _check(self, student: Features, teacher: Features) -> None:
        """Raise ValueError unless the taps and logits of both networks fit this loss."""
        channels = tuple(feature.shape[1] for feature in student.encoder)
        if channels != self.student_channels:
            raise ValueError(
                f"HLFDLoss: student encoder channels {channels} and student_channels {self.student_channels}"
            )
        if len(teacher.encoder) < 3:
            raise ValueError(f"HLFDLoss: needs at least three teacher encoder taps, found {len(teacher.encoder)}")
        if "upd" in self.computed and not teacher.maps:
            raise ValueError(
                "HLFDLoss: teacher.maps is empty: UPD needs deep-supervision heads (TappedNetwork adds them), lambda_=0, or "
                "terms without upd"
            )
        for student_map in student.encoder:
            for teacher_map in (*teacher.encoder, self._late(teacher), teacher.logits):
                check_same_batch("HLFDLoss", student_map, teacher_map)
        maps = teacher.maps if "upd" in self.computed else ()
        for logits in (student.logits, teacher.logits, *maps):
            if logits.ndim != teacher.logits.ndim or logits.shape[:2] != (teacher.logits.shape[0], self.num_classes):
                raise ValueError(
                    f"HLFDLoss: student {tuple(student.logits.shape)} and teacher {tuple(teacher.logits.shape)} logits, "
                    f"teacher maps {[tuple(m.shape) for m in maps]}: expected one batch size and {self.num_classes} classes"
                )
