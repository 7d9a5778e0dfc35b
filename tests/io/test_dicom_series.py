"""DICOM series: HU, geometry, and every folder that is no plain volume."""

import locale

import numpy as np
import pytest
import SimpleITK as sitk

from medkd.io import is_dicom_folder, read_volume, read_volume_file
from medkd.phantoms import write_dicom

TILTED = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]])
HU = np.arange(4 * 5 * 6).reshape(4, 5, 6) * 7.0 - 1000  # columns, rows, slices


@pytest.mark.parametrize("direction", [np.eye(3), TILTED], ids=["straight", "oblique"])
def test_hu_and_millimetres(tmp_path, direction):
    affine = np.eye(4)  # RAS+
    affine[:3, :3], affine[:3, 3] = direction * [-0.7, -0.8, 2.5], [30, -20, 100]
    write_dicom(tmp_path / "case", HU, affine, rescale=(2.0, -1025.0))
    assert is_dicom_folder(tmp_path / "case") and not is_dicom_folder(tmp_path)
    found, found_affine = read_volume_file(tmp_path / "case")
    np.testing.assert_allclose(found, HU, atol=1.0)  # a slope of 2 holds every other number
    assert len(np.unique(found % 2)) == 1
    np.testing.assert_allclose(found_affine, affine, atol=1e-4)
    first = sitk.ReadImage(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(tmp_path / "case")))
    world = np.array([-1, -1, 1]) * first.TransformIndexToPhysicalPoint((3, 4, 5))
    np.testing.assert_allclose(found_affine @ [3, 4, 5, 1], [*world, 1], atol=1e-3)


def test_the_locale_stays(tmp_path):
    before = locale.setlocale(locale.LC_ALL)
    write_dicom(tmp_path, HU, np.eye(4))
    read_volume_file(tmp_path)
    assert locale.setlocale(locale.LC_ALL) == before


def test_slices_are_sorted_by_position_not_by_name(tmp_path):
    write_dicom(tmp_path, HU, np.diag([1, 1, 2, 1.0]))
    files = sorted(tmp_path.iterdir())
    for number, file in enumerate(files):
        file.rename(tmp_path / f"{chr(ord('z') - number)}")
    np.testing.assert_allclose(read_volume_file(tmp_path)[0], HU)


def test_a_tilted_gantry_is_kept(tmp_path):
    affine = np.diag([1, 1, 2, 1.0])
    affine[1, 2] = 0.5  # each slice lies half a millimetre further
    write_dicom(tmp_path, HU, affine)
    np.testing.assert_allclose(read_volume_file(tmp_path)[1], affine, atol=1e-4)


def without_a_slice(folder):
    sorted(folder.iterdir())[2].unlink()


def two_series(folder):
    write_dicom(folder, HU, np.diag([1, 1, 4, 1.0]), description="thick", prefix="thick")


def one_position_twice(folder):
    write_dicom(folder, HU[:, :, :2], np.diag([1, 1, 2, 1.0]), description="thin", prefix="again")


def one_slice(folder):
    for file in sorted(folder.iterdir())[1:]:
        file.unlink()


def no_dicom(folder):
    for file in folder.iterdir():
        file.write_text("no image")


def further_down(folder):
    (folder / "series").mkdir()
    for file in folder.glob("*.dcm"):
        file.rename(folder / "series" / file.name)


def cut_short(folder):
    file = sorted(folder.iterdir())[3]
    file.write_bytes(file.read_bytes()[:-20])


def edit(old, new, which=slice(None)):
    """Change bytes of the files, such as an element of their headers."""

    def spoil(folder):
        for file in sorted(folder.iterdir())[which]:
            content = file.read_bytes()
            assert old in content
            file.write_bytes(content.replace(old, new, 1))

    return spoil


SPACING = b"\x28\x00\x30\x00\x04\x00\x00\x00"  # the element (0028,0030), whose text is 1\1
THICKNESS, STEP = (b"\x18\x00" + element + b"\x00\x02\x00\x00\x00" for element in (b"\x50", b"\x88"))
GREY = b"MONOCHROME2"
LOCALIZER = {"0008|0008": "ORIGINAL\\PRIMARY\\LOCALIZER"}


def of_class(folder, number, sop_class, name="other.dcm"):
    """Copy a slice to a file of another SOP class."""
    content = (folder / f"slice_{number:03}.dcm").read_bytes()
    start = content.index(b"\x02\x00\x02\x00UI")
    length = int.from_bytes(content[start + 6 : start + 8], "little")
    uid = sop_class.encode() + b"\0" * (len(sop_class) % 2)
    meta = content[: start + 6] + len(uid).to_bytes(2, "little") + uid + content[start + 8 + length :]
    (folder / name).write_bytes(meta)


