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
FLAT_INCH = np.diag([-2.54, -2.54, 5.08])


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
        ("a.mhd", metaimage(PLACED + "DistanceUnits = Inch\nElementSpacing = .1 .1 .2\n"), FLAT_INCH, ["unit is in:"]),
        (
            "a.mhd",
            metaimage(PLACED + "DistanceUnits = ?\nElementSize = 0.7 0.7 3\n"),
            FLAT,
            ["unit is '?': sizes and p"],
        ),
        ("a.nhdr", nrrd(SPACE + 'space units: "MM" "" "millimetres"\n'), FLAT, []),
        ("a.nhdr", nrrd(SPACE + "old min: nan\n"), FLAT, []),
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
            "found the data file .../a.raw., expected one in the folder of the",
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
        ("a.nhdr", nrrd('spacings: 1 1 1\nunits: "furlong" "furlong" "furlong"\n'), DATA, "expected one of m, cm, mm,"),
        ("a.mhd", metaimage("DistanceUnits = px2\n"), DATA, "found units px2, expected one of m, cm, mm,"),
        ("a.mhd", metaimage("ElementSize = 0 1 1\n"), DATA, "found voxel sizes 0 1 1, expected numbers above 0"),
        ("a.nhdr", nrrd("old min: -1000\nold max: 400\n"), DATA, "found old min -1000: voxels are quantised, expected"),
        (
            "a.mhd",
            metaimage("ElementToIntensityFunctionSlope = 0\n"),
            DATA,
            "FunctionSlope 0.0 and Offset 0.0, expected",
        ),
        ("a.mhd", metaimage("ElementToIntensityFunctionOffset = inf\n"), DATA, "and Offset inf, expected finite num"),
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


def write_slices(folder, names):
    """Write a file for each of the two slices."""
    for name, data in zip(names, (DATA[:24], DATA[24:]), strict=True):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)


@pytest.mark.parametrize(
    ("name", "text", "slices"),
    [
        ("a.mhd", metaimage(PLACED, "LIST\ns 0.raw\ns 1.raw"), ("s 0.raw", "s 1.raw")),
        ("a.mha", metaimage(PLACED, "LIST 2\nparts/0\nparts/1"), ("parts/0", "parts/1")),
        ("a.mhd", metaimage(PLACED, "s%02d.raw 3 4 1"), ("s03.raw", "s04.raw")),
        ("a.nhdr", nrrd(SPACE, "LIST 2\n..0.raw\n..1.raw"), ("..0.raw", "..1.raw")),
        ("a.nhdr", nrrd(SPACE, "LIST 3\n0.raw\n1.raw"), ("0.raw", "1.raw")),
        ("a.nhdr", nrrd(SPACE, "parts/s%d.raw 0 2 2 2"), ("parts/s0.raw", "parts/s2.raw")),
        ("a.nhdr", nrrd(f"# data file: b.raw\ndata file:=b.raw\n{SPACE}"), ()),
        ("a.mhd", metaimage(PLACED).replace("\n", "\r\n"), ()),
    ],
)
def test_data_in_several_files(tmp_path, name, text, slices):
    write_slices(tmp_path, slices) if slices else None
    np.testing.assert_array_equal(read_volume(write(tmp_path, name, text)).array, ARRAY)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.mhd", metaimage("", "LIST\n../out/0\n../out/1"), "data file '../out/0', expected one in the folder"),
        ("a.mhd", metaimage("", "LIST\nb/../../out/0\nb/../../out/1"), "data file 'b/../../out/0', expected one in"),
        ("a.mhd", metaimage("", "../out/%d 0 1 1"), "data file '../out/0', expected one in the folder"),
        ("a.mha", metaimage("", "../out/%d 0 1 1"), "data file '../out/0', expected one in the folder"),
        ("a.mhd", metaimage("", "local/../../out/0"), "data file 'local/../../out/0', expected one in the folder"),
        ("a.mhd", metaimage("", "/etc/passwd"), "data file '/etc/passwd', expected one in the folder"),
        ("a.mhd", metaimage("", "linked/0"), "data file 'linked/0', expected one in the folder"),
        ("a.mhd", metaimage("", "LIST\nlinked/0\nlinked/1"), "data file 'linked/0', expected one in the folder"),
        ("a.mhd", metaimage("", "a.raw\r../out/0"), r"data file 'a.raw\\r../out/0', expected one in the folder"),
        ("a.mhd", metaimage("", "= ../out/0"), "data file '= ../out/0', expected one in the folder"),
        ("a.nhdr", nrrd("", "LIST 2\n../out/0\n../out/1"), "data file '../out/0', expected one in the folder"),
        ("a.nhdr", nrrd("", "../out/%d 0 1 1"), "data file '../out/0', expected one in the folder"),
        ("a.nrrd", nrrd("", "../out/0"), "data file '../out/0', expected one in the folder"),
        ("a.nhdr", nrrd("datafile: ../out/0\n"), "found 2 fields data file in the header, expected one"),
        ("a.nhdr", nrrd("") + "\r\ndata file: ../out/0\n", "found 2 fields data file in the header, expected one"),
        ("a.mhd", metaimage("") + "ElementDataFile = ../out/0\n", "found 2 fields ElementDataFile in the header"),
        ("a.mhd", metaimage("Name = a\rElementDataFile = ../out/0\n"), "found 2 fields ElementDataFile in the header"),
        (
            "a.mhd",
            metaimage("Comment = " + "x" * (1 << 20) + "\n", "../out/0"),
            "found 0 fields ElementDataFile in the",
        ),
        ("a.nhdr", nrrd("# " + "x" * (1 << 20) + "\n", "../out/0"), "found a header of more than 1048576 bytes"),
        ("a.mhd", metaimage("", "%s%n 0 1 1"), "data file %s%n 0 1 1, expected one name, LIST"),
        ("a.mhd", metaimage("", "%d"), "data file %d, expected one name, LIST and"),
        ("a.mhd", metaimage("", "%d 0 1 0"), "data file %d 0 1 0, expected one name, LIST and"),
        ("a.mhd", metaimage("", "LIST\na.raw\n\na.raw"), "data file LIST, expected one name, LIST and below it"),
        ("a.mhd", metaimage("", "LIST\na.raw\na.raw")[:-1], "data file LIST, expected one name, LIST and below it"),
        ("a.mhd", metaimage("", "LIST\na.raw"), "found 1 data files of 2 axes, expected 2"),
        ("a.mhd", metaimage("", "LIST 3\na.raw\na.raw"), "found 2 data files of 3 axes, expected 1"),
        ("a.mhd", metaimage("", "LIST\na.raw\nb.raw"), "found no file b.raw beside it, expected both"),
        ("a.mhd", metaimage("", "LIST\na.raw\na.raw"), "a.raw: found 48 bytes, expected 24 by the header a.mhd"),
        ("a.mhd", metaimage("HeaderSize = 7\n"), "a.raw: found 48 bytes, expected 55 by the header a.mhd"),
        ("a.nhdr", nrrd("byte skip: 7\n"), "a.raw: found 48 bytes, expected 55 by the header a.nhdr"),
        (
            "a.mhd",
            metaimage("").replace("ElementDataFile = a.raw\n", ""),
            "found 0 fields ElementDataFile in the header",
        ),
    ],
)
def test_a_header_names_no_file_outside_its_folder(tmp_path, name, text, message):
    folder = tmp_path / "in"
    (folder / "local").mkdir(parents=True)
    (folder / "b").mkdir()
    write_slices(tmp_path, ("out/0", "out/1"))
    (folder / "linked").symlink_to(tmp_path / "out")
    with pytest.raises(ValueError, match=message) as error:
        read_volume(write(folder, name, text))
    assert "\n" not in str(error.value)


