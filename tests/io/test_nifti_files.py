"""NIfTI headers: which place of the voxels is taken, what is said of it, and files that are not what their suffix says."""

import gzip
import re
import struct

import nibabel as nib
import numpy as np
import pytest

from medkd.io import read_volume, read_volume_file, write_prediction

ARRAY = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6) - 50
LPS = np.diag([-0.8, -0.8, 2.0, 1.0])
RPS = np.diag([0.8, -0.8, 2.0, 1.0])


def write(path, sform=None, qform=None, array=ARRAY, image_class=nib.Nifti1Image, **fields):
    """Write a file with the forms that are given; ``fields`` are written into its header as they are."""
    image = image_class(array, sform if sform is not None else qform if qform is not None else LPS)
    image.set_sform(sform, int(sform is not None))
    image.set_qform(qform, int(qform is not None))
    content = bytearray(image.to_bytes())
    header = np.frombuffer(content, image.header.template_dtype, 1)
    for name, value in fields.items():
        header[name] = value
    path.write_bytes(content)
    return path


def pixdim(*sizes):
    return [1, *sizes, 1, 1, 1, 1]


@pytest.mark.parametrize("image_class", [nib.Nifti1Image, nib.Nifti2Image])
def test_plain_headers_have_no_notes(tmp_path, image_class):
    for name, forms in {"s": (LPS, None), "q": (None, RPS), "both": (LPS, LPS)}.items():
        volume = read_volume(write(tmp_path / f"{name}.nii", *forms, image_class=image_class))
        np.testing.assert_array_equal(volume.array, ARRAY)
        np.testing.assert_allclose(volume.affine, forms[0] if forms[0] is not None else forms[1], rtol=1e-6)
        assert volume.notes == ()


def test_oblique_forms_that_differ_by_rounding_have_no_note(tmp_path):
    turned = nib.eulerangles.euler2mat(np.pi, 0.1, 0.2) @ np.diag([0.7, 0.7, 1.5])
    affine = nib.affines.from_matvec(turned, [-170.3, 120.7, -900.1])
    array = np.zeros((512, 512, 3), np.uint8)
    assert read_volume(write(tmp_path / "a.nii", affine, affine, array)).notes == ()


NAN = np.nan


@pytest.mark.parametrize(
    ("forms", "fields", "note", "affine"),
    [
        ((None, None), {}, "no orientation .sform_code and qform_code are 0.: left, right, front and back", "base"),
        ((None, LPS), {"pixdim": pixdim(0.8, -0.8, 2)}, "sizes are 0.8 x -0.8 x 2 by pixdim: taken without their", LPS),
        ((LPS, LPS), {"pixdim": pixdim(-0.8, 0.8, -2)}, "sizes are -0.8 x 0.8 x -2 by pixdim: taken without", LPS),
        ((LPS, RPS), {}, r"sform \(axes LPS\) and qform \(axes RPS\) differ by up to 6 voxels: the sform was", LPS),
        (
            (LPS, RPS),
            {"srow_x": 0, "srow_y": 0, "srow_z": 0},
            "its sform has no volume or NaN, the qform was taken",
            RPS,
        ),
        ((LPS, RPS), {"srow_x": NAN}, "its sform has no volume or NaN, the qform was taken", RPS),
        ((LPS, RPS), {"quatern_b": 3}, "its qform has no volume or NaN, the sform was taken", LPS),
        ((LPS, RPS), {"pixdim": pixdim(0, 0.8, 2)}, "its qform has no volume or NaN, the sform was taken", LPS),
        ((LPS, None), {"pixdim": pixdim(1, 1, 5)}, "0.8 x 0.8 x 2 by the sform, which was taken, and 1 x 1 x 5", LPS),
        (
            (LPS / 1000, None),
            {"pixdim": pixdim(8e-4, 8e-4, 2e-3), "xyzt_units": 1},
            "unit is metres: sizes and pl",
            LPS,
        ),
        ((None, RPS * 1000), {"xyzt_units": 3 + 8}, "unit is micrometres: sizes and places are scaled to mm", RPS),
    ],
)
def test_what_is_guessed_is_said(tmp_path, forms, fields, note, affine):
    path = write(tmp_path / "a.nii", *forms, **fields)
    volume = read_volume(path)
    expected = nib.load(path).header.get_base_affine() if isinstance(affine, str) else affine
    np.testing.assert_allclose(volume.affine[:3], expected[:3], rtol=1e-5, atol=1e-6)
    (found,) = volume.notes
    assert re.search(note, found)


