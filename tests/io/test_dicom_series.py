"""DICOM series: HU, geometry, and every folder that is no plain volume."""

import locale

import numpy as np
import pytest
import SimpleITK as sitk

from medkd.io import is_dicom_folder, read_volume_file
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


def cut_short(folder):
    file = sorted(folder.iterdir())[3]
    file.write_bytes(file.read_bytes()[:-20])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (without_a_slice, r"missing or uneven: steps of 2 to 4 mm \(between slices 2 and 3 of 5\)"),
        (two_series, r"2 DICOM series: .*thin \(6 files\).*; expected one per folder"),
        (one_position_twice, "two DICOM slices at one position"),
        (one_slice, "the DICOM series is one slice"),
        (no_dicom, "no DICOM series in it"),
        (cut_short, "unreadable"),
    ],
)
def test_refused_folders(tmp_path, spoil, message):
    folder = tmp_path / "case"
    write_dicom(folder, HU, np.diag([1, 1, 2, 1.0]), description="thin")
    spoil(folder)
    with pytest.raises(ValueError, match=message) as error:
        read_volume_file(folder)
    assert str(folder) in str(error.value) and "\n" not in str(error.value)
