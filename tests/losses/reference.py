"""Formulas written as loops over Python numbers, with which the losses are compared."""

import math

import torch
from torch.nn import functional as F


def sample(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def labels(*shape, classes=2, seed=5):
    return torch.randint(0, classes, shape, generator=torch.Generator().manual_seed(seed))


def norm(vector):
    return math.sqrt(sum(x * x for x in vector))


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True)) / (norm(a) * norm(b))


def kl(p, q):
    return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True) if a > 0)


def softmax(values):
    exponentials = [math.exp(v) for v in values]
    return [e / sum(exponentials) for e in exponentials]


def resized(x, size):
    mode = "bilinear" if x.ndim == 4 else "trilinear"
    return F.interpolate(x, size=size, mode=mode, align_corners=False)


def region_means(feature, target, classes):
    """{class: mean vector} of one image (C, H, W) with labels (H, W) of its size."""
    return {k: [f[target == k].mean().item() for f in feature] for k in range(classes) if bool((target == k).any())}
