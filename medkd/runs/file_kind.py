"""What a file is, by its first bytes or the names in its archive; nothing in it is executed."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import NamedTuple

__all__ = ["FileKind", "file_kind"]


class FileKind(NamedTuple):
    """A kind of file that is given as a model.

    Attributes:
        name: for code: "weights", "torchscript", "bundle", "onnx", "safetensors" or "other"; "" if nothing tells.
        description: for messages: "a TorchScript file".
        advice: what to do with it, if it is not what is needed.
    """

    name: str
    description: str
    advice: str


_UNPACK = "unpack it"
_UNKNOWN = FileKind("", "a file of an unknown kind", "")
WEIGHTS = FileKind("weights", "a file of PyTorch", "")
_TORCHSCRIPT = FileKind(
    "torchscript",
    "a TorchScript file",
    "give the run that it was exported from; medkd infer also takes that run's ONNX export",
)
_ONNX = FileKind("onnx", "an ONNX file", "it serves medkd infer alone: give the run that it was exported from")
_BUNDLE = FileKind(
    "bundle",
    "a MONAI bundle",
    "give the run that it was packed from, or run its configs/inference.json by python -m monai.bundle run",
)
_SAFETENSORS = FileKind("safetensors", "a file of safetensors", "")


def _other(description: str, advice: str) -> FileKind:
    return FileKind("other", description, advice)


_CONFIGS = {f"configs/{name}.{suffix}" for name in ("inference", "train") for suffix in ("json", "yaml", "yml")}
# the first bytes of a file
_HEADS = {
    b"version https://git-lfs": _other("a Git LFS pointer without its content", "fetch the content: git lfs pull"),
    b"\x89HDF\r\n": _other("an HDF5 file, as of Keras", "convert it to a state dict of PyTorch"),
    b"\x93NUMPY": _other("a NumPy array", "expected a state dict of PyTorch"),
    b"\x1f\x8b": _other("a gzip archive", _UNPACK),
    b"BZh": _other("a bzip2 archive", _UNPACK),
    b"\xfd7zXZ": _other("an xz archive", _UNPACK),
    b"7z\xbc\xaf\x27\x1c": _other("a 7z archive", _UNPACK),
    b"Rar!": _other("a RAR archive", _UNPACK),
    b"%PDF": _other("a PDF page", "download the file of weights itself"),
    b"\x89PNG": _other("a picture", "expected a model"),
}


def file_kind(file: str | Path) -> FileKind:
    """Return what a file is, or a folder with the configurations of a MONAI bundle.

    Args:
        file: an existing file or folder.

    Raises:
        OSError: if it cannot be read.

    Example:
        >>> import tempfile
        >>> page = Path(tempfile.mkdtemp()) / "model.pt"
        >>> _ = page.write_text("<!DOCTYPE html><html>")
        >>> file_kind(page).description
        'an HTML page'
    """
    if Path(file).is_dir():
        return _BUNDLE if any((Path(file) / name).is_file() for name in _CONFIGS) else _UNKNOWN
    with open(file, "rb") as stream:
        head = stream.read(1024)
    if _is_archive(file):
        return _kind_of_archive(file)
    for begin, kind in _HEADS.items():
        if head.startswith(begin):
            return kind
    if head[257:262] == b"ustar":
        return _other("a tar archive", f"{_UNPACK}; one of PyTorch before 0.1.10 must be saved anew by a later one")
    if int.from_bytes(head[:8], "little") < 2**32 and head[8:10] == b'{"':
        return _SAFETENSORS
    if Path(file).suffix.lower() == ".onnx" and head:
        return _ONNX
    return _kind_of_text(head)


def _is_archive(file: str | Path) -> bool:
    try:
        return zipfile.is_zipfile(file)
    except zipfile.BadZipFile:  # a damaged one, which says that it has several parts
        return True


def _kind_of_archive(file: str | Path) -> FileKind:
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return _UNKNOWN
    inner = {name.partition("/")[2] for name in names}
    if _CONFIGS & (inner | set(names)):
        return _BUNDLE
    if "constants.pkl" in inner and any(name.startswith("code/") for name in inner):
        return _TORCHSCRIPT
    if "data.pkl" in inner:
        return WEIGHTS
    if "archive_format" in inner:
        return _other("a program of torch.export", "save the state dict of the network, or TorchScript for a teacher")
    if names and all(name.endswith(".npy") for name in names):
        return _other("an archive of NumPy arrays (.npz)", "expected a state dict of PyTorch")
    return _other(f"a zip archive without weights of PyTorch ({', '.join(names[:3]) or 'empty'})", _UNPACK)


def _kind_of_text(head: bytes) -> FileKind:
    """Return the kind of a text: servers answer with a page, or with an error, in place of a file."""
    try:
        text = head[: len(head) - 4 if len(head) == 1024 else None].decode("utf-8")
    except UnicodeDecodeError:
        return _UNKNOWN
    begin = text.lstrip("\ufeff \t\r\n").lower()
    if begin.startswith(("<!doctype html", "<html")):
        return _other("an HTML page", "download the file of weights itself")
    if begin and all(character.isprintable() or character.isspace() for character in text):
        return _other(f"a text that begins with {text.strip()[:30]!r}", "expected a file of weights")
    return _UNKNOWN
