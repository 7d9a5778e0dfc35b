"""Volume stores: one volume in one compressed file, chunked by slice, so that one slice can be read alone.

The format is Blosc2's n-dimensional file (``.b2nd``), one chunk per slice, lossless. ``benchmarks/slice_store.py``
compares it with other formats. The affine and the checksums are in the file's variable-length metadata.

Axes: slice first, ``(S, H, W)``; the affine maps voxel indices ``(s, h, w)`` to millimetres in nibabel's RAS+ space.
Maps of several channels, such as a teacher's logits, are kept in half precision as ``(S, C, H, W)``.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import blosc2
import numpy as np

from medkd.io.paths import PathLike
from medkd.runs.files import write_atomically

from .store_checksums import add_checksums, check_chunks, stored_checksums

__all__ = [
    "SUFFIX",
    "content_checksum",
    "maps_shape",
    "read_maps",
    "read_region",
    "read_slice",
    "read_volume",
    "volume_shape",
    "write_maps",
    "write_volume",
]

SUFFIX = ".b2nd"
DTYPES = (np.dtype("int16"), np.dtype("uint8"))
# Real CT is read 1.3 to 1.9 times as fast as with zstd 1 and takes 14 to 19 % more disk. Each file names its own codec.
COMPRESSION = {"codec": blosc2.Codec.LZ4, "clevel": 5, "filters": [blosc2.Filter.BITSHUFFLE], "nthreads": 1}
MAP_TYPE = np.dtype("float16")
# A patch of maps decompresses the blocks that it meets alone.
MAP_BLOCK = 64


def write_volume(path: PathLike, array: np.ndarray, affine: np.ndarray) -> None:
    """Write a volume. The file gets its name only when it is complete.

    Args:
        path: file to write; must end in ``.b2nd``. An existing file is replaced.
        array: ``(S, H, W)``; int16 (HU) or uint8 (label values).
        affine: ``(4, 4)``, voxel indices to mm, RAS+.

    Raises:
        ValueError: for another suffix, dtype or number of axes, an empty volume, an affine that is not a finite 4x4 matrix.
        OSError: when the file cannot be written.
    """
    path = Path(path)
    if array.dtype not in DTYPES:
        raise ValueError(f"{path}: voxels are {array.dtype}, expected int16 (HU) or uint8 (labels)")
    if array.ndim != 3 or 0 in array.shape:
        raise ValueError(f"{path}: the volume has shape {array.shape}, expected three axes (slice, row, column) > 0")
    one_slice = (1, *array.shape[1:])
    _write(path, array, affine, blocks=one_slice)


def write_maps(path: PathLike, maps: np.ndarray, affine: np.ndarray) -> None:
    """Write maps of several channels. The file gets its name only when it is complete.

    Args:
        path: file to write; must end in ``.b2nd``. An existing file is replaced.
        maps: ``(C, S, H, W)``, float16.
        affine: ``(4, 4)``, voxel indices to mm, RAS+.

    Raises:
        ValueError: for another suffix, dtype or number of axes, empty maps, an affine that is not a finite 4x4 matrix.
        OSError: when the file cannot be written.
    """
    if maps.dtype != MAP_TYPE or maps.ndim != 4 or 0 in maps.shape:
        raise ValueError(f"{path}: found {maps.dtype} {maps.shape}, expected float16 (channel, slice, row, column) > 0")
    array = maps.swapaxes(0, 1)
    _write(Path(path), array, affine, blocks=(1, *(min(edge, MAP_BLOCK) for edge in array.shape[1:])))


def _write(path: Path, array: np.ndarray, affine: np.ndarray, blocks: tuple[int, ...]) -> None:
    affine = np.asarray(affine, dtype=np.float64)
    if path.suffix != SUFFIX:
        raise ValueError(f"{path}: a volume store must be named *{SUFFIX}")
    if affine.shape != (4, 4) or not np.isfinite(affine).all():
        raise ValueError(f"{path}: the affine has shape {affine.shape} or is not finite, expected finite 4x4")

    def write(temporary: Path) -> None:
        # The variable is needed: metadata can be written only while the array object exists.
        store = blosc2.asarray(
            np.ascontiguousarray(array),
            chunks=(1, *array.shape[1:]),
            blocks=blocks,
            cparams=COMPRESSION,
            urlpath=str(temporary),
            mode="w",
        )
        store.vlmeta["affine"] = affine.tolist()
        add_checksums(store)
        del store  # closes the file

    try:
        write_atomically(path, write)
    except RuntimeError as error:  # what blosc2 raises for a full disk
        raise OSError(f"{path}: cannot be written, is the disk full? ({_one_line(error)})") from error


def read_slice(path: PathLike, index: int) -> np.ndarray:
    """Return one slice as ``(H, W)``; only its chunk is read and decompressed.

    Args:
        path: volume store.
        index: number of the slice, ``0 <= index < S``.

    Raises:
        FileNotFoundError: for a missing file.
        ValueError: for a slice outside the volume, or a damaged file.
    """
    store, check = _open(path)
    if not 0 <= index < store.shape[0]:
        raise ValueError(f"{path}: found slice {index}, expected 0 to {store.shape[0] - 1}")
    one_slice = (1, *store.shape[1:])
    with _naming(path):
        if (store.chunks, store.blocks) != (one_slice, one_slice):
            return store[int(index)]  # written by another program
        check([int(index)])
        plane = np.empty(store.shape[1:], store.dtype)
        # A slice is a chunk: decompressing it by number takes two thirds of the time of store[index].
        store.schunk.decompress_chunk(int(index), plane)
        return plane


def read_region(path: PathLike, region: tuple[slice, slice, slice]) -> np.ndarray:
    """Return the voxels of a box inside the volume; only the chunks of its slices are read and decompressed."""
    store, check = _open(path)
    with _naming(path):
        check(range(*region[0].indices(store.shape[0])))
        return store[region]


def read_maps(path: PathLike, region: tuple[slice, slice, slice]) -> np.ndarray:
    """Return the maps ``(C, *region)`` of a box inside the volume; only the chunks of its slices are read."""
    store, check = _open(path, axes=4)
    with _naming(path):
        check(range(*region[0].indices(store.shape[0])))
        slices, rows, columns = region
        return store[slices, :, rows, columns].swapaxes(0, 1)


def maps_shape(path: PathLike) -> tuple[int, ...]:
    """Return ``(C, S, H, W)`` of maps without reading a voxel."""
    slices, channels, rows, columns = _open(path, axes=4)[0].shape
    return int(channels), int(slices), int(rows), int(columns)


def read_volume(path: PathLike) -> tuple[np.ndarray, np.ndarray]:
    """Return the volume ``(S, H, W)`` and its affine ``(4, 4)`` (float64, mm, RAS+)."""
    store, check = _open(path)
    with _naming(path):
        check(range(store.shape[0]))
        return store[:], np.asarray(store.vlmeta["affine"], dtype=np.float64)


def volume_shape(path: PathLike) -> tuple[int, int, int]:
    """Return ``(S, H, W)`` without reading a voxel."""
    slices, rows, columns = _open(path)[0].shape
    return int(slices), int(rows), int(columns)


def content_checksum(path: PathLike) -> int:
    """Return a number that tells a volume from any other, of the checksums that the file holds where it has them."""
    store, _ = _open(path)
    with _naming(path):
        return zlib.crc32(stored_checksums(store) or store[:].tobytes())


def _open(path: PathLike, axes: int = 3) -> tuple[blosc2.NDArray, Callable[[Iterable[int]], None]]:
    """Return the opened store, and the function that compares the checksums of slices before they are read."""
    # Opened in every call and with one thread: DataLoader workers share and inherit nothing.
    try:
        status = Path(path).stat()
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no such volume store") from None
    try:
        store = blosc2.open(str(path), mode="r", dparams={"nthreads": 1})
        complete = isinstance(store, blosc2.NDArray) and store.ndim == axes and "affine" in store.vlmeta
    except Exception as error:  # a damaged header raises SyntaxError, OverflowError and others
        raise ValueError(f"{path}: not a readable volume store ({_one_line(error)})") from error
    if not complete:
        raise ValueError(f"{path}: not a volume store of medkd: expected {axes} axes and an affine")
    return store, partial(check_chunks, str(path), status, store)


@contextmanager
def _naming(path: PathLike) -> Iterator[None]:
    """Raise errors of blosc2 as ValueError with the name of the file."""
    try:
        yield
    except Exception as error:  # a damaged header raises TypeError, OverflowError and others
        raise ValueError(f"{path}: damaged or truncated volume store ({_one_line(error)})") from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:120]