def test_a_data_file_may_be_a_link_to_a_store(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    path = write(folder, "a.mhd", metaimage(PLACED))
    (folder / "a.raw").rename(tmp_path / "store")
    (folder / "a.raw").symlink_to(tmp_path / "store")
    np.testing.assert_array_equal(read_volume(path).array, ARRAY)


@pytest.mark.parametrize(("slope", "offset"), [(1, 0), (1, -1000), (0.5, 3), (-1, 0)])
def test_intensities_of_metaimage_are_rescaled(tmp_path, slope, offset):
    fields = f"ElementToIntensityFunctionSlope = {slope}\nElementToIntensityFunctionOffset = {offset}\nElementMin = 7\n"
    volume = read_volume(write(tmp_path, "a.mhd", metaimage(PLACED + fields)))
    np.testing.assert_array_equal(volume.array, ARRAY * slope + offset)
    assert volume.array.dtype == (np.float64 if (slope, offset) != (1, 0) else np.int16)


@pytest.mark.parametrize("value", ["9" * 2000, "(9,0,0) " * 250])
def test_a_field_that_itk_would_write_past_its_buffer(tmp_path, value):
    """Such a header ended the process."""
    text = nrrd(
        f"space: left-posterior-superior\nspace directions: (1,0,0) (0,1,0) {value}\n{SPACE}"
    )  # the second one does not hide the first
    with pytest.raises(ValueError, match="a.nhdr: found space directions: .* expected 500 characters a line at most"):
        read_volume(write(tmp_path, "a.nhdr", text))
    with pytest.raises(ValueError, match="a.nhdr: found xxx.* expected 500 characters a line at most"):
        read_volume(write(tmp_path, "a.nhdr", nrrd(f"{SPACE}{'x' * 3000}\n")))
    write(tmp_path, "a.nhdr", nrrd(f"{SPACE}Segment0_Name:={'x' * 3000}\ncontent: {'x' * 3000}\n"))
    np.testing.assert_array_equal(read_volume(tmp_path / "a.nhdr").array, ARRAY)
