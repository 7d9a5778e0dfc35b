"""Plain formulas of the losses whose authors' code is not public, as one would write them down first."""

from __future__ import annotations

from typing import Any

import torch
from monai.losses import DiceCELoss
from torch import Tensor
from torch.nn import functional as F

from medkd.losses._wavelets import daubechies
from medkd.networks import Features


def _resized(maps: Tensor, size: torch.Size) -> Tensor:
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=False)


def _kd(student: Tensor, teacher: Tensor) -> Tensor:
    log_student, target = F.log_softmax(student / 4, dim=1), F.softmax(teacher / 4, dim=1)
    return 16 * F.kl_div(log_student, target, reduction="none").sum(dim=1).mean()


def _importance(feature: Tensor) -> Tensor:
    return F.normalize(feature.pow(4).mean(dim=1).flatten(1))


def hifd(module: Any, student: Features, teacher: Features, label: Tensor) -> Tensor:
    """Return HIFD: at each stage the teacher's predictions and bottleneck, harder stages with more weight."""
    late, values = teacher.encoder[-1], []
    for head, stage in zip(module.heads, student.encoder, strict=False):
        distance = (_importance(_resized(stage, late.shape[2:])) - _importance(late)).square().sum(dim=1).mean()
        values.append(_kd(_resized(head(stage), teacher.logits.shape[2:]), teacher.logits) + distance)
    stacked = torch.stack(values)
    return (stacked * stacked.detach() / stacked.detach().mean()).sum()


def imf(module: Any, student: Features, teacher: Features, label: Tensor) -> Tensor:
    """Return IMF: a branch on each stage, and the weighted sum of the branches' predictions."""
    size, late = teacher.logits.shape[2:], teacher.encoder[-1]
    merged, features = torch.zeros_like(teacher.logits), late.new_zeros(())
    weights = module.attention.softmax(dim=0)
    for weight, branch, head, stage in zip(weights, module.branches, module.heads, student.encoder, strict=True):
        edges = [min(edge, 2 * deep) for edge, deep in zip(stage.shape[2:], late.shape[2:], strict=True)]
        branched = branch(F.adaptive_avg_pool2d(stage, edges))
        merged = merged + weight[:, None, None] * _resized(head(branched), size)
        features = features + F.mse_loss(branched, _resized(late, branched.shape[2:]))
    task = DiceCELoss(softmax=True, to_onehot_y=True)(merged, label)
    return task + _kd(merged, teacher.logits) + features


def dcd(module: Any, student: Tensor, teacher: Tensor, label: Tensor) -> Tensor:
    """Return DCD in 2-D by convolutions with whole kernels, of the maps of both networks."""
    low, high = (torch.tensor(values) for values in daubechies("db4"))
    kernels = torch.stack([torch.outer(a, b) for a in (low, high) for b in (low, high)]).unsqueeze(1)
    padding, chosen = len(low) - 1, torch.tensor([0.0, 1.0, 1.0, 0.0])[:, None, None]
    maps, errors = [f.flatten(0, 1).unsqueeze(1) for f in (student, teacher)], []
    for _ in range(3):
        size = maps[0].shape[2:]
        bands = [F.conv2d(f, kernels, stride=2, padding=padding) for f in maps]
        details = [F.conv_transpose2d(b * chosen, kernels.flip(2, 3), stride=2, padding=padding) for b in bands]
        errors.append(F.mse_loss(*(d[..., : size[0], : size[1]] for d in details)))
        maps = [b[:, :1] for b in bands]
    return torch.stack(errors).mean()


PLAIN = {"HIFD": hifd, "IMF": imf, "DCD": dcd}
