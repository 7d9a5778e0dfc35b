"""Gradients and state that are equal in all processes, by torch's DistributedDataParallel."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from .group import processes

__all__ = ["average_gradients", "broadcast_state", "convert_sync_batchnorm", "wrap_ddp"]


def wrap_ddp(module: nn.Module, parameters: Iterable[nn.Parameter]) -> nn.Module:
    """Return a callable of the module whose backward averages gradients over all processes.

    All processes start with the parameters and buffers of the main process.

    Args:
        module: called as before. A student must return `Features`: outputs that leave by hooks are unknown to the wrapper.
        parameters: those whose gradients are averaged.

    Returns:
        The wrapped module; the module itself in a run of one process, or without parameters that need a gradient.
    """
    if processes() == 1:
        return module
    broadcast_state(module)
    averaged = {id(parameter) for parameter in parameters if parameter.requires_grad}
    if not averaged:
        return module  # DistributedDataParallel refuses it
    # A discriminator's parameters have their own steps. Buffers are broadcast once an epoch, or never differ (queues).
    ignored = [name for name, parameter in module.named_parameters() if id(parameter) not in averaged]
    ignored += [name for name, _ in module.named_buffers()]
    DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(module, ignored)
    gpu = [torch.cuda.current_device()] if next(module.parameters()).is_cuda else None
    # static_graph: parameters that a method never reads (heads, for example) are the same ones in each step.
    return DistributedDataParallel(module, device_ids=gpu, static_graph=True)


def convert_sync_batchnorm(module: nn.Module) -> nn.Module:
    """Replace batch norms by those that take their statistics from all processes.

    This happens on GPUs alone: torch has no such norm for CPUs. Hooks of the norms, and with them taps, are kept.

    Args:
        module: changed in place.

    Returns:
        The module, or the new norm if the module is a batch norm itself.
    """
    if not _has_gpus(module):
        return module
    before = dict(module.named_modules(remove_duplicate=False))
    module = nn.SyncBatchNorm.convert_sync_batchnorm(module)
    for name, child in module.named_modules(remove_duplicate=False):
        # torch's new norms have no hooks. They get the same dict object, so that the handle of a hook can still remove it.
        child._forward_hooks = before[name]._forward_hooks
    return module


def _has_gpus(module: nn.Module) -> bool:
    return processes() > 1 and any(parameter.is_cuda for parameter in module.parameters())


@torch.no_grad()
def broadcast_state(*modules: nn.Module) -> None:
    """Copy the parameters and buffers of the main process to all processes.

    Args:
        *modules: changed in place.
    """
    if processes() > 1:
        for module in modules:
            for value in (*module.parameters(), *module.buffers()):
                distributed.broadcast(value.detach(), 0)


def average_gradients(module: nn.Module) -> None:
    """Average the gradients of a module that is not wrapped, such as a discriminator with its own optimizer.

    Args:
        module: each of its parameters has a gradient.
    """
    if processes() > 1:
        for gradient in (parameter.grad for parameter in module.parameters()):
            if gradient is None:
                raise ValueError(f"{type(module).__name__}: found a parameter without a gradient, expected one of each")
            distributed.all_reduce(gradient)
            gradient /= processes()
