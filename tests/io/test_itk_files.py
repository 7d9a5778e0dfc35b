"""NRRD and MetaImage: what their headers leave open, their units, and headers without their data."""

import gzip

import numpy as np
import pytest

from medkd.io import read_volume

ARRAY = np.arange(24, dtype="<i2").reshape(4, 3, 2, order="F")
DATA = ARRAY.tobytes(order="F")
PLACED = "TransformMatrix = 1 0 0 0 1 0 0 0 1\n"
SPACE = "space: left-posterior-superior\nspace directions: (0.7,0,0) (0,0.7,0) (0,0,3)\nspace origin: (1,2,3)\n"
FLAT = np.diag([-0.7, -0.7, 3.0])


def metaimage(fields, data="a.raw", kind="MET_SHORT", dims="NDims = 3\nDimSize = 4 3 2\n"):
    return f"ObjectType = Image\n{dims}{fields}ElementType = {kind}\nElementDataFile = {data}\n"


def nrrd(fields, data="a.raw", encoding="raw"):
    header = "NRRD0005\ntype: short\ndimension: 3\nsizes: 4 3 2\nendian: little\n"
    return f"{header}encoding: {encoding}\n{fields}data file: {data}\n"


def write(folder, name, text, data=DATA):
    (folder / "a.raw").write_bytes(data)
    (folder / name).write_text(text)
    return folder / name


@pytest.mark.parametrize(
    ("name", "text", "axes", "notes"),
    [
        ("a.nhdr", nrrd(SPACE), FLAT, []),
        ("a.nhdr", nrrd(SPACE.replace("left-posterior", "right-anterior")), -FLAT * [1, 1, -1], []),
        (
            "a.nhdr",
            nrrd(SPACE.replace("left-posterior-superior", "scanner-xyz")),
            FLAT,
            ["the space 'scanner-xyz' are"],
        ),
        ("a.nhdr", nrrd("spacings: 0.7 0.7 3\n"), FLAT, ["incomplete: axes are taken for LPS"]),
        (
            "a.nhdr",
            nrrd(SPACE + 'space units: "cm" "cm" "cm"\n'),
            FLAT * 10,
            ["unit is cm: sizes and places are scaled"],
        ),
        ("a.nhdr", nrrd(SPACE + 'space units: "mm" "mm" "mm"\n'), FLAT, []),
        ("a.mhd", metaimage(PLACED + "ElementSpacing = 0.7 0.7 3\n"), FLAT, []),
        ("a.mhd", metaimage("ElementSpacing = 0.7 0.7 3\n"), FLAT, ["incomplete: axes are taken for LPS"]),
        (
            "a.mhd",
            metaimage(PLACED + "Offset = 1 2 3\n"),
            np.diag([-1, -1, 1]),
            ["incomplete: voxel sizes are taken for 1"],
        ),
        ("a.mhd", metaimage(PLACED + "DistanceUnits = um\nElementSpacing = 700 700 3000\n"), FLAT, ["unit is um"]),
        (
            "a.mhd",
            metaimage(PLACED + "ElementSpacing = 0.7 0.7 3 1\n", dims="NDims = 4\nDimSize = 4 3 2 1\n").replace(
                PLACED, "TransformMatrix = 1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1\n"
            ),
            FLAT,
            [],
        ),
    ],
)
def test_what_a_header_leaves_open_is_said(tmp_path, name, text, axes, notes):
    volume = read_volume(write(tmp_path, name, text))
    np.testing.assert_array_equal(volume.array, ARRAY)
    np.testing.assert_allclose(volume.affine[:3, :3], axes, atol=1e-9)
    assert len(volume.notes) == len(notes)
    assert all(part in note for part, note in zip(notes, volume.notes, strict=True))


@pytest.mark.parametrize(
    ("name", "text", "data", "message"),
    [
        ("a.mhd", metaimage("", data="b.raw"), DATA, "a.mhd: a header without its data: found no file b.raw beside it"),
        ("a.nhdr", nrrd("", data="b.raw"), DATA, "a.nhdr: a header without its data: found no file b.raw beside it"),
        (
            "a.mhd",
            metaimage("", data="../a.raw"),
            DATA,
            "found the data file ../a.raw, expected one in the folder of the",
        ),
        (
            "a.mhd",
            metaimage(""),
            DATA * 2,
            r"a.raw: found 96 bytes, expected 48 by the header a.mhd \(4 x 3 x 2 voxels",
        ),
        ("a.nhdr", nrrd(""), DATA[:-1], "a.raw: found 47 bytes, expected 48 by the header a.nhdr"),
        ("a.mhd", metaimage("", kind="MET_FLOAT"), DATA, "found 48 bytes, expected 96 by the header .*32-bit float"),
        ("a.mhd", metaimage("ElementSpacing = 0 1 1\n"), DATA, "found voxel sizes 0 1 1, expected numbers above 0"),
        ("a.mhd", metaimage("ElementSpacing = -1 1 1\n"), DATA, "found voxel sizes -1 1 1, expected numbers above 0"),
        ("a.nhdr", nrrd("spacings: nan nan nan\n"), DATA, "found voxel sizes nan nan nan, expected numbers above 0"),
        ("a.nhdr", nrrd('spacings: 1 1 1\nunits: "mm" "mm" "cm"\n'), DATA, "expected one unit for all axes"),
        ("a.nrrd", "<html>", b"", "found an HTML page, .*, expected NRRD"),
        (
            "a.mha",
            "version https://git-lfs.github.com/spec/v1\n",
            b"",
            "found a Git LFS pointer, .*, expected MetaImage",
        ),
        ("a.mha", "", b"", "found an empty file"),
    ],
)
def test_refused_headers(tmp_path, name, text, data, message):
    path = write(tmp_path, name, text, data)
    with pytest.raises(ValueError, match=message) as error:
        read_volume(path)
    assert str(tmp_path) in str(error.value) and "\n" not in str(error.value)


def test_compressed_data_and_data_behind_a_header_of_their_own(tmp_path):
    (tmp_path / "a.raw.gz").write_bytes(gzip.compress(DATA))
    volume = read_volume(write(tmp_path, "a.nhdr", nrrd(SPACE, "a.raw.gz", "gzip")))
    np.testing.assert_array_equal(volume.array, ARRAY)
    volume = read_volume(write(tmp_path, "a.mhd", metaimage(f"HeaderSize = 7\n{PLACED}"), bytes(7) + DATA))
    np.testing.assert_array_equal(volume.array, ARRAY)
