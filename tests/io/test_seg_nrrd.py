"""Segmentation files of 3D Slicer: the keys that it reads, and voxels at the same millimetres."""

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from medkd.io import LabelFormat, class_colour, read_volume, write_prediction

LABELS = np.zeros((1, 4, 5, 6), np.uint8)
LABELS[0, 1:3, 2, 3], LABELS[0, 3, 4, 5] = 1, 3
AFFINES = {
    "plain": np.diag([0.7, 0.8, 3.0, 1.0]),
    "oblique": np.array([[-0.64, 0.54, 0, 12], [-0.48, -0.72, 0, -30], [0, 0, 3.0, 400], [0, 0, 0, 1]]),
    "mirrored": np.diag([0.7, -0.8, 3.0, 1.0]),
    "sheared": np.array([[0.7, 0, 0, 1], [0, 0.8, 1.1, 2], [0, 0, 3.0, 3], [0, 0, 0, 1]]),
}


@pytest.mark.parametrize("kind", ["nifti", "other"])
@pytest.mark.parametrize("name", AFFINES)
def test_voxels_lie_where_those_of_the_nifti_lie(tmp_path, name, kind):
    source = tmp_path / ("a.nii.gz" if kind == "nifti" else "a.mha")
    if kind == "nifti":
        nib.save(nib.Nifti1Image(np.zeros((4, 5, 6, 1), np.int16), AFFINES[name]), source)
    paths = [
        write_prediction(LABELS, tmp_path, "a", str(source), AFFINES[name], 4, LabelFormat({1: "x"}, form))
        for form in ("nifti", "seg.nrrd")
    ]
    nifti, segmentation = map(read_volume, paths)
    assert paths[1].name == "a.seg.nrrd"
    np.testing.assert_array_equal(segmentation.array, LABELS[0])
    np.testing.assert_array_equal(nifti.array, LABELS[0])
    np.testing.assert_allclose(segmentation.affine, nifti.affine, atol=1e-5)


def test_slicer_finds_a_segment_for_each_class(tmp_path):
    classes = {1: "kidney", 2: "tumour = a\nb", 3: "Zyste \N{LATIN SMALL LETTER O WITH DIAERESIS}"}
    path = write_prediction(LABELS, tmp_path, "a", "a.mha", np.eye(4), 4, LabelFormat(classes, "seg.nrrd"))
    image = sitk.ReadImage(str(path))
    segments = []
    while image.HasMetaDataKey(f"Segment{len(segments)}_ID"):
        keys = ("ID", "Name", "LabelValue", "Layer", "Extent", "Color")
        segments.append([image.GetMetaData(f"Segment{len(segments)}_{key}") for key in keys])
    assert [segment[0] for segment in segments] == ["Segment_1", "Segment_2", "Segment_3"]
    assert [segment[1] for segment in segments] == ["kidney", "tumour = a b", classes[3]]
    # class 2 has no voxel and is a segment all the same; a layer is cut to the extent of its first segment
    assert [segment[2:5] for segment in segments] == [[str(value), "0", "0 3 0 4 0 5"] for value in (1, 2, 3)]
    for value, segment in enumerate(segments, 1):
        colour = [float(channel) * 255 for channel in segment[5].split()]
        np.testing.assert_allclose(colour, class_colour(value), atol=0.01)
    assert image.GetMetaData("Segmentation_MasterRepresentation") == "Binary labelmap"
    assert image.GetMetaData("Segmentation_ReferenceImageExtentOffset") == "0 0 0"
    assert b"space: left-posterior-superior" in path.read_bytes()[:2000]