@pytest.mark.parametrize("affine", [np.eye(4), np.diag([-1.0, -1, 1, 1])], ids=["RAS", "LPS"])
def test_an_identity_of_a_stack_of_slices_is_named(tmp_path, affine):
    for shape in ((4, 9, 9), (9, 9, 7), (10, 9, 5)):
        (note,) = read_volume(write(tmp_path / "a.nii", affine, array=np.zeros(shape, np.int16))).notes
        assert note.startswith("the affine is the identity")
        assert ("shape (4, 9, 9) looks like slices first" in note) == (shape[0] == 4)
    for shape, other in (((9, 10, 9), affine), ((4, 9, 9), affine + np.eye(4, k=3))):
        assert read_volume(write(tmp_path / "a.nii", other, array=np.zeros(shape, np.int16))).notes == ()


@pytest.mark.parametrize(
    ("forms", "fields", "message"),
    [
        (
            (None, None),
            {"pixdim": pixdim(0, 0, 0)},
            r"found voxel sizes \(pixdim\) \[0.0, 0.0, 0.0\], expected numbers ab",
        ),
        ((None, None), {"pixdim": pixdim(-1, 1, 1)}, "expected numbers above 0"),
        ((None, None), {"pixdim": pixdim(NAN, 1, 1)}, "expected numbers above 0"),
        ((None, RPS), {"pixdim": pixdim(0.8, 0.8, 0)}, "affine without a volume"),
        ((LPS, None), {"srow_z": [NAN, 0, 0, 0]}, "affine without a volume or with NaN: sform"),
        ((LPS, None), {"srow_z": [0, 0, 0, 5]}, "affine without a volume or with NaN: sform"),
        ((LPS, None), {"datatype": 1}, "is unreadable or truncated .data code 1 not supported"),
        ((LPS, None), {"scl_slope": 1, "scl_inter": NAN}, "is unreadable or truncated"),
    ],
)
def test_headers_without_a_place_or_voxels_are_refused(tmp_path, forms, fields, message):
    path = write(tmp_path / "a.nii", *forms, **fields)
    with pytest.raises(ValueError, match=message) as error:
        read_volume(path)
    assert str(error.value).startswith(str(path))


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (
            np.zeros((4, 5, 6, 2), np.int16),
            r"shape \(4, 5, 6, 2\), expected three axes: medkd prepare nifti --channels",
        ),
        (
            np.zeros((4, 5, 6, 1, 3), np.int16),
            r"shape \(4, 5, 6, 1, 3\), expected three axes: medkd prepare nifti --channels",
        ),
        (np.zeros((4, 5, 6), np.complex64), r"complex numbers\), expected real numbers"),
        (np.zeros((4, 5, 6), [("R", "u1"), ("G", "u1"), ("B", "u1")]), r"colours\), expected real numbers"),
    ],
)
def test_several_values_per_voxel_are_refused(tmp_path, array, message):
    with pytest.raises(ValueError, match=message):
        read_volume(write(tmp_path / "a.nii", LPS, array=array))


def test_arrays_are_native_and_of_three_axes(tmp_path):
    swapped = nib.Nifti1Image(ARRAY[..., None, None], LPS, nib.Nifti1Header(endianness=">"))
    nib.save(swapped, tmp_path / "a.nii.gz")
    array = read_volume(tmp_path / "a.nii.gz").array
    np.testing.assert_array_equal(array, ARRAY)
    assert array.dtype.isnative
    volume = read_volume(write(tmp_path / "b.nii", LPS, scl_slope=0, scl_inter=7))
    np.testing.assert_array_equal(volume.array, ARRAY)  # a slope of 0 is none


