"""What makes the host wait for a GPU, found without one: on the device "meta", whose tensors have no values to wait for."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from unittest.mock import patch

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

META = torch.device("meta")
_INDEXING = ("index", "index_put", "index_put_", "_unsafe_index")
_FROM_DATA = (torch.tensor, torch.as_tensor, Tensor.new_tensor)


class HostSync(RuntimeError):
    """An operation for which the host would wait."""


class _NoConstants(TorchFunctionMode):
    """Refuse tensors made of Python's values on the device: below this level, their copy is not seen."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        is_data = func in _FROM_DATA and not isinstance(args[-1], Tensor)
        if is_data and result.device == META:
            raise HostSync("a tensor of Python's values: the host waits for its copy to the GPU")
        if func in (Tensor.__getitem__, Tensor.__setitem__) and args[0].device == META:
            if any(isinstance(index, list) for index in (args[1] if isinstance(args[1], tuple) else (args[1],))):
                raise HostSync("a list as an index: the host waits for its copy to the GPU")
        return result


class _NoHostSync(TorchDispatchMode):
    """Refuse what the device "meta" lets pass.

    Values that are read (``item``, ``bool``, ``nonzero``, ``unique``, a copy to the CPU) raise on "meta" by themselves.
    """

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name, kwargs = func.overloadpacket.__name__, kwargs or {}
        if name in _INDEXING and args[0].device == META:
            for index in tree_leaves(args[1]):
                if isinstance(index, Tensor) and (index.dtype in (torch.bool, torch.uint8) or index.device != META):
                    raise HostSync(f"{name} with {index.dtype} on {index.device}: the host waits for the GPU")
        result = func(*args, **kwargs)
        if name == "_to_copy" and args[0].device != META and result.device == META and not kwargs.get("non_blocking"):
            raise HostSync("a blocking copy to the device")
        if name == "copy_" and args[0].device == META != args[1].device:
            if not (args[2] if len(args) > 2 else kwargs.get("non_blocking", False)):
                raise HostSync("a blocking copy to the device")
        return result


@contextmanager
def no_host_sync() -> Iterator[None]:
    """Raise `HostSync`, or torch's own error, where work on "meta" would make the host wait for a GPU."""
    with _NoHostSync(), _NoConstants():
        yield


@contextmanager
def without_autocast() -> Iterator[None]:
    """Replace autocast, which the device "meta" does not have."""
    with patch("torch.autocast", lambda *args, **kwargs: nullcontext()):
        yield
