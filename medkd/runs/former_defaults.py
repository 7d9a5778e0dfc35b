"""Options that older runs did not have, with the values that repeat what those runs did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["add_former_defaults"]

_FORMER_AMP = "$'cuda' in str(@device)"
_STUDENTS = {"medkd.networks.ResNetFCN": "ResNetFCN", "medkd.networks.UNet": "UNet"}


def add_former_defaults(config: Mapping[str, Any], is_cuda: bool) -> dict[str, Any]:
    """Return the configuration of a run as a run of today with the same numbers would have it.

    Before ``memory_format`` there was, tensors were contiguous, precision was mixed on CUDA alone, nothing was compiled.
    Before tasks with volumes had ``student_architecture``, they named the class of the student.

    Args:
        config: saved by the run; it stays as it is.
        is_cuda: whether the run goes on on CUDA.

    Example:
        >>> today = add_former_defaults({"amp": "$'cuda' in str(@device)", "train": {"trainer": {}}}, is_cuda=False)
        >>> today["amp"], today["memory_format"], today["compile"]
        (False, 'contiguous', False)
    """
    config = {**config, **_student_of_volumes(config)}
    trainer = config.get("train", {}).get("trainer") if isinstance(config.get("train"), Mapping) else None
    if "memory_format" in config or not isinstance(trainer, Mapping):
        return config
    trainer = {"memory_format": "@memory_format", "compile": "@compile", **trainer}
    former = {"memory_format": "contiguous", "compile": False, "train": {**config["train"], "trainer": trainer}}
    amp = {"amp": is_cuda} if config.get("amp") == _FORMER_AMP else {}
    return {**former, **config, **amp, "train": former["train"]}


def _student_of_volumes(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ids that choose the student of a task with volumes, of a run that had no ``student_architecture``."""
    if "spacing" not in config or "student_architecture" in config:
        return {}
    definition = config.get("network_def")
    if not isinstance(definition, Mapping) or definition.get("_target_") not in _STUDENTS:
        # a teacher, an assistant, or a network of the user's
        return {"student_architecture": "UNet" if config.get("mode") == "3d" else "ResNetFCN"}
    chosen = {"_target_": "medkd.networks.build_student", "architecture": "@student_architecture"}
    return {"student_architecture": _STUDENTS[definition["_target_"]], "network_def": {**definition, **chosen}}
