"""One run in several processes: the group, wrapping, samplers and gathers. Everything does nothing in one process."""

from .ddp import share_state, with_shared_gradients, with_shared_statistics
from .gather import concat_all_gather
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
    "barrier",
    "all_gather_object",
    "concat_all_gather",
    "graceful_shutdown",
    "is_main_process",
    "gather_in_order",
    "progress_disabled",
    "processes",
    "rank",
    "shard_indices",
    "share_state",
    "start",
    "stop",
    "with_shared_gradients",
    "with_shared_statistics",
]
