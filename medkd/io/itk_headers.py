"""Headers of NRRD and MetaImage files: their fields, and the data files that they name.

A header from a stranger names files. ITK opens whatever it names, so each is checked before ITK sees the header.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import SimpleITK as sitk

__all__ = ["Header", "check_data_sizes", "read_header"]

# ITK puts a field that it does not understand into a message, past the end of its buffer: at 600 to 1200 characters the
# process ends. Free text may be longer.
LONGEST_FIELD = 500
FREE_TEXT = ("#", "content:", "sample units:")
HEADER_LIMIT = 1 << 20  # bytes
LOCAL = ("LOCAL", "Local", "local")  # MetaIO's words for data behind the header
# The line that names the data. A second one, wherever ITK may find it, is refused.
METAIMAGE_DATA = re.compile(rb"^[ \t]*ElementDataFile[ \t]*=([^\n]*)$", re.MULTILINE)
NRRD_DATA = re.compile(rb"^[ \t]*data ?file[ \t]*:(?!=)([^\n]*)$", re.MULTILINE | re.IGNORECASE)
# Name, first and last number, step, and in NRRD the axes of a file. ITK passes the name to C's sprintf.
PATTERN = re.compile(r"([^\s%]*%(?:0?[1-9])?d[^\s%]*)\s+(\d{1,6})\s+(\d{1,6})\s+(\d{1,6})(?:\s+\d)?")


class Header(NamedTuple):
    """A text header.

    Attributes:
        fields: name in lower case without spaces -> value.
        files: files beside or below the header that hold the voxels; none where they stand behind the header.
    """

    fields: dict[str, str]
    files: tuple[Path, ...]


def read_header(path: Path, is_nrrd: bool) -> Header:
    """Return the header of a file.

    Raises:
        ValueError: for a header without an end, or whose data files are not said once, lie outside its folder or are absent.
    """
    with path.open("rb") as stream:
        start = stream.read(HEADER_LIMIT)
    lines = list((NRRD_DATA if is_nrrd else METAIMAGE_DATA).finditer(start))
    count = len(lines) if is_nrrd else start.count(b"ElementDataFile")
    if count > 1 or len(lines) != (count if is_nrrd else 1):
        field = "data file" if is_nrrd else "ElementDataFile"
        raise ValueError(f"{path}: found {count} fields {field} in the header, expected one in a line of its own")
    end = re.search(rb"\n\r?\n|\Z", start) if is_nrrd else lines[0]
    assert end is not None
    value = _text(lines[0][1]) if lines else ""
    rest = start[lines[0].end() :] if value.startswith("LIST") else b""
    if len(start) == HEADER_LIMIT and (rest or (is_nrrd and end.end() == HEADER_LIMIT)):
        raise ValueError(f"{path}: found a header of more than {HEADER_LIMIT} bytes, expected a shorter one")
    if is_nrrd:
        _check_lengths(path, start[: end.end()])
    names = [] if not lines or (value in LOCAL and not is_nrrd) else _file_names(path, value, rest)
    return Header(_fields(start[: end.end()], is_nrrd), tuple(_data_file(path, name) for name in names))


def _check_lengths(path: Path, header: bytes) -> None:
    """Raise ValueError for an NRRD field that would end the process."""
    for line in map(_text, header.split(b"\n")):
        is_key = line.partition(":")[2].startswith("=")  # of a program
        if len(line) > LONGEST_FIELD and not is_key and not line.startswith(FREE_TEXT):
            raise ValueError(f"{path}: found {line:.60}..., expected {LONGEST_FIELD} characters a line at most")


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").strip()


def _fields(header: bytes, is_nrrd: bool) -> dict[str, str]:
    fields = {}
    for line in map(_text, header.split(b"\n")):
        name, _, value = line.partition(":" if is_nrrd else "=")
        if not is_nrrd or not (line.startswith("#") or value.startswith("=")):  # no comment, no key of a program
            fields[name.strip().lower().replace(" ", "")] = value.strip()
    return fields


def _file_names(path: Path, value: str, rest: bytes) -> Sequence[str]:
    """Return the files that a field of a header names: one, a list below it, or a pattern with numbers."""
    if value.startswith("LIST"):
        # MetaIO reads on past an empty line, and leaves out a last line without an end.
        names = [_text(line) for line in rest.rstrip(b"\n\r").split(b"\n")[1:]] if rest.endswith(b"\n") else []
    elif "%" in value:
        match = PATTERN.fullmatch(value)
        numbers = range(int(match[2]), int(match[3]) + 1, int(match[4])) if match and int(match[4]) else range(0)
        names = [match[1] % number for number in numbers] if match else []
    else:
        names = [value]
    if not names or not all(names):
        raise ValueError(
            f"{path}: found the data file {value or 'without a name'}, expected one name, LIST and below it a name in "
            "each line with a line break, or a pattern such as s%03d.raw 1 8 1"
        )
    return names


def _data_file(path: Path, name: str) -> Path:
    """Return a file that a header names, after the check that it is there, beside the header or below."""
    file = path.parent / name
    folder = os.path.abspath(path.parent)
    # The file itself may be a link to a store, as git-annex makes them. A folder on the way must not lead elsewhere.
    is_inside = (
        ".." not in Path(name).parts
        and Path(os.path.abspath(file)).is_relative_to(folder)
        and file.parent.resolve().is_relative_to(Path(folder).resolve())
    )
    if not is_inside or name[0] in "=:" or not name.isprintable():
        raise ValueError(f"{path}: found the data file {name!r}, expected one in the folder of the header")
    if not file.is_file():
        raise ValueError(f"{path}: a header without its data: found no file {name} beside it, expected both")
    return file


def check_data_sizes(path: Path, header: Header) -> None:
    """Raise ValueError when the data files of a header have another size than it says; ITK would read on regardless."""
    fields, files = header
    _check_count(path, header)
    encoding = fields.get("encoding", "raw" if fields.get("compresseddata", "false").lower() != "true" else "zlib")
    skipped = [fields.get(key, "0") for key in ("byteskip", "headersize")]
    is_text = fields.get("binarydata", "true").lower() == "false"
    if not files or is_text or encoding.lower() != "raw" or fields.get("lineskip", "0") != "0":
        return
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
        itemsize = sitk.GetArrayViewFromImage(sitk.Image([1, 1], reader.GetPixelID(), 1)).itemsize
    except RuntimeError:
        return  # told when the image is read
    total = math.prod(reader.GetSize()) * reader.GetNumberOfComponents() * itemsize
    voxels = f"{' x '.join(map(str, reader.GetSize()))} voxels, {sitk.GetPixelIDValueAsString(reader.GetPixelID())}"
    # A skip of -1 stands for all that comes before the voxels.
    expected = total // len(files) + sum(int(count) for count in skipped if count.isdecimal())
    for file in files:
        size = file.stat().st_size
        if size < expected or (size > expected and set(skipped) == {"0"}):
            raise ValueError(f"{file}: found {size} bytes, expected {expected} by the header {path.name} ({voxels})")


def _check_count(path: Path, header: Header) -> None:
    """Raise ValueError for too few or too many data files; MetaIO would leave the other voxels as they are in memory."""
    fields, files = header
    value = fields.get("datafile", fields.get("elementdatafile", ""))
    if not files or not ("%" in value or value.startswith("LIST")):
        return
    lengths = [int(length) for length in fields.get("sizes", fields.get("dimsize", "")).split()]
    words = value.split()[4 if "%" in value else 1 :]
    axes = int(words[0]) if words and words[0].isdecimal() else 0
    axes = axes if 0 < axes <= len(lengths) else len(lengths) - 1
    expected = math.prod(lengths[axes:])
    # In NRRD, files of as many axes as the volume share its last one.
    shares = "datafile" in fields and axes == len(lengths) and lengths[-1] % len(files) == 0
    if len(files) != expected and not shares:
        raise ValueError(f"{path}: found {len(files)} data files of {axes} axes, expected {expected}")
