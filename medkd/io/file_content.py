"""Naming what a file holds by its first bytes, for messages on files that are not what their suffix says."""

from __future__ import annotations

from pathlib import Path

__all__ = ["DEFLATE_LIMIT", "START", "describe_content", "read_start"]

DEFLATE_LIMIT = 1032  # highest compression ratio of deflate, the method of gzip
START = 560  # bytes: a NIfTI-2 header is the longest that is looked at

_SIGNATURES = (
    (0, b"\x1f\x8b", "a gzip file"),
    (0, b"PK\x03\x04", "a zip archive: unpack it"),
    (0, b"BZh", "a bzip2 file: unpack it"),
    (0, b"\xfd7zXZ\0", "an xz file: unpack it"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it"),
    (0, b"\x28\xb5\x2f\xfd", "a Zstandard file: unpack it"),
    (0, b"Rar!", "a RAR archive: unpack it"),
    (257, b"ustar", "a tar archive: unpack it"),
    (344, b"n+1\0", "a NIfTI file"),
    (4, b"n+2\0", "a NIfTI-2 file"),
    (344, b"ni1\0", "the header of a NIfTI pair (.hdr and .img): convert it to one .nii file"),
    (4, b"ni2\0", "the header of a NIfTI-2 pair (.hdr and .img): convert it to one .nii file"),
    (0, b"\x5c\x01\0\0", "an Analyze 7.5 header, which holds no orientation: convert it to NIfTI"),
    (0, b"\0\0\x01\x5c", "an Analyze 7.5 header, which holds no orientation: convert it to NIfTI"),
    (0, b"NRRD", "an NRRD file"),
    (0, b"ObjectType", "a MetaImage file"),
    (128, b"DICM", "a DICOM file"),
    (0, b"\x89PNG", "a PNG picture"),
    (0, b"\xff\xd8\xff", "a JPEG picture"),
    (4, b"ftyphei", "a HEIF picture: convert it to PNG"),
    (4, b"ftypmif1", "a HEIF picture: convert it to PNG"),
    (4, b"ftypavif", "an AVIF picture: convert it to PNG"),
    (0, b"8BPS", "layers of Photoshop: export the one that is meant as PNG"),
    (0, b"\x89HDF", "an HDF5 file"),
    (0, b"\x93NUMPY", "a NumPy array"),
    (0, b"%PDF", "a PDF document"),
    (0, b"version https://git-lfs", "a Git LFS pointer, not the file itself: fetch it with git lfs pull"),
    (0, b"/annex/objects/", "a git-annex pointer, not the file itself: fetch it with git annex get"),
    (0, b"../.git/annex/objects/", "a git-annex pointer, not the file itself: fetch it with git annex get"),
)


def read_start(path: Path) -> bytes:
    """Return the first bytes of a file.

    Raises:
        ValueError: when the file may not be read.
    """
    try:
        with path.open("rb") as stream:
            return stream.read(START)
    except OSError as error:
        raise ValueError(f"{path} cannot be opened: {error.strerror}") from error


def describe_content(start: bytes) -> str:
    r"""Return what a file holds, by its first bytes.

    Args:
        start: the first `START` bytes, or all of a shorter file.

    Example:
        >>> describe_content(b"\x1f\x8b\x08\x00")
        'a gzip file'
        >>> describe_content(b"<!DOCTYPE html><html>")
        'an HTML page, which a failed download leaves: download it again'
        >>> describe_content(b"\x01\x02\x80")
        'bytes 01 02 80'
    """
    if not start:
        return "an empty file (0 bytes): download it again"
    if not any(start):
        return "zero bytes alone: download it again"
    for offset, signature, content in _SIGNATURES:
        if start[offset : offset + len(signature)] == signature:
            return content
    text = start.decode("utf-8", "replace").lstrip("\ufeff").strip()
    if text[:9].lower() in ("<!doctype", "<html", "<html>") or text[:5].lower() == "<html":
        return "an HTML page, which a failed download leaves: download it again"
    if text and "\ufffd" not in text and text.replace("\n", "").replace("\r", "").replace("\t", "").isprintable():
        return f"text ({' '.join(text.split())[:40]!r})"
    return f"bytes {start[:4].hex(' ')}"