@pytest.mark.parametrize(
    ("sop_class", "content"),
    [
        ("1.2.840.10008.5.1.4.1.1.88.33", "report"),
        ("1.2.840.10008.5.1.4.1.1.481.2", "radiotherapy dose"),
        ("1.2.840.10008.5.1.4.1.1.481.3", "radiotherapy structures"),
        ("1.2.840.10008.5.1.4.1.1.66.4", "segmentation"),
        ("1.2.840.10008.5.1.4.1.1.104.1", "document"),
        ("1.2.840.10008.5.1.4.1.1.11.1", "presentation state"),
    ],
)
def test_what_holds_no_slices_is_skipped_and_named(tmp_path, sop_class, content):
    write_dicom(tmp_path / "case", HU, np.diag([1, 1, 2, 1.0]))
    of_class(tmp_path / "case", 3, sop_class)
    (tmp_path / "case/desktop.ini").write_text("[x]")
    (tmp_path / "case/.DS_Store").write_text("x")
    volume = read_volume(tmp_path / "case")
    np.testing.assert_allclose(volume.array, HU)
    assert volume.notes == (f"skipped desktop.ini (no DICOM), other.dcm ({content}): no slices of the series",)
    for file in (tmp_path / "case").glob("slice*"):
        file.unlink()
    assert not is_dicom_folder(tmp_path / "case")
    with pytest.raises(
        ValueError, match=rf"no DICOM series in it \(found desktop.ini .no DICOM., other.dcm .{content}"
    ):
        read_volume(tmp_path / "case")


def test_a_localizer_is_skipped_beside_slices(tmp_path):
    write_dicom(tmp_path / "case", HU, np.diag([1, 1, 2, 1.0]))
    write_dicom(tmp_path / "scout", HU[:, :, :1], np.eye(4), description="scout", prefix="scout", tags=LOCALIZER)
    (tmp_path / "scout/scout_000.dcm").rename(tmp_path / "case/scout.dcm")
    volume = read_volume(tmp_path / "case")
    np.testing.assert_allclose(volume.array, HU)
    assert volume.notes == ("skipped scout.dcm (localizer): no slices of the series",)


def test_slices_may_have_rescale_factors_of_their_own(tmp_path):
    stored = np.arange(4 * 5 * 4, dtype=np.float64).reshape(4, 5, 4)
    factors = [(2.0, -1024.0), (0.5, 3.0), (1.25, 0.0), (1.0, -1.0)]
    expected = np.stack([stored[..., k] * slope + offset for k, (slope, offset) in enumerate(factors)], axis=-1)
    for number, rescale in enumerate(factors):
        affine = np.diag([1, 1, 2, 1.0])
        affine[2, 3] = 2 * number
        write_dicom(tmp_path, expected[..., number : number + 1], affine, rescale, prefix=f"s{number}")
    np.testing.assert_allclose(read_volume(tmp_path).array, expected)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            edit(SPACING, SPACING.replace(b"0", b"1")),
            "found no pixel spacing in its DICOM header .PixelSpacing., expected two l",
        ),
        (edit(SPACING + b"1\\1 ", SPACING + b"    "), "found no pixel spacing"),
        (edit(SPACING + b"1\\1 ", SPACING + b"0\\0 "), r"found 0\\0 pixel spacing"),
        (
            edit(SPACING + b"1\\1 ", SPACING + b"1\\2 ", slice(2, 3)),
            "different pixel spacing: 1 x 1 to 1 x 2",
        ),
        (edit(THICKNESS + b"2 ", STEP + b"0 "), "found 0 mm between slices in its DICOM header .SpacingBetweenSlices"),
        (edit(GREY, b"MONOCHROME1"), r"found inverted grey values \(MONOCHROME1\), expected MONOCHROME2"),
        (without_a_slice, r"missing or uneven: steps of 2 to 4 mm \(between slices 2 and 3 of 5\)"),
        (two_series, r"2 DICOM series: .*thin \(6 files\).*; expected one per folder"),
        (one_position_twice, "two DICOM slices at one position"),
        (one_slice, "the DICOM series is one slice"),
        (no_dicom, "no DICOM series in it"),
        (cut_short, r"unreadable or truncated DICOM file \(transfer syntax 1\.2\.840\.10008\.1\.2\)$"),
        (
            lambda folder: (folder / "slice_005.dcm").write_bytes(b""),
            "slice_005.dcm: found an empty file .*, expected DICOM",
        ),
        (further_down, "no DICOM series in it; there is one in .*/case/series"),
    ],
)
def test_refused_folders(tmp_path, spoil, message):
    folder = tmp_path / "case"
    write_dicom(folder, HU, np.diag([1, 1, 2, 1.0]), description="thin")
    spoil(folder)
    with pytest.raises(ValueError, match=message) as error:
        read_volume_file(folder)
    assert str(folder) in str(error.value) and "\n" not in str(error.value)


def test_unreadable_voxels_are_told_with_their_encoding(tmp_path, monkeypatch):
    def refuse(self):
        raise RuntimeError("itk::ERROR: a.cxx:1\nITK ERROR: GDCMImageIO(0x5640e869a8c0): Failed to change to Implicit")

    write_dicom(tmp_path / "case", HU, np.diag([1, 1, 2, 1.0]), description="thin")
    monkeypatch.setattr(sitk.ImageSeriesReader, "Execute", refuse)
    with pytest.raises(
        ValueError, match=r"\(transfer syntax 1\.2\.840\.10008\.1\.2; GDCMImageIO: Failed to change to Impl"
    ):
        read_volume_file(tmp_path / "case")