@pytest.mark.parametrize("array", [ARRAY, np.arange(60**3, dtype=np.int32).reshape(60, 60, 60)], ids=["short", "long"])
def test_bytes_behind_the_gzip_stream_are_ignored_and_named(tmp_path, array):
    packed = gzip.compress(write(tmp_path / "a.nii", LPS, array=array).read_bytes())
    path = tmp_path / "a.nii.gz"
    path.write_bytes(packed + bytes(7) + b"signature of a scanner")
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.array, array)
    assert volume.notes == ("bytes behind the end of the gzip stream are ignored",)
    path.write_bytes(packed + bytes(700))  # padding, as of tapes, is no content
    assert read_volume(path).notes == ()
    path.write_bytes(gzip.compress(gzip.decompress(packed)[:-9]) + b"no second member")
    with pytest.raises(ValueError, match="unreadable or truncated"):
        read_volume(path)


def test_gzip_is_told_by_its_bytes(tmp_path):
    plain = write(tmp_path / "a.nii.gz", LPS)
    packed = tmp_path / "b.nii"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    for path in (plain, packed):
        np.testing.assert_array_equal(read_volume(path).array, ARRAY)
        written = write_prediction(np.ones((1, 4, 5, 6), np.uint8), tmp_path / "out", path.name[0], str(path))
        np.testing.assert_array_equal(nib.load(written).affine, nib.load(write(tmp_path / "c.nii", LPS)).affine)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"found an empty file \(0 bytes\)"),
        (bytes(400), "found zero bytes alone"),
        (b"<!DOCTYPE html><html>Not found</html>", "found an HTML page, which a failed download leaves"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "found a Git LFS pointer, .* git lfs pull"),
        (gzip.compress(gzip.compress(bytes(400), mtime=0), mtime=0), "found a gzip file inside gzip, expected NIfTI"),
        (b"PK\x03\x04 and more", "found a zip archive: unpack it"),
        (b"NRRD0004\n", "found an NRRD file, expected NIfTI"),
        (bytes(128) + b"DICM" + bytes(300), "found a DICOM file, expected NIfTI"),
        (struct.pack("<i", 348) + bytes(344), "found an Analyze 7.5 header, which holds no orientation"),
        (struct.pack("<i", 348) + bytes(340) + b"ni1\0", "found the header of a NIfTI pair"),
        (b"\xde\xad\xbe\xef", "found bytes de ad be ef, expected NIfTI"),
        (
            gzip.compress(bytes(range(1, 250)) * 9, mtime=0)[:-20],
            "bytes 01 02 03 04 inside gzip|unreadable or truncated",
        ),
    ],
)
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_what_else_a_file_holds_is_said(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        read_volume(tmp_path / name)
    assert str(error.value).startswith(str(tmp_path / name)) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("forms", "fields"),
    [
        ((None, None), {}),
        ((LPS, RPS), {}),
        ((np.eye(4), RPS), {}),
        ((LPS, RPS), {"quatern_b": 3}),
        ((LPS, RPS), {"pixdim": pixdim(0, 0.8, 2)}),
        ((LPS, RPS), {"pixdim": pixdim(NAN, -0.8, 2)}),
        ((LPS, RPS), {"srow_x": NAN}),
        ((LPS / 1000, None), {"pixdim": pixdim(8e-4, 8e-4, 2e-3), "xyzt_units": 1}),
    ],
)
def test_a_prediction_lies_where_its_image_is_read(tmp_path, capsys, forms, fields):
    path = write(tmp_path / "a.nii", *forms, **fields)
    affine = read_volume_file(path)[1]
    said = capsys.readouterr().err.splitlines()
    assert [line.removeprefix(f"note: {path}: ") for line in said] == list(read_volume(path).notes) and said
    labels = np.ones((1, 4, 5, 6), np.uint8)
    written = read_volume(write_prediction(labels, tmp_path / "out", "a", str(path)))
    np.testing.assert_allclose(written.affine, affine)
    np.testing.assert_array_equal(written.array, labels[0])
