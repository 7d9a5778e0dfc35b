"""Checksums of volume stores: a changed byte on the disk is an error, not another voxel.

The file's variable-length metadata holds CRC-32 of the header (shape, dtype, chunks, affine) and of each compressed chunk.
A process compares each of them once, when it first reads the chunk: later readings cost nothing. Stores of earlier releases
have no checksums and are read without.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable

import blosc2
import numpy as np

__all__ = ["add_checksums", "check_chunks", "stored_checksums"]

_KEY = "crc32"
_TYPE = np.dtype("<u4")
# path of a store -> its file's stamp, and its checksums that are still to be compared: header, chunk 0, chunk 1, ...
_pending: dict[str, tuple[tuple[int, int, int], dict[int, int]]] = {}


def add_checksums(store: blosc2.NDArray) -> None:
    """Write the checksums into the metadata of a complete store, which has its affine there."""
    chunks = (store.schunk.get_chunk(index) for index in range(store.schunk.nchunks))
    sums = [_header_checksum(store), *map(zlib.crc32, chunks)]
    store.vlmeta[_KEY] = np.array(sums, _TYPE).tobytes()


def check_chunks(path: str, status: os.stat_result, store: blosc2.NDArray, chunks: Iterable[int]) -> None:
    """Compare the checksums of the header and of some chunks, unless this process has done so before.

    Args:
        path: of the store.
        status: of its file; another file at the same path is checked anew.
        store: opened for reading.
        chunks: numbers of the chunks.

    Raises:
        ValueError: for the first checksum that differs.
    """
    stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
    known = _pending.get(path)
    if known is None or known[0] != stamp:
        known = _pending[path] = stamp, _read_checksums(store)
    pending = known[1]
    if not pending:
        return
    if 0 in pending:
        _compare("header", _header_checksum(store), pending[0])
        del pending[0]
    for chunk in chunks:
        if chunk + 1 in pending:
            _compare(f"slice {chunk}", zlib.crc32(store.schunk.get_chunk(chunk)), pending[chunk + 1])
            del pending[chunk + 1]


def stored_checksums(store: blosc2.NDArray) -> bytes:
    """Return the checksums of a store as they are kept; nothing of one of an earlier release."""
    return bytes(store.vlmeta[_KEY]) if _KEY in store.vlmeta else b""


def _read_checksums(store: blosc2.NDArray) -> dict[int, int]:
    sums = np.frombuffer(stored_checksums(store), _TYPE)
    if not len(sums):
        return {}
    if len(sums) != store.schunk.nchunks + 1:
        raise ValueError(f"{len(sums)} checksums, expected {store.schunk.nchunks + 1}")
    return dict(enumerate(sums.tolist()))


def _header_checksum(store: blosc2.NDArray) -> int:
    layout = repr((store.shape, store.chunks, store.blocks, str(store.dtype)))
    return zlib.crc32(layout.encode() + np.asarray(store.vlmeta["affine"], np.float64).tobytes())


def _compare(name: str, found: int, expected: int) -> None:
    if found != expected:
        raise ValueError(f"the checksum of its {name} does not match")
