"""Gradients that are means over all processes, by torch's DistributedDataParallel."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from .group import processes

__all__ = ["share_state", "with_shared_gradients", "with_shared_statistics"]


def with_shared_gradients(module: nn.Module, learnt: Iterable[nn.Parameter]) -> nn.Module:
    """The module, to be called in its own place: a backward gives ``learnt`` the mean of all processes' gradients.

    It starts everywhere as in the first process. Itself, where there is one process or nothing to learn. For a student, a
    module that returns `Features`: what leaves by hooks would be unknown to the wrapper.
    """
    if processes() == 1:
        return module
    share_state(module)
    kept = {id(parameter) for parameter in learnt if parameter.requires_grad}
    if not kept:
        return module  # refused by the wrapper
    # a discriminator's parameters have steps of their own; buffers are shared once an epoch, or never differ (queues)
    others = [name for name, parameter in module.named_parameters() if id(parameter) not in kept]
    others += [name for name, _ in module.named_buffers()]
    DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(module, others)
    gpu = [torch.cuda.current_device()] if next(module.parameters()).is_cuda else None
    # static_graph: what a method never reads (heads, say) is the same in each step, found in the first
    return DistributedDataParallel(module, device_ids=gpu, static_graph=True)


def with_shared_statistics(module: nn.Module) -> nn.Module:
    """Batch norms take their statistics from all processes, on GPUs alone: torch has no such norm for CPUs."""
    if not _has_gpus(module):
        return module
    before = dict(module.named_modules(remove_duplicate=False))
    module = nn.SyncBatchNorm.convert_sync_batchnorm(module)
    for name, part in module.named_modules(remove_duplicate=False):
        # torch's new norms have no hooks, which taps are; the very dict, so that a tap's handle can still remove its own
        part._forward_hooks = before[name]._forward_hooks
    return module


def _has_gpus(module: nn.Module) -> bool:
    return processes() > 1 and any(parameter.is_cuda for parameter in module.parameters())


@torch.no_grad()
def share_state(*modules: nn.Module) -> None:
    """Every process takes over the first one's parameters and buffers."""
    if processes() > 1:
        for module in modules:
            for value in (*module.parameters(), *module.buffers()):
                distributed.broadcast(value.detach(), 0)
