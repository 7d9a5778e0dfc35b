"""Find the state dict of a network in what a trainer saved: below keys, and under names with a prefix."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

__all__ = ["Candidate", "find_candidates", "select"]

# Segments that wrappers put into names: DataParallel and DDP, torch.compile, FSDP, activation checkpointing.
_WRAPPERS = {"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}
# Buffers without a meaning for predictions: of batch norm (absent before PyTorch 0.4.1), a profiler, AveragedModel.
_COUNTER = "num_batches_tracked"
_IGNORED = (_COUNTER, "total_ops", "total_params", "n_averaged")
_DEPTH = 4
_EMA = re.compile(r"(^|[._])(ema|averaged?|swa)($|[._])")
_USUAL = {"state_dict", "model", "net", "network", "model_state_dict", "network_weights", "weights", "objects"}


class Candidate(NamedTuple):
    """Tensors of a file that may be those of a network.

    Attributes:
        keys: where they lie in the file, from its top.
        prefix: what was taken off their names; it ends with a dot.
        state: the tensors by the names of the network.
        others: number of tensors that lie beside the prefix.
    """

    keys: tuple[str, ...]
    prefix: str
    state: dict[str, Tensor]
    others: int = 0

    @property
    def place(self) -> str:
        """Where the tensors lie, for messages."""
        below = f"below {'.'.join(self.keys)}" if self.keys else ""
        prefix = f"with the prefix {self.prefix}" if self.prefix else ""
        return " ".join(filter(None, (below, prefix))) or "at the top"


def find_candidates(network: nn.Module, content: Any) -> list[Candidate]:
    """Return the tables of tensors in a file, each without the common prefix that fits the network's names best.

    A wrapper's own segments, such as ``module`` of DataParallel, are removed from names. Counters of batches that are not in
    the file, or of another type (averaged weights have fractions there), keep the network's values.

    Args:
        network: that the file is read for.
        content: of the file.

    Returns:
        Candidates, those first whose names are exactly those of the network, and the large ones.
    """
    expected = network.state_dict()
    candidates = [candidate for keys, table in _tables(content) for candidate in _without_prefix(keys, table, expected)]
    return sorted(candidates, key=lambda candidate: (-_overlap(candidate, expected), -len(candidate.state)))


def _overlap(candidate: Candidate, expected: Mapping[str, Tensor]) -> float:
    """Return the share of names that file and network have in common: 1 if they are the same."""
    return len(candidate.state.keys() & expected.keys()) / max(len(candidate.state.keys() | expected.keys()), 1)


def _tables(content: Any, keys: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Tensor]]]:
    """Yield every dictionary that holds named tensors, with the keys above it."""
    if not isinstance(content, Mapping):
        return
    table = {name: value for name, value in content.items() if isinstance(name, str) and isinstance(value, Tensor)}
    if table:
        yield keys, table
    if len(keys) < _DEPTH:
        for key, value in content.items():
            yield from _tables(value, (*keys, str(key)))


def _without_prefix(
    keys: tuple[str, ...], table: dict[str, Tensor], expected: Mapping[str, Tensor]
) -> Iterator[Candidate]:
    own = {segment for name in expected for segment in name.split(".")}
    wrappers = _WRAPPERS - own
    plain = {".".join(part for part in name.split(".") if part not in wrappers): name for name in table}
    if len(plain) < len(table):  # two names became one
        plain = {name: name for name in table}
    anchors = [name for name in expected if name.rpartition(".")[2] not in _IGNORED] or list(expected)
    ends = (*anchors[:1], *anchors[-1:])
    prefixes = ["", *(name.removesuffix(end) for name in plain for end in ends if name.endswith(f".{end}"))]
    for prefix in dict.fromkeys(prefixes):
        names = {name.removeprefix(prefix): full for name, full in plain.items() if name.startswith(prefix)}
        state = {
            name: table[full]
            for name, full in names.items()
            if name.rpartition(".")[2] not in _IGNORED
            or (name in expected and _is_castable(table[full], expected[name]))
        }
        counters = {
            name: value
            for name, value in expected.items()
            if name.endswith(_COUNTER) and name not in state and name.replace(_COUNTER, "running_mean") in state
        }
        if not state:
            continue
        name, full = next(iter(names.items()))
        shown = full.removesuffix(name) if full.endswith(name) else prefix
        yield Candidate(keys, shown, {**state, **counters}, len(plain) - len(names))


def _is_castable(first: Tensor, second: Tensor) -> bool:
    return first.shape == second.shape and torch.can_cast(first.dtype, second.dtype)


def select(fitting: Sequence[Candidate], role: str, source: str) -> tuple[Candidate, str]:
    """Return one of several candidates that fit a network exactly, and a note on what is guessed (empty if nothing is).

    A moving average is taken before the weights that it averages, as timm and YOLO do.

    Args:
        fitting: one or more candidates.
        role: of the network; a candidate of this name is preferred.
        source: role and path of the file, for messages.

    Raises:
        ValueError: if several fit and no name tells which is meant.
    """
    best = min(_rank(candidate, role) for candidate in fitting)
    first, *rest = [candidate for candidate in fitting if _rank(candidate, role) == best]
    if any(not _equal(first.state, candidate.state) for candidate in rest):
        places = " and ".join(candidate.place for candidate in (first, *rest))
        raise ValueError(
            f"{source}: found several networks that fit, {places}: save the state dict of one of them alone"
        )
    if not first.keys and set(first.prefix.split(".")) <= {"", *_WRAPPERS}:
        return first, ""
    skipped = [candidate.place for candidate in fitting if candidate not in (first, *rest)]
    note = f"note: {source}: the weights {first.place} are read"
    note += f", not those {' and '.join(skipped)}" if skipped else ""
    note += f"; {first.others} tensors without this prefix are not" if first.others and not skipped else ""
    return first, note


def _rank(candidate: Candidate, role: str) -> int:
    words = [*candidate.keys, *filter(None, candidate.prefix.split("."))]
    if any(_EMA.search(word) for word in words):
        return 0
    if role in words:
        return 1
    return 2 if set(words) <= _USUAL | _WRAPPERS else 3


def _equal(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> bool:
    return all(torch.equal(value, second[name]) for name, value in first.items())
