"""Scans with label maps: sides, planes, colours and proportions, and which of viewer and picture is given."""

import sys
import types

import nibabel as nib
import numpy as np
import pytest

from medkd.visuals import planes_figure, slices_figure, view_volume

# axes of the file: to the left, to the back, to the head; voxels of 1, 2 and 4 mm
AFFINE = np.diag([-1.0, -2.0, 4.0, 1.0])


@pytest.fixture
def volume(tmp_path):
    image = np.zeros((20, 14, 8), np.int16)
    image[2, 3, 5] = 100  # towards right, front, head in this file's axes
    truth = np.zeros(image.shape, np.uint8)
    truth[1:6, 2:7, 4:7], truth[1:6, 2:9, 5] = 1, 2
    prediction = np.roll(truth, 1, axis=0)
    for name, array in {"image": image, "truth": truth, "prediction": prediction}.items():
        nib.save(nib.Nifti1Image(array, AFFINE), tmp_path / f"{name}.nii.gz")
    return tmp_path


def maps(folder):
    return {name: folder / f"{name}.nii.gz" for name in ("truth", "prediction")}


def picture(axis):
    return np.asarray(axis.images[0].get_array()).squeeze()


def test_the_patients_right_is_left_and_the_front_above(volume):
    figure = slices_figure(volume / "image.nii.gz", maps(volume), (0, 100), title="case_9")
    assert figure.get_suptitle() == "case_9"
    assert [axis.get_title() for axis in figure.axes] == ["slice 4", "slice 5", "slice 6"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["truth", "prediction"]
    background = picture(figure.axes[1])
    assert background.shape == (14, 20)
    # the file's first axis runs to the left and its second to the back: so do columns and rows
    assert np.argwhere(background == 1).tolist() == [[3, 2]]
    assert figure.axes[1].get_aspect() == 2.0


def test_planes_lie_where_the_truth_is_largest_in_true_proportions(volume):
    figure = planes_figure(volume / "image.nii.gz", maps(volume), (0, 100))
    assert [axis.get_title().split(",")[0] for axis in figure.axes] == ["axial", "coronal", "sagittal"]
    assert figure.axes[0].get_title() == "axial, 5"
    assert [picture(axis).shape for axis in figure.axes] == [(14, 20), (8, 20), (8, 14)]
    assert [axis.get_aspect() for axis in figure.axes] == [2.0, 4.0, 2.0]


def test_maps_on_another_grid_are_refused(volume):
    nib.save(nib.Nifti1Image(np.zeros((20, 14, 8), np.uint8), np.eye(4)), volume / "other.nii.gz")
    with pytest.raises(ValueError, match=r"other\.nii\.gz: .* not on the grid"):
        slices_figure(volume / "image.nii.gz", {"other": volume / "other.nii.gz"})
    with pytest.raises(ValueError, match="found 0 label maps, expected one to 3"):
        planes_figure(volume / "image.nii.gz", {})


def test_an_empty_map_shows_the_middle(volume):
    nib.save(nib.Nifti1Image(np.zeros((20, 14, 8), np.uint8), AFFINE), volume / "empty.nii.gz")
    figure = planes_figure(volume / "image.nii.gz", {"none": volume / "empty.nii.gz"})
    assert figure.axes[0].get_title() == "axial, 4"


@pytest.mark.parametrize("installed", [True, False])
def test_without_viewer_or_kernel_the_planes_are_given(volume, monkeypatch, installed):
    fake = types.SimpleNamespace(NiiVue=None, SliceType=None) if installed else None
    monkeypatch.setitem(sys.modules, "ipyniivue", fake)
    # matplotlib's first canvas reads the version
    stand_in = types.SimpleNamespace(get_ipython=lambda: None, version_info=(9, 0))
    monkeypatch.setitem(sys.modules, "IPython", stand_in)
    assert len(view_volume(volume / "image.nii.gz", maps(volume)).axes) == 3


@pytest.mark.slow
def test_in_a_kernel_the_viewer_holds_scan_and_maps(volume, monkeypatch):
    ipyniivue = pytest.importorskip("ipyniivue", reason="of the extra notebooks")
    import IPython

    monkeypatch.setattr(IPython, "get_ipython", lambda: types.SimpleNamespace(kernel=None))
    viewer = view_volume(volume / "image.nii.gz", maps(volume), (0, 100))
    assert isinstance(viewer, ipyniivue.NiiVue)
    assert [layer.colormap for layer in viewer.volumes] == ["gray", "gold", "red"]
    assert [layer.opacity for layer in viewer.volumes] == [1.0, 0.4, 0.4]
    assert (viewer.volumes[0].cal_min, viewer.volumes[0].cal_max) == (0, 100)
    assert viewer.opts.slice_type == ipyniivue.SliceType.MULTIPLANAR
