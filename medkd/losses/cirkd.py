"""Cross-image relational knowledge distillation (CIRKD)."""

from __future__ import annotations

import math

import torch
from monai.networks.layers.factories import Conv
from monai.networks.layers.utils import get_norm_layer
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.loss import _Loss

from medkd.parallel import concat_all_gather

from ._common import (
    check_channels,
    check_num_classes,
    check_positive,
    full_precision,
    no_autocast,
    one_hot_at,
    resize,
    smallest_size,
)
from .class_queue import ClassQueue

__all__ = ["CIRKDLoss", "contrast_divergence", "image_pair_divergence"]

_NODES = {2: 784, 3: 512}
_FAR = 1e4


def image_pair_divergence(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Mean over pairs of images and over rows of KL(softmax(S^t_ij) || softmax(S^s_ij)), S_ij = X_i X_j^T / T.

    Unit vectors (N, n, C) of n nodes an image; the columns are the images of all processes. (N n)^2 numbers.
    """
    images, nodes, _ = student.shape
    rows = []
    for x in (student, teacher):
        columns = concat_all_gather(x).flatten(0, 1)
        rows.append(((x / temperature).flatten(0, 1) @ columns.T).reshape(images * nodes, -1, nodes))
    return _divergence(*rows)


def contrast_divergence(student: Tensor, teacher: Tensor, keys: Tensor, real: Tensor, temperature: float) -> Tensor:
    """Mean over anchors of KL between the softmaxes of their similarities to the same keys; 0 without any real key.

    Unit vectors: anchors (A, C), keys (M, C); ``real`` (M,) is false for keys that do not count.
    """
    # not -inf: where no key is real, the softmax must stay finite
    bias = torch.where(real, 0.0, -_FAR).to(student.dtype)
    rows = (torch.addmm(bias, anchors / temperature, keys.T) for anchors in (student, teacher))
    return _divergence(*rows) * real.any()


def _divergence(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean over rows of KL(softmax(teacher) || softmax(student)), over the last axis. A dot product saves large copies."""
    difference = F.log_softmax(student, dim=-1) - F.log_softmax(teacher, dim=-1)
    return -torch.dot(F.softmax(teacher, dim=-1).flatten(), difference.flatten()) / teacher[..., 0].numel()


class CIRKDLoss(_Loss):
    r"""How the pixels of all images resemble each other, and a memory of the teacher's pixels, is as the teacher has it.

    value = batch_weight * batch + pixel_weight * pixel + region_weight * region, with unit feature vectors x and

    - batch: mean over image pairs i, j (i = j too) and rows of KL(softmax(X^t_i X^t_j / T) \|\| softmax(X^s_i X^s_j / T)),
      no T^2, on maps average-pooled by the smallest whole factor an axis that leaves at most ``max_nodes`` nodes;
    - pixel, region: mean over anchors of KL(softmax(x^t V / T) \|\| softmax(g(x^s) V / T)), where V are vectors drawn from
      queues of the *teacher's* pixels and class means, the same number a class; g is a learnable projector.

    The queues are buffers and part of the checkpoint. They take up the teacher's vectors in training mode, from all
    processes, before V is drawn; what is not filled yet is never drawn.

    Args:
        spatial_dims: 2 or 3.
        student_channels, teacher_channels: of the tapped maps.
        num_classes: K.
        temperature: T (authors: 0.1).
        batch_weight, pixel_weight, region_weight: authors: 1, 0.1, 0.1 (their VOC scripts: 0.01 for the last two). With
            both memory weights 0 there is no queue and no projector.
        max_nodes: nodes an image of the batch term; None: 784 in 2-D, 512 in 3-D.
        pixel_queue, region_queue: slots a class. 2000 and 200: a tenth of the authors' 20000 and 2000, for data of
            dozens of images.
        pixel_keys, region_keys: vectors in V, all classes together (authors: 4096 and 1024).
        pixels_per_image: pixels of a class that an image adds to the queue (authors: 16).
        anchors: pixels an image whose similarities are compared (ours; the authors take all).
        norm: of the projector: "batch" (as the authors), or "instance" and the like for batches of 1 or 2 in 3-D.

    Shape:
        student (N, Cs, *spatial), teacher (N, Ct, *spatial); sizes may differ, the student is resized for the memory.
        target: (N, 1, *any) labels, taken to the teacher's map with mode "nearest".

    Raises:
        ValueError: for channels other than the constructor's, another batch size or number of axes, a missing target
            where a memory weight is not 0.

    Reference: Yang et al., Cross-Image Relational Knowledge Distillation for Semantic Segmentation, CVPR 2022. Differs
    from the authors' code, which enqueues the first pixels of an image in the place of those of the class, starts with
    random vectors in the queues, and overwrites the last slots where the ring ends.

    In a preset: ``cirkd: {tap: penultimate/4, weight: 1.0, loss: {_target_: medkd.losses.CIRKDLoss, spatial_dims: 2, ...}}``
    """

    def __init__(
        self,
        spatial_dims: int,
        student_channels: int,
        teacher_channels: int,
        num_classes: int,
        temperature: float = 0.1,
        batch_weight: float = 1.0,
        pixel_weight: float = 0.1,
        region_weight: float = 0.1,
        max_nodes: int | None = None,
        pixel_queue: int = 2000,
        region_queue: int = 200,
        pixel_keys: int = 4096,
        region_keys: int = 1024,
        pixels_per_image: int = 16,
        anchors: int = 128,
        norm: str = "batch",
    ) -> None:
        super().__init__()
        max_nodes = _NODES[spatial_dims] if max_nodes is None else max_nodes
        check_positive("CIRKDLoss", temperature=temperature, max_nodes=max_nodes, anchors=anchors)
        check_positive(
            "CIRKDLoss", pixel_queue=pixel_queue, region_queue=region_queue, pixels_per_image=pixels_per_image
        )
        check_positive("CIRKDLoss", pixel_keys=pixel_keys, region_keys=region_keys)
        check_num_classes("CIRKDLoss", num_classes)
        self.spatial_dims = spatial_dims
        self.channels, self.num_classes = (student_channels, teacher_channels), num_classes
        self.temperature = temperature
        self.weights = {"batch": batch_weight, "pixel": pixel_weight, "region": region_weight}
        self.grid = int(max_nodes ** (1 / spatial_dims) + 1e-9)
        self.keys = {"pixel": pixel_keys // num_classes + 1, "region": region_keys // num_classes + 1}
        self.pixels_per_image, self.anchors = pixels_per_image, anchors
        self.has_memory = bool(pixel_weight or region_weight)
        self.components = dict.fromkeys(self.weights if self.has_memory else ("batch",), torch.zeros(()))
        if self.has_memory:
            capacities = {"pixel": pixel_queue, "region": region_queue}
            self.queues = nn.ModuleDict(
                {name: ClassQueue(num_classes, size, teacher_channels) for name, size in capacities.items()}
            )
            conv = Conv[Conv.CONV, spatial_dims]
            self.projector = nn.Sequential(
                conv(student_channels, teacher_channels, kernel_size=1, bias=False),
                get_norm_layer(norm, spatial_dims, teacher_channels),
                nn.ReLU(inplace=True),
                conv(teacher_channels, teacher_channels, kernel_size=1, bias=False),
            )

    def forward(self, student: Tensor, teacher: Tensor, target: Tensor | None = None) -> Tensor:
        """The unweighted terms of the last call stay in ``components``, detached."""
        check_channels("CIRKDLoss", self.spatial_dims, self.channels, student, teacher)
        with no_autocast(student):
            f_s, f_t = full_precision(student), full_precision(teacher.detach())
            terms = {"batch": self._batch(f_s, f_t)}
            if self.has_memory:
                terms |= self._memory(f_s, f_t, one_hot_at("CIRKDLoss", target, f_t, self.num_classes))
        self.components = {name: term.detach() for name, term in terms.items()}
        return torch.stack([self.weights[name] * term for name, term in terms.items()]).sum()

    def _batch(self, f_s: Tensor, f_t: Tensor) -> Tensor:
        pool = F.adaptive_avg_pool2d if f_s.ndim == 4 else F.adaptive_avg_pool3d
        # by a whole factor: cells of equal size, and never more than the grid
        nodes = tuple(math.ceil(edge / math.ceil(edge / self.grid)) for edge in smallest_size([f_s, f_t]))
        x_s, x_t = (F.normalize(pool(f, nodes).flatten(2).transpose(1, 2), dim=2, eps=1e-12) for f in (f_s, f_t))
        return image_pair_divergence(x_s, x_t, self.temperature)

    def _memory(self, f_s: Tensor, f_t: Tensor, regions: Tensor) -> dict[str, Tensor]:
        x_t = F.normalize(f_t.flatten(2), dim=1, eps=1e-12)
        if self.training:
            self._remember(x_t, regions)
        places = self._anchor_places(x_t)
        anchors_t = x_t.gather(2, places.expand(-1, x_t.shape[1], -1)).transpose(1, 2).flatten(0, 1)
        picked = resize(f_s, f_t.shape[2:]).flatten(2).gather(2, places.expand(-1, f_s.shape[1], -1))
        # 1x1 convolutions may as well run on the anchors alone, laid out along one axis (the norm then sees no others)
        projected = self.projector(picked.reshape(*picked.shape, *[1] * (f_s.ndim - 3))).flatten(2)
        anchors_s = F.normalize(projected, dim=1, eps=1e-12).transpose(1, 2).flatten(0, 1)
        terms = {}
        for name, queue in self.queues.items():
            keys, real = queue.sample(self.keys[name])
            terms[name] = contrast_divergence(
                anchors_s, anchors_t, keys.flatten(0, 1), real.flatten(), self.temperature
            )
        return terms

    def _anchor_places(self, x_t: Tensor) -> Tensor:
        """Positions (N, 1, A) of each image: all, or as many as ``anchors`` by chance."""
        count, _, positions = x_t.shape
        if positions <= self.anchors:
            return torch.arange(positions, device=x_t.device).expand(count, 1, -1)
        return torch.rand(count, 1, positions, device=x_t.device).topk(self.anchors, dim=2, sorted=False).indices

    @torch.no_grad()
    def _remember(self, x_t: Tensor, regions: Tensor) -> None:
        """Adds random pixels of every class, and its mean, of every image of every process to the queues."""
        count = min(self.pixels_per_image, x_t.shape[2])
        drawn = torch.rand_like(regions).masked_fill(regions == 0, -1.0).topk(count, dim=2, sorted=False).indices
        pixels = (
            x_t[:, None]
            .expand(-1, self.num_classes, -1, -1)
            .gather(3, drawn[:, :, None].expand(-1, -1, x_t.shape[1], -1))
        )
        means = F.normalize(torch.einsum("nkp,ncp->nkc", regions, x_t), dim=2, eps=1e-12)[..., None]
        found = {
            "pixel": (pixels, regions.gather(2, drawn) > 0),
            "region": (means, regions.amax(dim=2, keepdim=True) > 0),
        }
        for name, (vectors, valid) in found.items():
            vectors, valid = (concat_all_gather(x) for x in (vectors, valid))
            queue = self.queues[name]
            rows = vectors.permute(1, 0, 3, 2).flatten(1, 2)  # (N, K, C, M) to (K, N M, C)
            queue.push(rows, valid.transpose(0, 1).flatten(1))
