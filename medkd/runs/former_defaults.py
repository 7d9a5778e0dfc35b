"""Options that older runs did not have, with the values that repeat what those runs did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["add_former_defaults"]

_FORMER_AMP = "$'cuda' in str(@device)"


def add_former_defaults(config: Mapping[str, Any], is_cuda: bool) -> dict[str, Any]:
    """Return the configuration of a run as a run of today with the same numbers would have it.

    Before ``memory_format`` there was, tensors were contiguous, precision was mixed on CUDA alone, nothing was compiled.

    Args:
        config: saved by the run; it stays as it is.
        is_cuda: whether the run goes on on CUDA.

    Example:
        >>> today = add_former_defaults({"amp": "$'cuda' in str(@device)", "train": {"trainer": {}}}, is_cuda=False)
        >>> today["amp"], today["memory_format"], today["compile"]
        (False, 'contiguous', False)
    """
    trainer = config.get("train", {}).get("trainer") if isinstance(config.get("train"), Mapping) else None
    if "memory_format" in config or not isinstance(trainer, Mapping):
        return dict(config)
    trainer = {"memory_format": "@memory_format", "compile": "@compile", **trainer}
    former = {"memory_format": "contiguous", "compile": False, "train": {**config["train"], "trainer": trainer}}
    amp = {"amp": is_cuda} if config.get("amp") == _FORMER_AMP else {}
    return {**former, **config, **amp, "train": former["train"]}
