"""One run in several processes: process group, wrapping, samplers and gathers. Nothing of it acts in one process."""

from .ddp import average_gradients, broadcast_state, convert_sync_batchnorm, wrap_ddp
from .gather import concat_all_gather, weight_among_processes
from .group import (
    all_gather_object,
    barrier,
    gather_in_order,
    graceful_shutdown,
    is_main_process,
    processes,
    progress_disabled,
    rank,
    shard_indices,
    start,
    stop,
)
from .samplers import DistributedEvalSampler, DistributedSamplerWrapper

__all__ = [
    "DistributedEvalSampler",
    "DistributedSamplerWrapper",
    "all_gather_object",
    "average_gradients",
    "barrier",
    "broadcast_state",
    "concat_all_gather",
    "convert_sync_batchnorm",
    "gather_in_order",
    "graceful_shutdown",
    "is_main_process",
    "processes",
    "progress_disabled",
    "rank",
    "shard_indices",
    "start",
    "stop",
    "weight_among_processes",
    "wrap_ddp",
]
