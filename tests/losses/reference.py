"""Formulas written as loops over Python numbers, with which the losses are compared."""

import math

import torch
from torch.nn import functional as F


def sample(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def wave(*shape, seed=0):
    """Numbers that are the same on every machine: the inputs on which the authors' codes were run."""
    i = torch.arange(math.prod(shape), dtype=torch.float64)
    return (2 * torch.cos(0.7 * i * (seed + 1) + seed) + torch.sin(0.31 * i * i + seed)).reshape(shape)


def labels(*shape, classes=2, seed=5):
    return torch.randint(0, classes, shape, generator=torch.Generator().manual_seed(seed))


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def norm(vector):
    return math.sqrt(sum(x * x for x in vector))


def cosine(a, b):
    return dot(a, b) / (norm(a) * norm(b))


def unit(vector):
    length = norm(vector)
    return [x / length for x in vector] if length else list(vector)


def unit_vectors(feature):
    """List the unit vectors of all positions of (N, C, *spatial), image by image."""
    return [[unit(vector) for vector in image.flatten(1).T.tolist()] for image in feature]


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


def divergence(student, teacher, temperature):
    """T^2 times the mean over images and positions of KL(teacher || student), both tempered logits (N, K, *spatial)."""
    total, rows = 0.0, 0
    for z_s, z_t in zip(student.flatten(2), teacher.flatten(2), strict=True):
        for a, b in zip((z_t.T / temperature).tolist(), (z_s.T / temperature).tolist(), strict=True):
            total += kl(softmax(a), softmax(b))
            rows += 1
    return temperature**2 * total / rows


def importance_distance(student, teacher, p):
    """Mean over images of the squared distance of the importance maps of two maps (N, C, *spatial) of one size."""
    total = 0.0
    for pair in zip(student, teacher, strict=True):
        maps = (unit([sum(abs(v) ** p for v in column) for column in f.flatten(1).T.tolist()]) for f in pair)
        total += sum((a - b) ** 2 for a, b in zip(*maps, strict=True))
    return total / len(student)
