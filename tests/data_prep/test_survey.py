"""The survey of a user's volumes: measures of each case, and the settings that they propose."""

from dataclasses import replace

import numpy as np
import pytest

from medkd.data_prep._cases import CaseFiles
from medkd.data_prep._survey import (
    check_exchanged,
    is_ct,
    propose_image_size,
    propose_patch,
    propose_spacing,
    propose_window,
    survey_cases,
)

from .own_volumes import CT, make_ct, nan_case, write_folders
from .test_report import CASE


def test_measures_of_a_case_and_reasons_of_refused_ones(tmp_path):
    write_folders(tmp_path, 2, **nan_case())
    folders = tmp_path / "images", tmp_path / "labels"
    names = ("c0", "c1")
    files = {name: CaseFiles((folders[0] / f"{name}.nii.gz",), folders[1] / f"{name}.nii.gz") for name in names}
    measured, refused = survey_cases(files)
    image, label = make_ct(0)
    case = measured["c0"]
    assert (case.shape, case.spacing, case.orientation) == ((6, 24, 20), (3.0, 0.8, 0.8), "LPS")
    assert case.voxels == {1: int((label == 1).sum()), 2: int((label == 2).sum())}
    assert case.voxel_ml == pytest.approx(abs(np.linalg.det(CT)) / 1000) and case.shear == pytest.approx(0, abs=1e-3)
    assert (case.channels[0].lowest, case.channels[0].highest) == (image.min(), image.max())
    assert sorted(case.channels[0].foreground) == sorted(image[label > 0])
    assert list(refused) == ["c1"] and "NaN or infinite voxels" in refused["c1"]


def test_half_of_the_cases_with_air_make_ct():
    with_air, without = CASE.channels[0], replace(CASE.channels[0], lowest=-499.0)
    assert is_ct([with_air, without]) and not is_ct([with_air, without, without])


@pytest.mark.parametrize(
    ("low", "high", "window"),
    [(100, 140, [50, 190]), (0, 400, [-100, 500]), (-1000, -900, [-1020, -850])],
    ids=["margin of 50 at least", "a quarter", "not below air"],
)
def test_window_is_what_is_labelled_and_a_margin(low, high, window):
    assert propose_window([replace(CASE.channels[0], foreground=np.repeat([float(low), float(high)], 500))]) == window


def test_spacing_is_the_median():
    cases = [replace(CASE, spacing=spacing) for spacing in ((1.0, 0.5, 0.5), (3.0, 0.7, 0.7004), (5.0, 0.9, 0.9))]
    assert propose_spacing(cases) == [3.0, 0.7, 0.7]


@pytest.mark.parametrize(
    ("shape", "spacing", "patch"),
    [
        ((50, 70, 33), (3.0, 0.8, 0.8), [48, 64, 32]),
        ((50, 70, 33), (6.0, 0.8, 0.8), [16, 64, 32]),  # 25 slices at this spacing
        ((8, 20, 20), (3.0, 0.8, 0.8), [16, 16, 16]),
        ((200, 512, 512), (3.0, 0.8, 0.8), [96, 96, 112]),
    ],
)
def test_patches_are_multiples_of_16_and_not_too_large(shape, spacing, patch):
    proposed = propose_patch([replace(CASE, shape=shape)], spacing)
    assert proposed == patch and np.prod(proposed) <= 128 * 128 * 64


def test_image_size_covers_the_largest_slice_up_to_512():
    shapes = [(5, 100, 64), (5, 64, 65)]
    assert propose_image_size([replace(CASE, shape=shape) for shape in shapes]) == [128, 96]
    assert propose_image_size([replace(CASE, shape=(5, 700, 33))]) == [512, 64]


def test_exchanged_folders_are_recognized(tmp_path):
    write_folders(tmp_path, 1)
    image, label = tmp_path / "images/c0.nii.gz", tmp_path / "labels/c0.nii.gz"
    check_exchanged(CaseFiles((image,), label))
    check_exchanged(CaseFiles((tmp_path / "nowhere.nii",), label))  # another error tells of it
    with pytest.raises(
        ValueError, match="are --images and --labels exchanged. .*labels/c0.nii.gz holds a few whole numbers"
    ):
        check_exchanged(CaseFiles((label,), image))
