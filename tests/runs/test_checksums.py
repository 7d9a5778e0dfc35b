"""A changed byte of an archive, or of a file with an appended checksum, is told; files without checksums are not refused."""

import io
import zipfile

import numpy as np
import pytest
import torch
from torch.serialization import set_crc32_options

from medkd.runs.checksums import append_checksum, check_appended, check_archive

DAMAGED = "it is damaged: "


def changed(content: bytes, position: int) -> bytes:
    return content[:position] + bytes([content[position] ^ 1 << position % 8]) + content[position + 1 :]


def test_every_changed_byte_of_an_array_is_told_or_is_no_number(tmp_path):
    array, file = np.arange(20.0, dtype=np.float16), tmp_path / "a.npy"
    np.save(file, array)
    append_checksum(file)
    check_appended(file)
    assert np.array_equal(np.load(file), array) and np.array_equal(np.load(file, mmap_mode="r"), array)
    content = file.read_bytes()
    for position in range(len(content)):
        file.write_bytes(changed(content, position))
        try:
            check_appended(file)
        except ValueError as error:
            assert str(error).startswith(DAMAGED)
        else:
            assert np.array_equal(np.load(file), array)


def test_files_without_a_checksum_and_files_that_were_written_anew(tmp_path):
    file = tmp_path / "a"
    for content in (b"", b"short", bytes(100)):
        file.write_bytes(content)
        check_appended(file)
        check_archive(file)
    append_checksum(file)
    file.write_bytes(b"more" + file.read_bytes())  # by a program that keeps what it does not know
    check_appended(file)


def test_every_changed_byte_of_weights_is_told_or_is_no_number(tmp_path):
    state, file = {"a": torch.arange(9.0)}, tmp_path / "model.pt"
    torch.save(state, file)
    check_archive(file)
    content = file.read_bytes()
    for position in range(0, len(content), 3):
        file.write_bytes(changed(content, position))
        try:
            check_archive(file)
            found = torch.load(file, weights_only=True)
        except Exception:
            continue
        assert torch.equal(found["a"], state["a"])


def test_weights_that_were_saved_without_checksums_are_read(tmp_path):
    set_crc32_options(False)
    try:
        torch.save({"a": torch.ones(3)}, tmp_path / "model.pt")
    finally:
        set_crc32_options(True)
    check_archive(tmp_path / "model.pt")


def test_the_damaged_entry_is_named(tmp_path):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("first", b"a" * 50)
        archive.writestr("second", b"b" * 50)
    content = stream.getvalue()
    (tmp_path / "a.zip").write_bytes(content.replace(b"bbb", b"bbc", 1))
    with pytest.raises(ValueError, match="it is damaged: the checksum of second does not match"):
        check_archive(tmp_path / "a.zip")
    (tmp_path / "a.zip").write_bytes(content.replace(b"PK\x01\x02", b"PK\x01\x03", 1))
    with pytest.raises(ValueError, match="it is damaged: the checksum of its list of entries"):
        check_archive(tmp_path / "a.zip")


def test_an_archive_that_says_that_it_has_several_parts(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a", b"b")
    content = (tmp_path / "a.zip").read_bytes()
    end = content.index(b"PK\x05\x06")
    locator = b"PK\x06\x07" + bytes(12) + b"\x02\0\0\0"  # of ZIP64: the second of two disks
    (tmp_path / "a.zip").write_bytes(content[:end] + locator + content[end:])
    with pytest.raises(ValueError, match=DAMAGED):
        check_archive(tmp_path / "a.zip")
