"""Checksums of files whose formats are read without one: a changed byte is an error, not another number.

Zip archives, which PyTorch writes, hold one for each entry that PyTorch does not compare. Other files get one at their end.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from pathlib import Path

__all__ = ["append_checksum", "check_archive", "check_appended"]

# Readers of NumPy arrays ignore what follows the array. For readers of ONNX, which is a protobuf message, these bytes are a
# field of an unknown number. The size tells a file that another program has read and written anew.
_HEAD = b"\xc2\x3e\x21medkd-crc32:"
_TAIL = re.compile(re.escape(_HEAD) + rb"([0-9a-f]{8}):([0-9a-f]{12})")
_LENGTH = len(_HEAD) + 8 + 1 + 12
_BLOCK = 2**20


def append_checksum(path: Path) -> None:
    """Append a checksum to a complete file.

    Args:
        path: a file whose readers ignore further bytes: a NumPy array or an ONNX file.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder, "a")
        ...     _ = file.write_bytes(b"content")
        ...     append_checksum(file)
        ...     check_appended(file)
        ...     _ = file.write_bytes(file.read_bytes().replace(b"con", b"cot"))
        ...     check_appended(file)
        Traceback (most recent call last):
        ValueError: it is damaged: its checksum does not match
    """
    size = path.stat().st_size
    tail = _HEAD + f"{_checksum(path, size):08x}:{size:012x}".encode()
    with path.open("ab") as file:
        file.write(tail)


def check_appended(path: Path) -> None:
    """Compare the checksum that `append_checksum` wrote, if there is one.

    Raises:
        ValueError: if it does not match. The message does not name the file.
        OSError: if the file cannot be read.
    """
    size = path.stat().st_size - _LENGTH
    if size < 0:
        return
    with path.open("rb") as file:
        file.seek(size)
        tail = _TAIL.fullmatch(file.read())
    if tail and int(tail[2], 16) == size and int(tail[1], 16) != _checksum(path, size):
        raise ValueError("it is damaged: its checksum does not match")


def check_archive(path: Path) -> None:
    """Compare the checksums of a zip archive's entries; another file is not checked.

    Raises:
        ValueError: for the first one that does not match. The message does not name the file.
        OSError: if the file cannot be read.
    """
    try:
        if not zipfile.is_zipfile(path):
            return
        with zipfile.ZipFile(path) as archive:
            # PyTorch can be told to write none
            damaged = archive.testzip() if any(entry.CRC for entry in archive.infolist()) else None
    except OSError as error:
        if error.errno:
            raise
        damaged = "an entry"
    except Exception:  # a damaged directory of entries raises many kinds
        damaged = "its list of entries"
    if damaged is not None:
        raise ValueError(f"it is damaged: the checksum of {damaged} does not match")


def _checksum(path: Path, size: int) -> int:
    """Return CRC-32 of the first bytes of a file."""
    checksum = 0
    with path.open("rb") as file:
        while size > 0 and (block := file.read(min(size, _BLOCK))):
            checksum = zlib.crc32(block, checksum)
            size -= len(block)
    return checksum
