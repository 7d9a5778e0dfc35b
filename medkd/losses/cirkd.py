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
    adaptive_avg_pool,
    check_channels,
    check_num_classes,
    check_positive,
    full_precision,
    no_autocast,
    one_hot_at,
    resize,
    smallest_size,
)
from ._similarity import contrast_divergence, image_pair_divergence
from .class_queue import ClassQueue

__all__ = ["CIRKDLoss"]

_NODES = {2: 784, 3: 512}


class CIRKDLoss(_Loss):
    r"""Teach the student the similarities of pixels across images, and of pixels to a memory of the teacher's pixels.

    value = batch_weight * batch + pixel_weight * pixel + region_weight * region, with unit feature vectors x and

    - batch: mean over image pairs i, j (i = j too) and rows of KL(softmax(X^t_i X^t_j / T) \|\| softmax(X^s_i X^s_j / T)),
      without T^2, on maps average-pooled by the smallest whole factor an axis that leaves at most ``max_nodes`` nodes;
    - pixel, region: mean over anchors of KL(softmax(x^t V / T) \|\| softmax(g(x^s) V / T)), where V are vectors sampled from
      queues of the *teacher's* pixels and class means, the same number a class; g is a learnable projector.

    The queues are buffers and part of the checkpoint. In training mode the teacher's vectors of all processes enter the
    queues before V is sampled: those of labelled images alone. Slots that are not filled yet do not count.

    Args:
        spatial_dims: 2 or 3.
        student_channels: channels Cs of the student's map.
        teacher_channels: channels Ct of the teacher's map.
        num_classes: K.
        temperature: T (authors: 0.1).
        batch_weight: weight of the batch term (authors: 1).
        pixel_weight: weight of the pixel term (authors: 0.1; their VOC scripts: 0.01).
        region_weight: weight of the region term (as ``pixel_weight``). With both memory weights 0 there is no queue and
            no projector.
        max_nodes: nodes an image of the batch term; None: 784 in 2-D, 512 in 3-D.
        pixel_queue: slots a class: a tenth of the authors' 20000, for data of dozens of images.
        region_queue: slots a class: a tenth of the authors' 2000.
        pixel_keys: vectors in V of the pixel term, all classes together (authors: 4096).
        region_keys: vectors in V of the region term, all classes together (authors: 1024).
        pixels_per_image: pixels of a class that an image adds to the queue (authors: 16).
        anchors: pixels an image whose similarities are compared (our addition; the authors take all).
        norm: norm of the projector, "batch" as the authors' or "instance" and the like for batches of 1 or 2 in 3-D.

    Shape:
        student (N, Cs, *spatial), teacher (N, Ct, *spatial). Sizes may differ: the student is resized for the memory.
        target: (N, 1, *any) labels, resized to the teacher's map with mode "nearest".

    Raises:
        ValueError: for three weights of 0; for channels other than the constructor's, another batch size or number of axes,
            or a missing target where a memory weight is not 0.

    Example:
        >>> loss = CIRKDLoss(2, student_channels=4, teacher_channels=6, num_classes=2)
        >>> loss(torch.rand(2, 4, 8, 8), torch.rand(2, 6, 8, 8), torch.zeros(2, 1, 32, 32)).shape
        torch.Size([])

    Reference: Yang et al., Cross-Image Relational Knowledge Distillation for Semantic Segmentation, CVPR 2022. Differs
    from the authors' code, which enqueues the first pixels of an image instead of those of the class, starts with random
    vectors in the queues, and overwrites the last slots where the ring ends.

    In a preset: ``cirkd: {tap: penultimate/4, weight: 1.0, loss: {_target_: medkd.losses.CIRKDLoss, spatial_dims: 2, ...}}``
    """

    reads_labelled = True
    queues: nn.ModuleDict
    projector: nn.Sequential

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
        if not batch_weight and not self.has_memory:
            raise ValueError(
                "CIRKDLoss: found batch_weight, pixel_weight and region_weight 0, expected one that is not"
            )
        # a term of weight 0 is left out: it costs time, and 0 times a value that is not finite is not 0
        names = (*(["batch"] if batch_weight else []), *(["pixel", "region"] if self.has_memory else []))
        self.components = dict.fromkeys(names, torch.zeros(()))
        if self.has_memory:
            capacities = {"pixel": pixel_queue, "region": region_queue}
            self.queues = nn.ModuleDict(
                {name: ClassQueue(num_classes, size, teacher_channels) for name, size in capacities.items()}
            )
            self.projector = _projector(spatial_dims, student_channels, teacher_channels, norm)

    def forward(
        self, student: Tensor, teacher: Tensor, target: Tensor | None = None, labelled: Tensor | None = None
    ) -> Tensor:
        """Compute the loss; ``components`` keeps the unweighted terms of the last call, detached.

        Args:
            student: map.
            teacher: map.
            target: labels.
            labelled: (L,) int64 indices of the images that have labels; None: all have.
        """
        check_channels("CIRKDLoss", self.spatial_dims, self.channels, student, teacher)
        with no_autocast(student):
            f_s, f_t = full_precision(student), full_precision(teacher.detach())
            terms = {"batch": self._batch(f_s, f_t)} if self.weights["batch"] else {}
            if self.has_memory:
                regions = one_hot_at("CIRKDLoss", target, f_t, self.num_classes)
                if labelled is not None:  # regions are read by the queues alone; shapes stay equal in all processes
                    regions = torch.zeros_like(regions).index_copy(0, labelled, regions.index_select(0, labelled))
                terms |= self._memory(f_s, f_t, regions)
        self.components = {name: term.detach() for name, term in terms.items()}
        return torch.stack([self.weights[name] * term for name, term in terms.items()]).sum()

    def _batch(self, f_s: Tensor, f_t: Tensor) -> Tensor:
        """Return the mini-batch term on two maps (N, C, *spatial)."""
        # by a whole factor: cells of equal size, and never more than the grid
        nodes = tuple(math.ceil(edge / math.ceil(edge / self.grid)) for edge in smallest_size([f_s, f_t]))
        x_s, x_t = (
            F.normalize(adaptive_avg_pool(f, nodes).flatten(2).transpose(1, 2), dim=2, eps=1e-12) for f in (f_s, f_t)
        )
        return image_pair_divergence(x_s, x_t, self.temperature)

    def _memory(self, f_s: Tensor, f_t: Tensor, regions: Tensor) -> dict[str, Tensor]:
        """Return the pixel and the region term on two maps (N, C, *spatial) and one-hot regions (N, K, P)."""
        x_t = F.normalize(f_t.flatten(2), dim=1, eps=1e-12)
        if self.training:
            self._enqueue(x_t, regions)
        positions = self._sample_anchors(x_t)
        anchors_t = x_t.gather(2, positions.expand(-1, x_t.shape[1], -1)).transpose(1, 2).flatten(0, 1)
        picked = resize(f_s, f_t.shape[2:]).flatten(2).gather(2, positions.expand(-1, f_s.shape[1], -1))
        # a 1x1 convolution may run on the anchors alone, laid out along one axis; the norm then sees the anchors alone
        projected = self.projector(picked.reshape(*picked.shape, *[1] * (f_s.ndim - 3))).flatten(2)
        anchors_s = F.normalize(projected, dim=1, eps=1e-12).transpose(1, 2).flatten(0, 1)
        terms = {}
        for name in self.queues:
            keys, valid = self._queue(name).sample(self.keys[name])
            terms[name] = contrast_divergence(
                anchors_s, anchors_t, keys.flatten(0, 1), valid.flatten(), self.temperature
            )
        return terms

    def _sample_anchors(self, x_t: Tensor) -> Tensor:
        """Return positions (N, 1, A) of each image: all, or a random sample of ``anchors``."""
        count, _, positions = x_t.shape
        if positions <= self.anchors:
            return torch.arange(positions, device=x_t.device).expand(count, 1, -1)
        return torch.rand(count, 1, positions, device=x_t.device).topk(self.anchors, dim=2, sorted=False).indices

    @torch.no_grad()
    def _enqueue(self, x_t: Tensor, regions: Tensor) -> None:
        """Add random pixels of every class, and the mean of the class, to the queues, of the images of all processes."""
        count = min(self.pixels_per_image, x_t.shape[2])
        sampled = torch.rand_like(regions).masked_fill(regions == 0, -1.0).topk(count, dim=2, sorted=False).indices
        pixels = (
            x_t[:, None]
            .expand(-1, self.num_classes, -1, -1)
            .gather(3, sampled[:, :, None].expand(-1, -1, x_t.shape[1], -1))
        )
        means = F.normalize(torch.einsum("nkp,ncp->nkc", regions, x_t), dim=2, eps=1e-12)[..., None]
        entries = {
            "pixel": (pixels, regions.gather(2, sampled) > 0),
            "region": (means, regions.amax(dim=2, keepdim=True) > 0),
        }
        for name, (vectors, valid) in entries.items():
            vectors, valid = (concat_all_gather(x) for x in (vectors, valid))
            rows = vectors.permute(1, 0, 3, 2).flatten(1, 2)  # (N, K, C, M) to (K, N M, C)
            self._queue(name).push(rows, valid.transpose(0, 1).flatten(1))

    def _queue(self, name: str) -> ClassQueue:
        """Return the queue of the pixel or the region term."""
        queue = self.queues[name]
        assert isinstance(queue, ClassQueue)
        return queue


def _projector(spatial_dims: int, in_channels: int, out_channels: int, norm: str) -> nn.Sequential:
    """Build the map g of the student's pixels to the teacher's channels: 1x1, norm, ReLU, 1x1, without bias."""
    conv = Conv[Conv.CONV, spatial_dims]
    return nn.Sequential(
        conv(in_channels, out_channels, kernel_size=1, bias=False),
        get_norm_layer(norm, spatial_dims, out_channels),
        nn.ReLU(inplace=True),
        conv(out_channels, out_channels, kernel_size=1, bias=False),
    )
